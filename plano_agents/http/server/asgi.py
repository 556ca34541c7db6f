"""A bridge to ASGI applications: each of their requests is an exchange, as all others are.

The application is told that its client left, as ASGI has it, and is not cancelled; of a request that is refused while
its body comes it learns the same. What it leaves without an answer is answered 500, or 503 where the server stops.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from plano_agents.errors import PlanoError
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.last_word import tell_shutdown
from plano_agents.http_syntax import is_field_value, is_token
from plano_agents.protocol.openai_chat import encode_error

_BODILESS = frozenset({204, 304})
_FIRST_FINAL = 200
_LENGTH = re.compile(r"[0-9]{1,18}")
_SERVERS = frozenset({"connection", "transfer-encoding"})
"""Headers of the connection, which the server writes; two that differ would frame one answer in two ways."""


class AsgiBridge:
    """Serves exchanges by an ASGI application.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        """What the application's lifespan leaves for its requests."""

    async def serve(self, exchange: Exchange) -> None:
        """Serve one request."""
        channel = _Channel(exchange)
        try:
            await self._app(build_scope(exchange, self.state), channel.receive, channel.send)
        except asyncio.CancelledError:
            await tell_shutdown(exchange, encode_error)
            raise
        except Exception:
            if exchange.response_complete or exchange.disconnected:
                return  # raised once more after the application's own handler has answered
            _answer_failure(exchange)
            raise
        if not (exchange.response_started or exchange.disconnected):
            _answer_failure(exchange)
            raise RuntimeError("The application returned without an answer.")


def build_scope(exchange: Exchange, state: dict[str, Any]) -> Scope:
    """Build a request's scope, as the ASGI specification has it."""
    head = exchange.head
    client, server = exchange.ends
    path, _, query = head.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.http_version,
        "server": server,
        "client": client,
        "scheme": "http",
        "method": head.method,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers],
        "state": state.copy(),
    }


def _answer_failure(exchange: Exchange) -> None:
    """Answer 500 in the application's place, if no answer has begun."""
    if not exchange.response_started:
        error = PlanoError("The server failed on this request. Its log has the details.")
        exchange.keep_alive = False
        exchange.answer(error.status_code, {"content-type": "application/json"}, encode_error(error))


class _Channel:
    """The messages of one request."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_read = False
        self._has_body = self._is_chunked = False
        self._missing: int | None = None

    async def receive(self) -> Message:
        """Give the next of the body, or word that the client left or was answered."""
        exchange = self._exchange
        while not (exchange.disconnected or exchange.response_complete):
            if not self._is_read and (exchange.size or exchange.is_whole):
                self._is_read = exchange.is_whole
                body = exchange.take_body()
                return {"type": "http.request", "body": body, "more_body": not self._is_read}
            await exchange.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Write the next of the answer; once the client is gone, nothing is."""
        exchange = self._exchange
        await exchange.drain()
        if exchange.disconnected:
            return
        expected = "http.response.body" if exchange.response_started else "http.response.start"
        if message["type"] != expected or exchange.response_complete:
            raise RuntimeError(f"The ASGI application sent {message['type']!r} out of turn.")
        if exchange.response_started:
            self._write(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        exchange, head = self._exchange, self._exchange.head
        fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
        if not all(is_token(name) and is_field_value(value) for name, value in fields):
            raise ValueError("An answer's header breaks the rules of RFC 9110.")
        lengths = [value for name, value in fields if name == "content-length"]
        if status < _FIRST_FINAL or len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise ValueError("An answer has a final status, and one Content-Length at most, in digits.")
        names = dict(fields)
        if "close" in names.get("connection", "").lower():
            exchange.keep_alive = False
        fields = [field for field in fields if field[0] not in _SERVERS]
        self._has_body = head.method != "HEAD" and status not in _BODILESS
        if lengths:
            self._missing = int(lengths[0])
        elif self._has_body and head.http_version != "1.0":  # which ends with its connection
            self._is_chunked = True
            fields.append(("transfer-encoding", "chunked"))
        lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
        exchange.put(exchange.encode_head(status, lines, "\r\n"))

    def _write(self, body: bytes, *, is_last: bool) -> None:
        exchange = self._exchange
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            exchange.put(data + b"0\r\n\r\n" if is_last else data)
        elif self._has_body:
            if self._missing is not None:
                self._missing -= len(body)
                if self._missing < 0 or (is_last and self._missing > 0):
                    raise RuntimeError("An answer's body is not as long as its Content-Length says.")
            exchange.put(bytes(body))
        if is_last:
            exchange.complete()
            exchange.wake()
