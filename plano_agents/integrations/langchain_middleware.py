"""`ModelAffinityMiddleware`: one affinity id per run of an agent made by `langchain.agents.create_agent`.

The id is the run's by the usual order (``configurable``, scope), else one that the middleware makes for the run; with
``affinity="thread"`` that of the ``thread_id``, where there is one. It stands in the graph's state: inside such an
agent nothing else is the same over a whole run. A model call sends it as a header, so that stock models will do; a
tool runs in a scope of it, so that what it asks models goes out under it too.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
)
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import ToolMessage
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langgraph.types import Command

from plano_agents.affinity import (
    CONFIGURABLE_KEY,
    SOURCE_KEY,
    AffinitySource,
    check_affinity_source,
    find_affinity_header,
    model_affinity,
    new_affinity_id,
    resolve_affinity_id,
)
from plano_agents.integrations.langchain_affinity import list_hinting
from plano_agents.integrations.plano_headers import build_affinity_headers, find_hint


class ModelAffinityState(AgentState[Any]):
    """An agent's state, with the run's id; the id is neither an input nor an output."""

    model_affinity_id: NotRequired[Annotated[str, PrivateStateAttr]]
    """The id that every model call of the run carries."""
    model_affinity_from: NotRequired[Annotated[str, PrivateStateAttr]]
    """``run`` where the id was made for the run alone, else empty."""


class ModelAffinityMiddleware(AgentMiddleware[ModelAffinityState, Any, Any]):
    """Gives every run of an agent an affinity id, and every model call of the run that id.

    For models whose calls take ``extra_headers``: those of `langchain_openai` and what is built on it, and
    `langchain_anthropic`. A header of the caller's own, and a model's ``affinity_id``, are left as they are.

    Args:
        affinity: What the id of a run comes from that nothing names: ``run``, or ``thread`` for its ``thread_id``.

    Example:
        >>> import os
        >>> from langchain.agents import create_agent
        >>> from langchain_openai import ChatOpenAI
        >>> from plano_agents import ModelAffinityMiddleware
        >>> llm = ChatOpenAI(model="gpt-4o-mini", base_url=os.environ["PLANO_BASE_URL"], api_key="none")
        >>> agent = create_agent(llm, tools=[], middleware=[ModelAffinityMiddleware()])
        >>> said = agent.invoke({"messages": [("user", "hello")]})
    """

    state_schema = ModelAffinityState

    def __init__(self, *, affinity: AffinitySource = "run") -> None:
        super().__init__()
        self._affinity = check_affinity_source(affinity)

    def before_agent(self, state: ModelAffinityState, runtime: Runtime[Any]) -> dict[str, Any]:  # noqa: ARG002 - LangChain's signature
        """Decide the run's id."""
        configurable = dict(get_config().get("configurable") or {})
        if self._affinity == "run":
            configurable.pop("thread_id", None)
        affinity_id, source = resolve_affinity_id(configurable=configurable), ""
        if affinity_id is None or affinity_id == configurable.get(CONFIGURABLE_KEY):
            source = "run" if affinity_id is None else configurable.get(SOURCE_KEY, "")
        return {"model_affinity_id": affinity_id or new_affinity_id(), SOURCE_KEY: source}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Send the id with a call of the model."""
        return handler(_name_run(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Send the id with a call of the model."""
        return await handler(_name_run(request))

    def wrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]],
    ) -> ToolMessage | Command[Any]:
        """Run a tool in a scope of the id."""
        with model_affinity(request.state["model_affinity_id"]):
            return handler(request)

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Run a tool in a scope of the id."""
        async with model_affinity(request.state["model_affinity_id"]):
            return await handler(request)


def _name_run(request: ModelRequest[Any]) -> ModelRequest[Any]:
    """Write the id, and the hint, into a request, unless the caller named an id of his own."""
    headers = request.model_settings.get("extra_headers") or {}
    if getattr(request.model, "affinity_id", None) is not None or find_affinity_header(headers) is not None:
        return request
    state: ModelAffinityState = request.state  # type: ignore[assignment] # the agent's is made of it
    answers = list_hinting(request.messages, is_runs=state.get("model_affinity_from") == "run")
    affinity_id = state["model_affinity_id"]
    named = build_affinity_headers(headers, affinity_id, find_hint(message.response_metadata for message in answers))
    return request.override(model_settings={**request.model_settings, "extra_headers": named})
