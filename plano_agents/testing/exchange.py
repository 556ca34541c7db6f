"""One exchange at a fake upstream: the request as it came, and ways to answer it, down to the byte."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

from plano_agents.testing.wires import Reply, Wire, encode_error, encode_events, encode_reply

Ending = Literal["close", "reset", "silence"]
"""How an answer breaks off: the connection is closed, reset, or stays open without another byte."""

_NONE: Mapping[str, str] = MappingProxyType({})
_WIRES: Mapping[str, Wire] = {
    "/chat/completions": "chat",
    "/messages": "messages",
    "/responses": "responses",
}


class BrokenOffError(Exception):
    """The answer was broken off as the test said; nothing more of it is sent."""


@dataclass(frozen=True, slots=True)
class Break:
    """The place and manner of a break within an answer."""

    after: int
    """How many bytes of it are sent, its head among them."""
    ending: Ending
    """What happens then."""


class UpstreamExchange:
    """A request as a `FakeUpstream` received it, and its answer.

    A test reads it in ``upstream.exchanges``; an answer of its own is a coroutine function that gets it and sends what
    it likes.

    Args:
        head: The request line and the headers, with the blank line after them.
        body: The body.
        reader: The connection, for reading.
        writer: The connection, for writing.
    """

    def __init__(self, head: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head.decode("latin-1")
        self.body = body
        self.break_at: Break | None = None
        self._sent = 0
        self._reader = reader
        self._writer = writer

    def __repr__(self) -> str:
        return f"<{self.method} {self.path}>"

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.head.split(" ", 1)[0]

    @property
    def path(self) -> str:
        """The request's target, its query included."""
        return self.head.split(" ", 2)[1]

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers: names in lower case, the values of a repeated one joined by ``, ``."""
        headers: dict[str, str] = {}
        for line in self.head.rstrip("\r\n").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    @cached_property
    def json(self) -> Any:  # noqa: ANN401 - whatever the client sent
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def wire(self) -> Wire | None:
        """The wire of the request, by its path; None where the path is none of a provider's."""
        path = self.path.partition("?")[0]
        return next((wire for end, wire in _WIRES.items() if path.endswith(end)), None)

    @property
    def affinity_id(self) -> str | None:
        """The value of ``X-Model-Affinity``."""
        return self.headers.get("x-model-affinity")

    @property
    def port(self) -> int:
        """The client's port; each connection has its own."""
        name: tuple[str, int] = self._writer.get_extra_info("peername")
        return name[1]

    @property
    def protocol(self) -> str | None:
        """The protocol that was agreed on over TLS (ALPN)."""
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return tls.selected_alpn_protocol()

    async def reply(self, reply: Reply, *, headers: Mapping[str, str] = _NONE) -> None:
        """Send a model's reply on the request's own wire: as a stream where one was asked for, else whole.

        Args:
            reply: The reply.
            headers: Further headers of the answer.
        """
        if self.wire is None:
            paths = ", ".join(_WIRES)
            await self.fail(404, f"The fake upstream serves paths that end in {paths}, not {self.path!r}.")
            return
        try:
            asked = self.json
        except ValueError:
            await self.fail(400, "The body is not JSON.")
            return
        model = asked.get("model", "")
        if not asked.get("stream"):
            await self.answer(encode_reply(self.wire, reply, model), headers=headers)
            return
        include_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        await self.start_stream(headers=headers)
        for event in encode_events(self.wire, reply, model, include_usage=include_usage):
            await self.chunk(event)
        await self.chunk(b"")

    async def fail(self, status: int, message: str, *, headers: Mapping[str, str] = _NONE) -> None:
        """Send an error in the form of the request's wire.

        Args:
            status: The HTTP status.
            message: The provider's words.
            headers: Further headers of the answer.
        """
        await self.answer(encode_error(self.wire, status, message), status=status, headers=headers)

    async def answer(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] = _NONE) -> None:
        """Send a whole answer.

        Args:
            body: Its body.
            status: The HTTP status.
            headers: Further headers; the body is declared as JSON unless they say otherwise.
        """
        fields = {"content-type": "application/json", **headers, "content-length": str(len(body))}
        await self.send(_encode_head(status, fields), body)

    async def start_stream(self, *, status: int = 200, headers: Mapping[str, str] = _NONE) -> None:
        """Send the head of a stream of server-sent events, which `chunk` goes on with.

        Args:
            status: The HTTP status.
            headers: Further headers.
        """
        fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers}
        await self.send(_encode_head(status, fields))

    async def chunk(self, data: bytes) -> None:
        """Send one chunk of a stream; an empty one ends it."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        data = b"".join(pieces)
        if self.break_at is not None and self._sent + len(data) >= self.break_at.after:
            await self._break_off(data[: self.break_at.after - self._sent], self.break_at.ending)
        self._sent += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the client has left."""
        while await self._reader.read(65_536):
            pass

    def close(self) -> None:
        """End the connection, with or without an answer."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection: the client reads a reset, not an end."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _break_off(self, rest: bytes, ending: Ending) -> None:
        self._writer.write(rest)
        await self._writer.drain()
        match ending:
            case "close":
                self.close()
            case "reset":
                self.reset()
            case "silence":
                await self.gone()
        raise BrokenOffError


async def read_exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> UpstreamExchange:
    """Read the next request of a connection.

    Raises:
        asyncio.IncompleteReadError: The client left.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    exchange = UpstreamExchange(head, b"", reader, writer)
    if "chunked" in exchange.headers.get("transfer-encoding", ""):
        exchange.body = await _read_chunks(reader)
    else:
        exchange.body = await reader.readexactly(int(exchange.headers.get("content-length", 0)))
    return exchange


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while length := int((await reader.readline()).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(length))
        await reader.readline()
    while (await reader.readline()).strip():
        pass  # trailers
    return b"".join(chunks)


def _encode_head(status: int, headers: Mapping[str, str]) -> bytes:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
