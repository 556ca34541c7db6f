"""What the stores' tests share: pins, a clock, and each store under one roof."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.outage import Outage
from plano_agents.sessions.pin import Pin, SessionKey
from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_connection import RedisConnection
from plano_agents.sessions.shared import SharedSessionStore
from plano_agents.sessions.store import SessionStore
from tests.faults.redis_server import RedisServer

A, B, C = (SessionKey("", name) for name in "abc")
GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude"
TTL = 600.0


def build_pin(model: str = GPT, *, lineage: str = "1", route: str | None = "r", moves: int = 0) -> Pin:
    return Pin(model, route, "first_turn", 1_700_000_000.5, lineage, moves)


class Clock:
    """Time in seconds that moves when told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@contextmanager
def in_use(
    store: SessionStore, *keys: SessionKey, ttl: float = TTL, turn: Tokens | None = None
) -> Iterator[None]:
    for key in keys:
        store.open(key, ttl)
    try:
        yield
    finally:
        for key in keys:
            store.close(key, turn)


async def use(
    store: SessionStore,
    key: SessionKey,
    pin: Pin | None = None,
    *,
    ttl: float = TTL,
    turn: Tokens | None = None,
) -> Pin | None:
    """Take a turn: pin if there is a pin to write, else look; give the pin that holds."""
    with in_use(store, key, ttl=ttl, turn=turn):
        held = await (store.pin(key, pin) if pin is not None else store.get(key))
        assert not held.degraded
        return held.pin


@asynccontextmanager
async def share(
    url: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, clock: Clock | None = None
) -> AsyncGenerator[SharedSessionStore, None]:
    """A replica's store on a Redis."""
    pins = RedisPins(RedisConnection(url))
    memory = MemorySessionStore(max_entries=1_000, clock=clock or time.monotonic)
    store = SharedSessionStore(pins, memory, Outage(url, pins.probe, sleep=sleep), sleep=sleep)
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
    async with RedisServer(tmp_path) as server, share(server.url) as shared:
        yield shared
