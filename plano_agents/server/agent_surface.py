"""``POST /agent/run``: the agent's own form, whole and as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from plano_agents.errors import PlanoError
from plano_agents.protocol.sse import encode_event
from plano_agents.server.events import Answer, Event, Token, ToolResult, Turn
from plano_agents.server.runs import Agent, Run

_NAMES: dict[type[Event], str] = {Turn: "turn", ToolResult: "tool", Token: "token", Answer: "done"}


def _name_type(value: object) -> str:
    """Stand in for an argument that no model wrote: where a tool calls another, it may hold anything."""
    return f"<{type(value).__name__}>"


_JSON = msgspec.json.Encoder(enc_hook=_name_type)


async def wait_for_answer(agent: Agent, run: Run) -> Answer:
    """Run to the end.

    Raises:
        PlanoError: The run failed.
    """
    async with aclosing(agent.run(run)) as events:
        async for event in events:
            if isinstance(event, Answer):
                return event
    raise AssertionError("a run that does not fail ends with its answer")


async def answer_run(agent: Agent, run: Run) -> bytes:
    """Run, and encode the answer as JSON.

    Raises:
        PlanoError: The run failed.
    """
    return msgspec.json.encode(await wait_for_answer(agent, run))


async def stream_run(agent: Agent, run: Run) -> AsyncGenerator[bytes, None]:
    """Run, and encode each event.

    Yields:
        ``turn``, ``tool`` and ``token`` events as they happen, then one ``done`` or one ``error``.
    """
    try:
        async with aclosing(agent.run(run)) as events:
            async for event in events:
                yield encode_event(_JSON.encode(event), _NAMES[type(event)])
    except PlanoError as error:
        yield encode_error_event(error)


def encode_error_event(error: PlanoError) -> bytes:
    """Write an error as the last event of a run."""
    told = {"message": error.message, "type": error.type, "code": error.code}
    return encode_event(msgspec.json.encode(told), "error")
