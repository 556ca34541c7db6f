"""A connection whose client, application and clock do what a test says: no socket, and no time passes by itself."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.http.server.budget import BufferBudget
from plano_agents.http.server.connection import ServerConnection
from plano_agents.http.server.exchange import Serve
from plano_agents.http.server.flow import Flow
from plano_agents.http.server.handlers import Handlers
from plano_agents.http.server.limits import HttpLimits
from plano_agents.http.server.server_state import ServerState

P = ParamSpec("P")

HIGH_WATER, LOW_WATER = 65_536, 16_384
"""When a transport has its writers wait, and when it lets them go on, as asyncio's do."""


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves when told to."""

    now = 0.0

    def time(self) -> float:
        return self.now


def clocked(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on a loop whose time it moves."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=ClockLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class Client(asyncio.Transport):
    """The client's side of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: ServerConnection
        self.flow: Flow
        self.unread = bytearray()
        self.taken = bytearray()
        self.is_lost = self.is_over = self.reads = False
        self._is_paused = False

    # What the server does.

    def get_extra_info(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - as the parent has it
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_lost:
            return
        self.unread += data
        if self.reads:
            self.take(len(self.unread))
        elif len(self.unread) > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.unread)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.is_over = True
        if not self.unread:
            self.abort()

    def abort(self) -> None:
        self.is_over = True
        asyncio.get_running_loop().call_soon(self.leave)

    # What the client does.

    def send(self, data: bytes) -> None:
        if not self.is_lost:
            self.protocol.data_received(data)

    def take(self, size: int) -> None:
        """Read so many bytes of what waits."""
        self.taken += self.unread[:size]
        del self.unread[:size]
        if self._is_paused and len(self.unread) <= LOW_WATER:
            self._is_paused = False
            self.protocol.resume_writing()
        if self.is_over and not self.unread and not self.is_lost:
            self.abort()

    def leave(self) -> None:
        if not self.is_lost:
            self.is_lost = self.is_over = True
            self.unread.clear()
            self.protocol.connection_lost(None)

    def take_answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read all that waits, as one answer."""
        self.take(len(self.unread))
        head, _, body = bytes(self.taken).partition(b"\r\n\r\n")
        self.taken.clear()
        status, *lines = head.decode("ascii").split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Server:
    """Connections to one application: what is below ``/direct`` is served directly, all else as ASGI."""

    direct: Serve | None = None
    asgi: ASGIApp = _not_found
    limits: HttpLimits = field(default_factory=HttpLimits)
    budget: BufferBudget = field(default_factory=BufferBudget)
    refused: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server_state = ServerState(self.limits, self.budget, self.refused.append)
        self.handlers = Handlers(self)

    def find_direct(self, path: str) -> Serve | None:
        return self.direct if path.startswith("/direct") else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.asgi(scope, receive, send)

    def connect(self) -> Client:
        client = Client()
        client.protocol = ServerConnection(self.server_state, self.handlers)
        client.protocol.connection_made(client)
        client.flow = client.protocol.flow
        self.clients.append(client)
        return client


def build_head(path: str, length: int | None, *lines: str) -> bytes:
    """A POST's head; without a length its body comes in chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: h", framing, *lines, "", ""]).encode()


async def settle() -> None:
    """Let everything happen that can without more time or bytes."""
    for _ in range(10):
        await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Let time pass."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    loop.now += seconds
    await settle()


async def read_asgi(receive: Receive) -> bytes | None:
    """Read an ASGI request's body; None where the client leaves before its end."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += bytes(message["body"])
        if not message["more_body"]:
            return body
    return None


async def answer_asgi(send: Send, body: bytes) -> None:
    """Answer as ASGI has it."""
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
