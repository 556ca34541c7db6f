"""The last word of a server that stops, to a client whose request is not done in time."""

import asyncio
from collections.abc import Callable

from plano_agents.errors import PlanoError, ShuttingDownError
from plano_agents.http.server.exchange import Exchange

LAST_WORD_SECONDS = 1.0
"""How long a client that does not read may keep a server from stopping."""
_STOPS = "The server stops and this request was not done in time. Send it again."

Encode = Callable[[PlanoError], bytes]


async def tell_shutdown(exchange: Exchange, encode_error: Encode, encode_event: Encode = lambda _error: b"") -> None:
    """Tell a client, as far as it can still be told, that its request will not be finished.

    Args:
        exchange: The request, whose work is cancelled.
        encode_error: Writes an error as a whole answer.
        encode_event: Writes an error into an answer that has begun.
    """
    if exchange.disconnected or exchange.response_complete:
        return
    try:
        async with asyncio.timeout(LAST_WORD_SECONDS):
            await exchange.drain()
    except TimeoutError:
        return
    error = ShuttingDownError(_STOPS)
    if not exchange.response_started:
        exchange.keep_alive = False
        headers = {**error.headers, "content-type": "application/json"}
        exchange.answer(error.status_code, headers, encode_error(error))
    elif event := encode_event(error):
        exchange.write(event)
