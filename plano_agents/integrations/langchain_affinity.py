# ruff: noqa: ANN401, A002 - the overridden signatures are LangChain's
"""`ModelAffinityMixin`: puts the affinity id onto the requests of a LangChain chat model.

For the models that build a request in ``_get_request_payload`` and hand it to an SDK that takes ``extra_headers``:
those of `langchain_openai`, `langchain_anthropic`, `langchain_deepseek`, `langchain_xai`, and `ChatPlano`.

The id is settled when ``invoke``, ``stream`` and their kin are called, not when the answer is consumed: a lazy
stream read after its scope has ended still belongs to it. LangChain's own wrappers (``bind``, ``|``) are lazy
themselves, so a stream through them that outlives its scope takes the id from ``config`` or an argument.

A run of a thread is known by the user's message that it answers, the transcript's last one: by its id, which LangGraph
gives every message and keeps. So the steps of a tool loop, its resumption and its forks are one run. A prompt that is
no message of the thread, as of a tool that asks a model itself, belongs to the run that the thread is on, as far as
this process has seen one; else it is known by its words. An id that is a run's own hints at models of that run alone:
those of earlier ones decide nothing for it.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, ensure_config
from pydantic import Field, field_validator, model_validator

from plano_agents.affinity import (
    CONFIGURABLE_KEY,
    SOURCE_KEY,
    AffinitySource,
    find_affinity_header,
    parse_affinity_id,
    resolve_affinity_id,
)
from plano_agents.integrations.plano_headers import (
    build_affinity_headers,
    drop_affinity_headers,
    find_hint,
)
from plano_agents.trace_context import TRACEPARENT, current_trace_headers

MAX_THREADS = 10_000
"""How many threads' latest runs are remembered."""


class _SettledId(str):
    """A request's affinity id, decided; empty when it has none, whatever scope it may be consumed in."""

    __slots__ = ()


class _RunsId(_SettledId):
    """The same, of an id that is one run's own."""

    __slots__ = ()


