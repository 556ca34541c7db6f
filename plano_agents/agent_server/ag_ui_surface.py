"""``POST /ag-ui``: the AG-UI protocol, which CopilotKit's and other web clients speak (extra ``ag-ui``).

What is said on the wire is ``ag-ui-langgraph``'s business. Here its run becomes one of ours: on its owner's thread,
alone on it, with the affinity id, the limits and the log of every other, and with a failure that tells no prompt.
"""

import logging
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ag_ui.core import EventType, RunAgentInput, RunErrorEvent
from ag_ui.encoder import EventEncoder
from ag_ui_langgraph import LangGraphAgent  # type: ignore[import-untyped]
from fastapi import FastAPI, Request
from fastapi.responses import Response
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.memory import InMemorySaver
from starlette.types import Send

from plano_agents.agent_server.connection import RunResponse, send_events
from plano_agents.agent_server.events import Run
from plano_agents.agent_server.memory import HeldThread, build_config
from plano_agents.agent_server.recorder import RunRecorder, find_tool_message
from plano_agents.agent_server.requests import (
    AFFINITY_PARAMETER,
    ECHO,
    ERRORS,
    choose_affinity_id,
    new_run_id,
    read_owner,
)
from plano_agents.agent_server.runs import Agent
from plano_agents.agent_server.schema import MAX_THREAD_ID
from plano_agents.errors import PlanoError, RequestError

_ENCODER = EventEncoder()


def add_ag_ui_surface(app: FastAPI, agent: Agent) -> None:
    """Add the endpoint to an app."""
    if not agent.settings.log_content:
        # The adapter's warnings repeat what clients send.
        logging.getLogger("ag_ui_langgraph").setLevel(logging.CRITICAL)

    @app.post(
        "/ag-ui",
        response_model=None,
        responses={
            200: {
                "description": "AG-UI's events, as server-sent events.",
                "headers": ECHO,
                "content": {"text/event-stream": {"example": 'data: {"type":"RUN_STARTED",…}\n\n'}},
            },
            **ERRORS,
        },
        openapi_extra=AFFINITY_PARAMETER,
    )
    async def run_ag_ui(request: Request, body: RunAgentInput) -> Response:
        """Run the agent for a client that speaks AG-UI; resuming an interrupted run is part of that.

        The thread is the body's `threadId`. An agent that remembers nothing goes by the messages alone.
        """
        if not 1 <= len(body.thread_id) <= MAX_THREAD_ID:
            raise RequestError(
                f"A threadId has 1 to {MAX_THREAD_ID} characters; got {len(body.thread_id)}.",
                param="threadId",
            )
        if body.state is not None and not isinstance(body.state, dict):
            raise RequestError("AG-UI's state must be a JSON object, or null.", param="state")
        chosen = choose_affinity_id(request, body.thread_id, agent.settings.affinity)
        run = Run(
            run_id=new_run_id(),
            affinity_id=chosen.affinity_id,
            has_own_id=chosen.is_runs,
            messages=(),
            thread_id=body.thread_id if agent.memory.remembers else None,
            owner=read_owner(request),
        )

        async def answer(thread: HeldThread, send: Send) -> None:
            await send_events(stream_ag_ui(agent, run, thread, body), send)

        return RunResponse(
            agent.hold(run), run.affinity_id, answer, encode_error_event, seconds=agent.settings.run_seconds
        )


async def stream_ag_ui(agent: Agent, run: Run, thread: HeldThread, body: RunAgentInput) -> AsyncGenerator[bytes, None]:
    """Run, and encode AG-UI's events.

    Yields:
        ``RUN_STARTED`` and what follows, up to one ``RUN_FINISHED`` or one ``RUN_ERROR``.
    """
    graph = thread.graph
    if run.thread_id is None:
        graph = graph.copy(update={"checkpointer": InMemorySaver()})
    recorder = RunRecorder(agent.clock)
    try:
        async with agent.watch(run, thread, recorder) as log:
            config: dict[str, Any] = dict(
                build_config(
                    agent.settings,
                    affinity_id=run.affinity_id,
                    thread_id=body.thread_id,
                    owner=run.owner,
                    has_own_id=run.has_own_id,
                )
            )
            config["callbacks"] = agent.callbacks(run, recorder, _ResultNamer())
            # Where it forks a thread, the adapter leaves the run's configuration out: the graph's own says whose it is.
            graph = graph.with_config({"metadata": config["metadata"]})
            adapter = _Adapter(name=agent.settings.name, graph=graph, config=config, emit_raw_events=False)
            async with aclosing(adapter.events(body)) as events:
                async for event in events:
                    for happened in recorder.drain():
                        log.event(happened)
                    yield _ENCODER.encode(event).encode()
            log.done(recorder.answer(run))
    except PlanoError as error:
        yield encode_error_event(error)


def encode_error_event(error: PlanoError) -> bytes:
    """Write an error as the last event of a run."""
    told = RunErrorEvent(type=EventType.RUN_ERROR, message=error.message, code=error.code)
    return _ENCODER.encode(told).encode()


class _ResultNamer(BaseCallbackHandler):
    """Gives a tool's result its id before it is told: later the graph would, and the client take it for another."""

    run_inline = True

    def on_tool_end(self, output: object, **_: object) -> None:
        """A tool has answered."""
        message = find_tool_message(output)
        if message is not None and message.id is None:
            message.id = str(uuid.uuid4())


def _split_call(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Split the piece of a stream that begins a call and has arguments too: the adapter reads either from a piece."""
    data = event.get("data") or {}
    chunk = data.get("chunk")
    if event.get("event") != "on_chat_model_stream" or not isinstance(chunk, AIMessageChunk):
        return [event]
    if not chunk.tool_call_chunks:
        return [event]
    first, *others = chunk.tool_call_chunks
    if not (first["name"] and first["args"]):
        return [event]
    begins = chunk.model_copy(update={"tool_call_chunks": [{**first, "args": ""}, *others]})
    goes_on = AIMessageChunk(content="", id=chunk.id, tool_call_chunks=[{**first, "name": None, "id": None}])
    return [{**event, "data": {**data, "chunk": part}} for part in (begins, goes_on)]


class _Adapter(LangGraphAgent):  # type: ignore[misc] # untyped
    """One run of the adapter; its own `run` would tell, and log, what a failure says."""

    _failure: Exception | None = None
    _stream: Any = None

    async def events(self, body: RunAgentInput) -> AsyncGenerator[Any, None]:
        """Run.

        Yields:
            AG-UI's events.

        Raises:
            Exception: What the graph raised.
        """
        async with aclosing(self.run(body)) as events:
            async for event in events:
                yield event
        if self._failure is not None:
            raise self._failure

    async def _handle_stream_events(self, body: RunAgentInput) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(super()._handle_stream_events(body)) as events:
                async for event in events:
                    yield event
        except Exception as error:  # noqa: BLE001 - `events` raises it again
            self._failure = error
        finally:
            # Left to itself, the graph would go on until it is collected.
            if self._stream is not None:
                await self._stream.aclose()

    async def _handle_single_event(self, event: Any, state: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - the adapter's
        for part in _split_call(event):
            async with aclosing(super()._handle_single_event(part, state)) as events:
                async for each in events:
                    yield each

    async def prepare_stream(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the adapter's
        prepared = await super().prepare_stream(*args, **kwargs)
        self._stream = prepared["stream"]
        return prepared
