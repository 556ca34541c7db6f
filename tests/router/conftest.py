"""Fixtures of the router's tests: configurations, an upstream in memory, and a router on a real socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvloop

from plano_agents import processes
from plano_agents.config.model import Config, Model, Preference
from plano_agents.http.client import TakeChunk, UpstreamRequest
from plano_agents.http.client.client import HttpUpstream
from plano_agents.router.app import Router
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.health import Health
from plano_agents.router.request.service import Service
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.router.request.trail import Tell
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Ranking, Strategy
from plano_agents.routing.text import Utterance
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import SessionStore
from plano_agents.testing import give
from tests.router.ways import dress
from tests.router.ways import every_way as every_way  # noqa: PLC0414 - a fixture of all below

GPT, MINI, CLAUDE = "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6"
KEY = "sk-provider-canary"
PROMPT = "prompt-canary"
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}
COMPLETION = b'{"id": "c1",  "model": "gpt-4o-2024-08-06", "choices": [{"message": {}}], "output": [{}]}'
"""A whole answer on either of OpenAI's wires: each finds its own in it."""
COMPLETE = give(COMPLETION)
"""Answers every request with the completion."""
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
        return self._rank(preferences)

    def _rank(self, preferences: Sequence[Preference]) -> Ranking:
        return Ranking("told", next((each for each in preferences if each.name == self.name), None))

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Nothing is to be loaded."""


class Recall(Choose):
    """The same, for which every text is one that was ranked before."""

    def recall(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        return self._rank(preferences)


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
    wall_clock: Callable[[], float] = lambda: 1_700_000_000,
    observe: Tell = lambda _trail: None,
    find_metrics: Callable[[], Mapping[str, ModelMetrics]] = dict,
) -> Service:
    """A service whose retries wait for nothing."""
    return Service(
        config,
        chooser=Chooser(config, strategy or Choose()),
        pinning=pinning or build_pinning(),
        dispatcher=Dispatcher(config, upstream, Health(config, clock=clock), clock=clock, chance=lambda: 0.0),
        observe=observe,
        clock=clock,
        wall_clock=wall_clock,
        find_metrics=find_metrics,
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


@asynccontextmanager
async def run_router(
    config: Config,
    store: SessionStore | None = None,
    **options: Any,  # noqa: ANN401 - the router's own
) -> AsyncGenerator[str, None]:
    """The router on a real socket; gives its address."""
    listener = processes.bind("127.0.0.1", 0)
    upstream = HttpUpstream()
    config, options = dress(config, {"store": store, **options})
    try:
        router = Router(config, upstream, **options)
        async with processes.running([processes.Site(router, listener, budget=router.buffered)]):
            yield processes.url_of(listener)
        if store is None:
            await router.aclose()
    finally:
        await upstream.close()
