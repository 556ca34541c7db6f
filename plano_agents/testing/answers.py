"""Answers that a fake upstream gives, each a function that gets an exchange and answers it.

A test that needs another one writes it: ``async def answer(exchange: UpstreamExchange) -> None``.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from plano_agents.testing.exchange import Break, Ending, UpstreamExchange
from plano_agents.testing.wires import Reply, ToolCall

Responder = Callable[[UpstreamExchange], Awaitable[None]]
"""Answers one exchange."""

_NONE: Mapping[str, str] = MappingProxyType({})


def say(text: str, *, headers: Mapping[str, str] = _NONE) -> Responder:
    """Answer in words, on the request's own wire, streamed where the request asks for it.

    Args:
        text: The words.
        headers: Further headers of the answer.
    """
    return reply_with(Reply(text), headers=headers)


def call_tool(name: str, /, **arguments: object) -> Responder:
    """Answer with one call of a tool.

    Args:
        name: The tool's name.
        arguments: What it is called with.
    """
    return reply_with(Reply(calls=[ToolCall(name, arguments)]))


def reply_with(reply: Reply, *, headers: Mapping[str, str] = _NONE) -> Responder:
    """Answer with a reply: several calls, another model's name, counts of tokens.

    Args:
        reply: The reply.
        headers: Further headers of the answer.
    """

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.reply(reply, headers=headers)

    return answer


def fail(status: int, message: str = "The fake upstream fails.", **headers: str) -> Responder:
    """Answer with an error in the form of the request's wire.

    Args:
        status: The HTTP status.
        message: The provider's words.
        headers: Further headers, ``_`` for ``-``: ``retry_after="2"``.
    """

    async def answer(exchange: UpstreamExchange) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await exchange.fail(status, message, headers=named)

    return answer


def give(body: bytes | Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] = _NONE) -> Responder:
    """Answer with a body of the test's own.

    Args:
        body: Bytes, or what is sent as JSON.
        status: The HTTP status.
        headers: Further headers of the answer.
    """
    content = body if isinstance(body, bytes) else json.dumps(dict(body)).encode()

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.answer(content, status=status, headers=headers)

    return answer


def stream(*events: bytes, headers: Mapping[str, str] = _NONE) -> Responder:
    """Answer with a stream of the test's own, a chunk for each event.

    Args:
        events: Server-sent events, each with its blank line.
        headers: Further headers of the answer.
    """

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.start_stream(headers=headers)
        for event in events:
            await exchange.chunk(event)
        await exchange.chunk(b"")

    return answer


def break_off(answer: Responder, *, after: int, ending: Ending = "close") -> Responder:
    """Give the beginning of another answer.

    Args:
        answer: The other answer.
        after: How many bytes of it are sent, those of its head among them.
        ending: What happens then: ``close`` ends the connection, ``reset`` breaks it, ``silence`` sends no more.
    """

    async def broken(exchange: UpstreamExchange) -> None:
        exchange.break_at = Break(after, ending)
        await answer(exchange)

    return broken


async def keep_silent(exchange: UpstreamExchange) -> None:
    """Answer nothing until the client leaves."""
    await exchange.gone()
