"""Writing an answer to its client, whole or as it comes, on the exchange that its request came on.

An answer that broke is left without its end, which breaks the connection: a clean end would be taken for success.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from plano_agents.errors import MethodNotAllowedError
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.last_word import tell_shutdown
from plano_agents.router.request.answer import (
    Answer,
    AnswerStream,
    StreamBrokenError,
    answer_error,
    closing,
)
from plano_agents.router.request.bugs import explain_failure
from plano_agents.router.request.sampling import new_trace_id
from plano_agents.router.request.surfaces import choose_error_form


async def serve_answer(build: Callable[[Exchange], Awaitable[Answer]], exchange: Exchange) -> None:
    """Serve a request beside the proxied endpoints; failures are answers too.

    Args:
        build: Answers it.
        exchange: The request's.
    """
    encode = choose_error_form(dict(exchange.head.headers))
    try:
        try:
            answer = await build(exchange)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            answer = answer_error(explain_failure(error, new_trace_id()), None, encode)
        async with closing(answer):
            await write_answer(answer, exchange)
    except asyncio.CancelledError:
        await tell_shutdown(exchange, encode)
        raise


async def write_answer(answer: Answer, exchange: Exchange) -> None:
    """Write an answer.

    Args:
        answer: The answer; its maker closes its stream.
        exchange: Its request's.

    Raises:
        OverloadedError: Too much is buffered for clients to write it.
    """
    if exchange.is_paused:
        await exchange.drain()
    body = answer.body
    if isinstance(body, bytes):
        exchange.answer(answer.status, answer.headers, body)
    elif exchange.head.method == "HEAD":
        exchange.answer(answer.status, answer.headers, b"")
    else:
        await _write_stream(answer.status, answer.headers, body, exchange)


async def _write_stream(status: int, headers: Mapping[str, str], stream: AnswerStream, exchange: Exchange) -> None:
    """Write pieces as they come, the head together with the first."""
    exchange.begin(status, headers)
    try:
        while (last := await stream.forward(exchange.write)) is None:
            await exchange.drain()
    except StreamBrokenError:
        return
    exchange.end(last)


def check_method(path: str, method: str, *allowed: str) -> None:
    """Check that a path takes a request's method.

    Args:
        path: Where it was sent to.
        method: Its method.
        allowed: What the path takes.

    Raises:
        MethodNotAllowedError: It takes others.
    """
    if method not in allowed:
        named = ", ".join(allowed)
        raise MethodNotAllowedError(f"{path[:80]} takes {named}; got {method}.", allow=named)
