"""The promises of every session store, on memory and on a real Redis alike."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.store import SessionStore
from plano_agents.testing.session_store import SessionStoreSuite, use
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import build_pin, share


class TestMemory(SessionStoreSuite):
    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[SessionStore, None]:
        yield MemorySessionStore(max_entries=1_000)


class TestRedis(SessionStoreSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[SessionStore, None]:
        async with RedisServer(self.folder) as server, share(server.url, timeout_seconds=10) as shared:
            yield shared


text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(keys=st.lists(st.tuples(text, text), min_size=2, max_size=2, unique=True))
async def test_no_two_sessions_ever_share_a_pin(store: SessionStore, keys: list[tuple[str, str]]) -> None:
    first, second = (SessionKey(*key) for key in keys)
    for key in (first, second):
        await store.drop(key)
    await use(store, first, build_pin())
    assert await use(store, second) is None
