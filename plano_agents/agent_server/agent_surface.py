"""``POST /agent/run``: the agent's own form, whole and as server-sent events; and its threads."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import msgspec
from fastapi import Body, FastAPI, Request
from fastapi.responses import Response
from starlette.types import Send

from plano_agents.agent_server import schema
from plano_agents.agent_server.connection import RunResponse, send_events, send_json
from plano_agents.agent_server.events import Answer, Event, ModelCall, Run, Token, ToolResult
from plano_agents.agent_server.history import Thread
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
from plano_agents.errors import PlanoError
from plano_agents.protocol.sse import encode_event

_NAMES: dict[type[Event], str] = {ModelCall: "turn", ToolResult: "tool", Token: "token", Answer: "done"}


def _name_type(value: object) -> str:
    """Stand in for an argument that no model wrote: where a tool calls another, it may hold anything."""
    return f"<{type(value).__name__}>"


encode_json = msgspec.json.Encoder(enc_hook=_name_type).encode
"""Encodes anything as JSON; what JSON cannot say is named by its type."""


def add_agent_surface(app: FastAPI, agent: Agent) -> None:
    """Add the endpoints to an app."""

    @app.post(
        "/agent/run",
        response_model=None,
        responses={
            200: {
                "model": Answer,
                "description": "The finished run; as events with `Accept: text/event-stream`.",
                "headers": ECHO,
                "content": {
                    "application/json": {"example": schema.ANSWER_EXAMPLE},
                    "text/event-stream": {"example": schema.EVENTS_EXAMPLE},
                },
            },
            **ERRORS,
        },
        openapi_extra=AFFINITY_PARAMETER,
    )
    async def run_agent(
        request: Request, body: Annotated[schema.RunBody, Body(examples=[schema.RUN_EXAMPLE])]
    ) -> Response:
        """Run the agent on what is new in a conversation.

        With `Accept: text/event-stream`, `turn`, `tool` and `token` events are sent as they happen, then one `done`
        with the whole answer or one `error`. Leaving cancels the run. A thread takes one run at a time.
        """
        thread_id = body.thread_id or (str(uuid.uuid4()) if body.keep_thread else None)
        streamed = "text/event-stream" in request.headers.get("accept", "").lower()
        chosen = choose_affinity_id(request, thread_id, agent.settings.affinity)
        run = Run(
            run_id=new_run_id(),
            affinity_id=chosen.affinity_id,
            has_own_id=chosen.is_runs,
            messages=body.to_langchain(),
            thread_id=thread_id,
            owner=read_owner(request),
            tokens=streamed,
        )

        async def answer(thread: HeldThread, send: Send) -> None:
            if streamed:
                await send_events(stream_run(agent, run, thread), send)
            else:
                await send_json(answer_run(agent, run, thread), send)

        return RunResponse(
            agent.hold(run), run.affinity_id, answer, encode_error_event, seconds=agent.settings.run_seconds
        )

    @app.get(
        "/threads/{thread_id:path}",
        response_model=None,
        responses={
            200: {
                "model": Thread,
                "content": {"application/json": {"example": schema.THREAD_EXAMPLE}},
            },
            **ERRORS,
        },
    )
    async def read_thread(request: Request, thread_id: str) -> Response:
        """Tell a conversation: its messages, tool calls and results included, oldest first."""
        thread = await agent.memory.read(thread_id, read_owner(request))
        return Response(encode_json(thread), media_type="application/json")

    @app.delete("/threads/{thread_id:path}", status_code=204, response_model=None, responses=ERRORS)
    async def delete_thread(request: Request, thread_id: str) -> None:
        """Forget a conversation, for good."""
        await agent.memory.delete(thread_id, run_id=new_run_id(), owner=read_owner(request))


async def wait_for_answer(agent: Agent, run: Run, thread: HeldThread) -> Answer:
    """Run to the end.

    Raises:
        PlanoError: The run failed.
    """
    async with aclosing(agent.run(run, thread)) as events:
        async for event in events:
            if isinstance(event, Answer):
                return event
    raise AssertionError("a run that does not fail ends with its answer")


async def answer_run(agent: Agent, run: Run, thread: HeldThread) -> bytes:
    """Run, and encode the answer as JSON.

    Raises:
        PlanoError: The run failed.
    """
    return msgspec.json.encode(await wait_for_answer(agent, run, thread))


async def stream_run(agent: Agent, run: Run, thread: HeldThread) -> AsyncGenerator[bytes, None]:
    """Run, and encode each event.

    Yields:
        ``turn``, ``tool`` and ``token`` events as they happen, then one ``done`` or one ``error``.
    """
    try:
        async with aclosing(agent.run(run, thread)) as events:
            async for event in events:
                yield encode_event(_encode(event), _NAMES[type(event)])
    except PlanoError as error:
        yield encode_error_event(error)


def _encode(event: Event) -> bytes:
    match event:
        case Token():
            return encode_json({"turn": event.turn, "text": event.text})
        case ToolResult():
            told = {"name": event.name, "arguments": event.arguments, "result": event.result}
            return encode_json({"turn": event.turn, **told})
        case _:
            return encode_json(event)


def encode_error_event(error: PlanoError) -> bytes:
    """Write an error as the last event of a run."""
    told = {"message": error.message, "type": error.type, "code": error.code}
    return encode_event(msgspec.json.encode(told), "error")