class ModelAffinityMixin(BaseChatModel):
    """Makes a chat model send the affinity id: put it first among the bases.

    For each call ``affinity_id=…`` may be given too, directly, through ``bind`` and ``bind_tools``, or as
    ``configurable["model_affinity_id"]``. Where an answer's ``response_metadata`` names the model that a router chose
    (`langchain_openai`'s models do with ``include_response_headers=True``), later requests hint at it.

    Raises:
        TypeError: A class is made of it and a model that builds its requests in another way; `instrument` serves those.

    Example:
        >>> import os
        >>> from langchain_openai import ChatOpenAI
        >>> from plano_agents import ModelAffinityMixin, model_affinity
        >>> class StickyChatOpenAI(ModelAffinityMixin, ChatOpenAI):
        ...     '''ChatOpenAI, one model per affinity id.'''
        >>> llm = StickyChatOpenAI(model="gpt-4o-mini", base_url=os.environ["PLANO_BASE_URL"], api_key="none")
        >>> with model_affinity("run-mixin"):
        ...     said = llm.invoke("hello").text
    """

    affinity_id: str | None = Field(default=None, exclude=True)
    """The id of calls that name none themselves; it outranks ``config`` and scope."""
    affinity: AffinitySource = Field(default="run", exclude=True)
    """What the id of calls comes from that have only a ``thread_id``: ``run``, so that each user message of the thread
    may go to another model and the tool loop that answers it keeps one, or ``thread``, so that all of it keeps one."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        builders = [base for base in cls.__mro__ if "_get_request_payload" in vars(base)]
        if not builders[1:]:
            raise TypeError(
                f"{cls.__name__}: ModelAffinityMixin goes before a chat model that builds its requests in "
                "_get_request_payload, such as ChatOpenAI or ChatAnthropic. For others, call plano_agents.instrument()."
            )

    @field_validator("affinity_id")
    @classmethod
    def _check_affinity_id(cls, value: str | None) -> str | None:
        return None if value is None else parse_affinity_id(value)

    @model_validator(mode="before")
    @classmethod
    def _take_default_header(cls, values: Any) -> Any:
        """Take an affinity header among the default headers as the field: beside a call's own it would be a second."""
        headers = values.get("default_headers") if isinstance(values, dict) else None
        if not headers or (affinity_id := find_affinity_header(headers)) is None:
            return values
        others = {name: value for name, value in values.items() if name != "default_headers"}
        return {"affinity_id": affinity_id, **others, "default_headers": drop_affinity_headers(headers)}

    def _settle_affinity(
        self, config: RunnableConfig | None, input_: LanguageModelInput, kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Decide a call's id, once; what comes later in the same call finds it in ``affinity_id``."""
        given = kwargs.get("affinity_id")
        if isinstance(given, _SettledId):
            return dict(kwargs)
        defaults = getattr(self, "model_kwargs", {})
        # A node's own `configurable` would hide the run's: LangChain replaces it as a whole.
        configurable = ensure_config().get("configurable", {}) | ensure_config(config).get("configurable", {})
        runs: list[str] = []

        def find_run() -> str | None:
            if self.affinity == "thread":
                return None
            run = _find_run(str(configurable.get("thread_id")), self._list_messages(input_))
            runs.extend([] if run is None else [run])
            return run

        affinity_id = resolve_affinity_id(
            call=given,
            extra_headers=kwargs.get("extra_headers", defaults.get("extra_headers")),
            model=self.affinity_id,
            configurable=configurable,
            find_run=find_run,
        )
        was_made = configurable.get(SOURCE_KEY) == "run" and affinity_id == configurable.get(CONFIGURABLE_KEY)
        settled = _RunsId if runs or was_made else _SettledId
        return {**kwargs, "affinity_id": settled(affinity_id or "")}

    def _list_messages(self, input_: LanguageModelInput) -> list[BaseMessage]:
        return (
            input_
            if isinstance(input_, list) and all(isinstance(each, BaseMessage) for each in input_)
            else self._convert_input(input_).to_messages()
        )

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        """Ask for one answer."""
        return super().invoke(input, config, **self._settle_affinity(config, input, kwargs))

    def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Coroutine[Any, Any, AIMessage]:
        """Ask for one answer; the id is settled by the call, not by the ``await``."""
        return super().ainvoke(input, config, **self._settle_affinity(config, input, kwargs))

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """Ask for an answer in pieces; the id is settled by the call, not by the first piece."""
        return super().stream(input, config, **self._settle_affinity(config, input, kwargs))

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Ask for an answer in pieces; the id is settled by the call, not by the first piece."""
        return super().astream(input, config, **self._settle_affinity(config, input, kwargs))

    def stream_events(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Ask for an answer as events; the id is settled by the call."""
        return super().stream_events(input, config, **self._settle_affinity(config, input, kwargs))

    def astream_events(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Ask for an answer as events; the id is settled by the call."""
        return super().astream_events(input, config, **self._settle_affinity(config, input, kwargs))

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        settled = self._settle_affinity(None, input_, kwargs)
        affinity_id: _SettledId = settled.pop("affinity_id")
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **settled)  # type: ignore[misc] # the next base's
        if affinity_id:
            messages = list_hinting(self._list_messages(input_), is_runs=isinstance(affinity_id, _RunsId))
            hint = find_hint(message.response_metadata for message in messages)
            payload["extra_headers"] = build_affinity_headers(payload.get("extra_headers") or {}, affinity_id, hint)
        if (trace := current_trace_headers()) and not _names_trace(payload.get("extra_headers")):
            payload["extra_headers"] = {**(payload.get("extra_headers") or {}), **trace}
        return payload

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Build the key of LangChain's cache: an answer is the same under any id."""
        kwargs.pop("affinity_id", None)
        if headers := drop_affinity_headers(kwargs.pop("extra_headers", None) or {}):
            kwargs["extra_headers"] = headers
        return super()._get_llm_string(stop=stop, **kwargs)


def _names_trace(headers: Mapping[str, object] | None) -> bool:
    """Check whether a caller's own headers name the trace."""
    return any(name.lower() == TRACEPARENT for name in headers or {})


def list_hinting(messages: Sequence[BaseMessage], *, is_runs: bool) -> list[AIMessage]:
    """List the model's messages that may tell which model a session had, newest first.

    Args:
        messages: The transcript, oldest first.
        is_runs: Whether the session is one run, which begins with the user's last message.
    """
    newest = reversed(messages)
    own = takewhile(lambda message: not isinstance(message, HumanMessage), newest) if is_runs else newest
    return [message for message in own if isinstance(message, AIMessage)]


_latest_runs: OrderedDict[str, str] = OrderedDict()
"""The run that each thread was last seen on, the threads seen longest ago first."""


def _find_run(thread_id: str, messages: Sequence[BaseMessage]) -> str | None:
    """Find what tells a thread's run from its others; None where there is nothing.

    Args:
        thread_id: The thread.
        messages: What the model is asked, oldest first.
    """
    asked = next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)
    if asked is not None and asked.id is not None:
        _latest_runs[thread_id] = asked.id
        _latest_runs.move_to_end(thread_id)
        if len(_latest_runs) > MAX_THREADS:
            _latest_runs.popitem(last=False)
    words = None if asked is None else str(asked.content)
    return _latest_runs.get(thread_id, words)
