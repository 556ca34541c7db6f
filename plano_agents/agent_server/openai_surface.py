"""``POST /v1/chat/completions``: the agent in the place of a model, for clients that speak OpenAI's wire.

A streamed answer assembles to the plain one. The message is all that the agent says, as it says it, a blank line
between model calls; what it says before it calls a tool is part of it, for whether a model call is the last is known
at its end only. With ``tool_calls: shown`` its tool calls come with their results as ``executed_tools``, as systems
that run tools for the client write them (Groq's, for one). With ``openai_answers: final`` the message is the agent's
final output alone, at once.

Where there is nothing to tell of a model call, an empty delta shows that the agent is at work.

An answer that is not streamed also has ``session_id``, the run's affinity id, and ``routing_trace``, the model of each
call, as the agent of Plano's model-affinity demo answers.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from fastapi import Body, FastAPI, Request
from fastapi.responses import Response
from msgspec import UNSET, Struct, UnsetType
from starlette.types import Send

from plano_agents.agent_server import events, schema
from plano_agents.agent_server.agent_surface import encode_json
from plano_agents.agent_server.connection import RunResponse, send_events, send_json
from plano_agents.agent_server.memory import HeldThread
from plano_agents.agent_server.requests import (
    AFFINITY_PARAMETER,
    ECHO,
    ERRORS,
    choose_affinity_id,
    new_run_id,
    read_owner,
)
from plano_agents.agent_server.runs import Agent
from plano_agents.errors import ModelNotFoundError, PlanoError
from plano_agents.protocol.openai_chat import encode_error_event
from plano_agents.protocol.openai_completion import (
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    PromptTokensDetails,
    ReplyMessage,
    Usage,
)
from plano_agents.protocol.sse import DONE, encode_event

MODEL_SHOWN = 64
"""How many characters of an unknown model's name are told back."""


def add_openai_surface(app: FastAPI, agent: Agent, *, now: Callable[[], float]) -> None:
    """Add the endpoints to an app.

    Args:
        app: The app.
        agent: What is run.
        now: Unix time in seconds, for ``created``.
    """
    name = agent.settings.name

    @app.post(
        "/v1/chat/completions",
        response_model=None,
        responses={
            200: {
                "description": "A chat completion; its chunks with `stream`.",
                "headers": ECHO,
                "content": {
                    "application/json": {"example": {**schema.COMPLETION_EXAMPLE, "model": name}},
                    "text/event-stream": {"example": "data: {…}\n\ndata: [DONE]\n\n"},
                },
            },
            **ERRORS,
        },
        openapi_extra=AFFINITY_PARAMETER,
    )
    async def complete_chat(
        request: Request,
        body: Annotated[schema.ChatBody, Body(examples=[{"model": name, **schema.CHAT_EXAMPLE}])],
    ) -> Response:
        """Run the agent in the place of a model, for any OpenAI client.

        The agent brings its own tools, models and settings: fields about these are accepted and ignored. Nothing is
        remembered between requests.
        """
        _check_model(body.model, name)
        chosen = choose_affinity_id(request, None, agent.settings.affinity)
        run = events.Run(
            run_id=new_run_id(),
            affinity_id=chosen.affinity_id,
            has_own_id=chosen.is_runs,
            messages=body.to_langchain(),
            owner=read_owner(request),
            tokens=agent.settings.streams_answers,
        )
        created = int(now())
        include_usage = bool(body.stream_options and body.stream_options.include_usage)

        async def answer(thread: HeldThread, send: Send) -> None:
            if body.stream:
                chunks = stream_completion(agent, run, thread, model=name, created=created, include_usage=include_usage)
                await send_events(chunks, send)
            else:
                await send_json(answer_completion(agent, run, thread, model=name, created=created), send)

        return RunResponse(
            agent.hold(run), run.affinity_id, answer, encode_error_event, seconds=agent.settings.run_seconds
        )

    listing = {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "plano-agents"}],
    }

    @app.get("/v1/models", responses={200: {"content": {"application/json": {"example": listing}}}})
    async def list_models() -> dict[str, Any]:
        """The agent, as the one model there is."""
        return listing


def _check_model(given: str | None, name: str) -> None:
    """Refuse a model that is not the agent, which is all there is.

    Raises:
        ModelNotFoundError: It is another.
    """
    if given and given != name:
        shown = given if len(given) <= MODEL_SHOWN else f"{given[:MODEL_SHOWN]}…"
        raise ModelNotFoundError(
            f"There is no model {shown!r} here; {name!r} is the one that is served. Ask for it, or leave 'model' out.",
            param="model",
        )


class ExecutedTool(Struct, frozen=True):
    """A tool call that was made and answered here; a ``tool_calls`` entry would ask the client to make it."""

    index: int
    name: str
    arguments: str
    """As JSON."""
    output: str
    type: str = "function"


class AgentMessage(ReplyMessage, frozen=True):
    """The assistant's message, with what the agent did for it."""

    executed_tools: tuple[ExecutedTool, ...] | UnsetType = UNSET


class AgentDelta(Delta, frozen=True):
    """The part of an answer that a chunk adds."""

    executed_tools: tuple[ExecutedTool, ...] | UnsetType = UNSET


