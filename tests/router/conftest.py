"""What the router's tests share: configurations, a provider in memory, and one on a real socket."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvloop
from pydantic import SecretStr

from plano_agents import processes
from plano_agents.config.model import Config, Model, Preference
from plano_agents.http.client import TakeChunk, UpstreamRequest
from plano_agents.http.client.client import HttpUpstream
from plano_agents.router.app import Router
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.request.choice import Chooser
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.health import Health
from plano_agents.router.request.service import Service
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.router.request.trail import Observer
from plano_agents.routing.strategy import Ranking, Strategy
from plano_agents.routing.text import Utterance
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import SessionStore

GPT, MINI, CLAUDE = "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6"
KEY = "sk-provider-canary"
PROMPT = "prompt-canary"
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
COMPLETION = b'{"id": "c1",  "model": "gpt-4o-2024-08-06", "choices": [{"message": {}}]}'
CHUNKS = (b'data: {"id":"c1","choices":[{"delta":{"content":"a"}}]}\n\n', b"data: [DONE]\n\n")
MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "model": "claude-sonnet-4-6",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 5},
    }
).encode()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run these tests on the event loop that the router runs on."""
    return {"uvloop": uvloop.new_event_loop}


class Clock:
    """Time in seconds that moves when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def build_model(name: str, **fields: object) -> Model:
    provider, _, model_id = name.partition("/")
    return Model(name, provider, model_id, **{"interface": provider, "access_key": SecretStr(KEY), **fields})  # type: ignore[arg-type]  # the test names fields


def build_config(*names: str, base_url: str | None = None, **fields: object) -> Config:
    """Declare models, GPT-4o alone unless named, and two preferences where both are there."""
    models = tuple(build_model(name, base_url=base_url) for name in names or (GPT,))
    if GPT in names and CLAUDE in names:
        preferences = (
            Preference("code", "writing code", (CLAUDE,)),
            Preference("talk", "small talk", (GPT,)),
        )
        fields = {"preferences": preferences, **fields}
    return Config(**{"models": models, **fields})  # type: ignore[arg-type]  # the test names fields


@dataclass
class Choose:
    """A strategy that matches the preference whose name it is told, or none."""

    name: str | None = None
    calls: int = 0

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        self.calls += 1
        return Ranking("told", next((each for each in preferences if each.name == self.name), None))

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Nothing is to be loaded."""


@dataclass
class MemoryResponse:
    """An answer in memory; an exception among its pieces is raised where it stands."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    pieces: Sequence[bytes | Exception] = (COMPLETION,)
    closed: bool = False
    _rest: AsyncGenerator[bytes, None] | None = None

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def forward(self, take: TakeChunk) -> asyncio.Future[bool]:
        return asyncio.ensure_future(self._forward(take))

    async def _forward(self, take: TakeChunk) -> bool:
        self._rest = self._rest or self.chunks()
        async for piece in self._rest:
            if not take(piece):
                return False
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True
        self._rest = None


class MemoryUpstream:
    """Gives the answers it holds, in order; the last again and again."""

    def __init__(self, *answers: MemoryResponse | Exception) -> None:
        self.requests: list[UpstreamRequest] = []
        self._answers = list(answers) or [MemoryResponse()]

    async def send(self, request: UpstreamRequest) -> MemoryResponse:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing to close."""

    @property
    def models(self) -> list[str]:
        """The models asked for, in order."""
        return [json.loads(request.body)["model"] for request in self.requests]


def build_pinning(clock: Callable[[], float] = lambda: 0.0) -> Pinning:
    ledger = Ledger(max_entries=200, is_shared=False)
    store = MemorySessionStore(max_entries=100, clock=clock, on_end=ledger.forget)
    return Pinning(store, ledger)


