"""Fixtures of the stores' tests: pins, time, and each store, on the event loop that the router runs on."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from plano_agents.config.store_url import parse_store_url
from plano_agents.sessions.build import name_store
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.outage import PROBE_SECONDS, Outage
from plano_agents.sessions.pin import Pin, SessionKey
from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_cluster import build_connection
from plano_agents.sessions.shared import SharedSessionStore
from plano_agents.sessions.store import SessionStore
from tests.faults.redis_server import RedisServer
from tests.patience import PATIENCE_SECONDS

A, B, C = (SessionKey("", name) for name in "abc")
GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude"
TTL = 600.0


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


def build_pin(
    model: str = GPT,
    *,
    lineage: str = "1",
    route: str | None = "r",
    moves: int = 0,
    deployment: str | None = None,
) -> Pin:
    return Pin(model, route, "first_turn", 1_700_000_000.5, lineage, moves, deployment=deployment)


class Clock:
    """Time in seconds that moves when told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Alarm:
    """Waits that end when they are told to."""

    def __init__(self) -> None:
        self._waits: list[tuple[float, asyncio.Future[None], asyncio.Future[None]]] = []
        self._begun = asyncio.Condition()

    async def __call__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        over, left = loop.create_future(), loop.create_future()
        self._waits.append((seconds, over, left))
        try:
            async with self._begun:
                self._begun.notify_all()
            await over
        finally:
            self._waits.remove((seconds, over, left))
            left.set_result(None)

    async def reach(self, seconds: float) -> None:
        """Wait until somebody waits for so many seconds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._begun:
            await self._begun.wait_for(lambda: self.is_awaited(seconds))

    async def ring(self, seconds: float) -> None:
        """As soon as somebody waits for so many seconds, let it be over, and let them go on."""
        await self.reach(seconds)
        waits = [(over, left) for length, over, left in self._waits if length == seconds and not over.done()]
        for over, _ in waits:
            over.set_result(None)
        await asyncio.wait([left for _, left in waits])

    def is_awaited(self, seconds: float) -> bool:
        return any(length == seconds and not over.done() for length, over, _ in self._waits)


class OutageLog(logging.Handler):
    """The lines that were logged of outages."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._told = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._told.set()

    async def reach(self, count: int) -> None:
        """Wait until there are so many."""
        await self.until(lambda: len(self.lines) >= count)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is true that another line may make true."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._told.clear()
                await self._told.wait()


async def probe_until(log: OutageLog, lines: int, alarm: Alarm) -> None:
    """Let the store be probed again and again, until so many lines are logged."""

    async def ring_on() -> None:
        while True:
            await alarm.ring(PROBE_SECONDS)

    ringing = asyncio.create_task(ring_on())
    await log.reach(lines)
    ringing.cancel()
    await asyncio.wait({ringing})


@pytest.fixture
def log() -> Iterator[OutageLog]:
    handler = OutageLog()
    logging.getLogger("plano_agents.sessions.outage").addHandler(handler)
    yield handler
    logging.getLogger("plano_agents.sessions.outage").removeHandler(handler)


@asynccontextmanager
async def share(
    url: str,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
    timeout_seconds: float = 0.25,
) -> AsyncGenerator[SharedSessionStore, None]:
    """A replica's store on a Redis."""
    pins = RedisPins(build_connection(parse_store_url(url), timeout_seconds=timeout_seconds))
    memory = MemorySessionStore(max_entries=1_000, clock=clock)
    outage = Outage(name_store(url), pins.probe, sleep=sleep)
    store = SharedSessionStore(pins, memory, outage, sleep=sleep, clock=clock)
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionStore]:
    """Each store, for what all of them promise."""
    if request.param == "memory":
        yield MemorySessionStore(max_entries=1_000)
        return
    async with RedisServer(tmp_path) as server, share(server.url, timeout_seconds=10) as shared:
        yield shared