class Routed(Struct, frozen=True):
    """One model call of a run."""

    task: str
    """The tools that the model called, or ``answer``."""
    model: str | None
    """The model that answered, as it calls itself; null where the provider does not say."""


class AgentCompletion(Completion, frozen=True):
    """An agent's chat completion: which models it is from, too."""

    session_id: str = ""
    """The run's affinity id."""
    routing_trace: tuple[Routed, ...] = ()
    """The run's model calls, in the order in which they began."""


class _Narrator:
    """Turns a run's events into what the assistant's message gains by each.

    Args:
        is_streamed: Whether all that the agent says is told, or its final output alone.
        shows_tools: Whether its tool calls are told.
    """

    def __init__(self, *, is_streamed: bool, shows_tools: bool) -> None:
        self._is_streamed = is_streamed
        self._shows_tools = shows_tools
        self._turn: int | None = None
        self._said = ""
        self._tools = 0

    def tell(self, event: events.Event) -> AgentDelta | None:
        """Tell an event; None where there is nothing to tell."""
        match event:
            case events.Answer():
                told = self._is_streamed and self._said.strip() == event.output.strip()
                return None if told else AgentDelta(content=self._begin(event.output))
            case events.Token(is_inner=False) if self._is_streamed:
                text = event.text
                if event.turn != self._turn:
                    text = self._begin(text)
                    self._turn, self._said = event.turn, ""
                self._said += event.text
                return AgentDelta(content=text)
            case events.ToolResult(is_inner=False) if self._shows_tools:
                arguments = encode_json(event.arguments).decode()
                tool = ExecutedTool(self._tools, event.name, arguments, event.result)
                self._tools += 1
                return AgentDelta(executed_tools=(tool,))
            case events.ModelCall() if event.turn != self._turn:
                return AgentDelta()
            case _:
                return None

    def _begin(self, text: str) -> str:
        """Set a text off from what was said before."""
        return text if self._turn is None else f"\n\n{text}"


def build_completion(
    answer: events.Answer, deltas: Sequence[AgentDelta], *, model: str, created: int
) -> AgentCompletion:
    """Write a finished run as a chat completion.

    Args:
        answer: The run.
        deltas: What its message is made of.
        model: The agent's name.
        created: Unix time in seconds.
    """
    tools = tuple(tool for delta in deltas for tool in delta.executed_tools or ())
    message = AgentMessage(content="".join(delta.content or "" for delta in deltas), executed_tools=tools or UNSET)
    return AgentCompletion(
        id=_completion_id(answer.run_id),
        created=created,
        model=model,
        choices=(Choice(index=0, message=message, finish_reason="stop"),),
        usage=_build_usage(answer.usage),
        session_id=answer.affinity_id,
        routing_trace=tuple(Routed(", ".join(call.tool_calls) or "answer", call.model) for call in answer.turns),
    )


async def answer_completion(agent: Agent, run: events.Run, thread: HeldThread, *, model: str, created: int) -> bytes:
    """Run, and encode the answer as a chat completion.

    Raises:
        PlanoError: The run failed.
    """
    narrator = _Narrator(is_streamed=run.tokens, shows_tools=agent.settings.tool_calls == "shown")
    deltas: list[AgentDelta] = []
    async with aclosing(agent.run(run, thread)) as happened:
        async for event in happened:
            delta = narrator.tell(event)
            if delta is not None:
                deltas.append(delta)
            if isinstance(event, events.Answer):
                return msgspec.json.encode(build_completion(event, deltas, model=model, created=created))
    raise AssertionError("a run that does not fail ends with its answer")


async def stream_completion(
    agent: Agent, run: events.Run, thread: HeldThread, *, model: str, created: int, include_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Run, and encode the answer as a chat completion's chunks.

    Args:
        agent: The agent.
        run: What to run.
        thread: Its thread, held.
        model: The agent's name.
        created: Unix time in seconds.
        include_usage: Whether a last chunk tells the tokens used.

    Yields:
        Chunks, then ``[DONE]``; or an error event, after which there is no ``[DONE]``.
    """

    def encode(choices: tuple[ChunkChoice, ...], usage: Usage | UnsetType | None = UNSET) -> bytes:
        chunk = Chunk(id=_completion_id(run.run_id), created=created, model=model, choices=choices, usage=usage)
        return encode_event(msgspec.json.encode(chunk))

    def add(delta: Delta, finish_reason: str | None = None) -> bytes:
        choice = ChunkChoice(index=0, delta=delta, finish_reason=finish_reason)
        return encode((choice,), None if include_usage else UNSET)

    narrator = _Narrator(is_streamed=run.tokens, shows_tools=agent.settings.tool_calls == "shown")
    yield add(Delta(role="assistant", content=""))
    try:
        async with aclosing(agent.run(run, thread)) as happened:
            async for event in happened:
                delta = narrator.tell(event)
                if delta is not None:
                    yield add(delta)
                if isinstance(event, events.Answer):
                    yield add(Delta(), "stop")
                    if include_usage:
                        yield encode((), _build_usage(event.usage))
                    yield DONE
    except PlanoError as error:
        yield encode_error_event(error)


def _completion_id(run_id: str) -> str:
    return "chatcmpl-" + run_id.removeprefix("run_")


def _build_usage(usage: events.Usage) -> Usage:
    return Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cache_read_tokens),
    )