def build_service(
    config: Config,
    upstream: MemoryUpstream,
    *,
    strategy: Strategy | None = None,
    pinning: Pinning | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    observe: Observer = lambda _trail: None,
) -> Service:
    """A service whose retries wait for nothing."""
    return Service(
        config,
        chooser=Chooser(config, strategy or Choose()),
        pinning=pinning or build_pinning(),
        dispatcher=Dispatcher(config, upstream, Health(config, clock=clock), clock=clock, chance=lambda: 0.0),
        observe=observe,
        clock=clock,
        wall_clock=lambda: 1_700_000_000,
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer as the client gets it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool

    @property
    def error(self) -> dict[str, Any]:
        """The error in the body."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


def chat(**fields: object) -> bytes:
    """A chat request's body."""
    return json.dumps({"messages": [{"role": "user", "content": PROMPT}], **fields}).encode()


async def ask(
    service: Service,
    body: bytes | None = None,
    *headers: tuple[str, str],
    endpoint: Endpoint = Endpoint(CHAT),  # noqa: B008 - frozen
) -> Seen:
    """Ask and read the whole answer."""
    request = ProxyRequest(headers, chat() if body is None else body)
    async with Story(service, endpoint, request) as answer:
        if isinstance(answer.body, bytes):
            return Seen(answer.status, answer.headers, answer.body, broken=False)
        pieces: list[bytes] = []

        def write(piece: bytes) -> bool:
            pieces.append(piece)
            return True

        try:
            pieces.append(await answer.body.forward(write) or b"")
        except StreamBrokenError:
            return Seen(answer.status, answer.headers, b"".join(pieces), broken=True)
        return Seen(answer.status, answer.headers, b"".join(pieces), broken=False)


class Exchange:
    """One request at a `Provider`, and the bytes of its answer."""

    def __init__(
        self, head: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.head = head.decode("latin-1").lower()
        self.body = body
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        self._writer.write(b"".join(pieces))
        await self._writer.drain()

    async def answer(self, body: bytes = COMPLETION, *, status: str = "200 OK", headers: str = "") -> None:
        """Send a whole answer."""
        await self.send(
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}".encode("latin-1"),
            f"content-length: {len(body)}\r\n\r\n".encode(),
            body,
        )

    async def start_stream(self) -> None:
        """Send the headers of a stream."""
        await self.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )

    async def chunk(self, data: bytes) -> None:
        """Send one chunk of a stream; an empty one ends it."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    @property
    def port(self) -> int:
        """The other side's; each connection has its own."""
        name: tuple[str, int] = self._writer.get_extra_info("peername")
        return name[1]

    @property
    def protocol(self) -> str | None:
        """What was agreed on over TLS."""
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return tls.selected_alpn_protocol()

    async def gone(self) -> None:
        """Wait until the other side has left."""
        while await self._reader.read(65536):
            pass

    def close(self) -> None:
        """End the connection, with or without an answer."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Provider:
    """A provider on a real socket; the test decides every byte.

    Args:
        answers: Answer the requests, in order; the last one again and again.
        host: Where it listens.
        tls: Its certificate, where it is to have one.
    """

    def __init__(
        self,
        *answers: Callable[[Exchange], Awaitable[None]],
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._tls = tls
        self._answers = list(answers) or [Exchange.answer]
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls)
        self.url = processes.url_of(self._server.sockets[0])
        if self._tls is not None:
            self.url = self.url.replace("http://", "https://")
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        for exchange in self.exchanges:
            exchange.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = (
                    line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                length = int(next(lengths, 0))
                exchange = Exchange(head, await reader.readexactly(length), reader, writer)
                self.exchanges.append(exchange)
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                await answer(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def run_router(config: Config, store: SessionStore | None = None) -> AsyncGenerator[str, None]:
    """The router on a real socket; gives its address."""
    listener = processes.bind("127.0.0.1", 0)
    upstream = HttpUpstream()
    try:
        router = Router(config, upstream, store=store)
        async with processes.running([processes.Site(router, listener, budget=router.buffered)]):
            yield processes.url_of(listener)
    finally:
        await upstream.close()
