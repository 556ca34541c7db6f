"""The promises of every session store, on memory and on a real Redis alike."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.store import SessionStore
from plano_agents.testing.session_store import SessionStoreSuite, use
from tests.faults.redis_groups import ClusterGroup, Group, SentinelGroup
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import build_pin, share


class TestMemory(SessionStoreSuite):
    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[SessionStore, None]:
        yield MemorySessionStore(max_entries=1_000)


class OneServer(SessionStoreSuite):
    program: str

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[SessionStore, None]:
        async with (
            RedisServer(self.folder, program=self.program) as server,
            share(server.url, timeout_seconds=10) as shared,
        ):
            yield shared


class TestRedis(OneServer):
    program = "redis-server"


class TestValkey(OneServer):
    program = "valkey-server"


class Several(SessionStoreSuite):
    """Servers that stay for all tests of a class, and are emptied before each."""

    kind: Callable[..., Group]
    program = "redis-server"
    password = ""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _group(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            group = cls.kind(tmp_path_factory.mktemp("servers"), program=cls.program, password=cls.password)
            cls.group = runner.run(stack.enter_async_context(group))
            yield
            runner.run(stack.aclose())

    group: Group

    @asynccontextmanager
    async def open_store(self) -> AsyncGenerator[SessionStore, None]:
        for master in await self.group.find_masters():
            await master.tell("FLUSHALL")
        async with share(self.group.url, timeout_seconds=10) as shared:
            yield shared


class TestSentinel(Several):
    kind = SentinelGroup
    password = "s3cret"


class TestCluster(Several):
    kind = ClusterGroup
    password = "s3cret"


class TestValkeySentinel(Several):
    kind = SentinelGroup
    program = "valkey-server"


class TestValkeyCluster(Several):
    kind = ClusterGroup
    program = "valkey-server"


text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(keys=st.lists(st.tuples(text, text), min_size=2, max_size=2, unique=True))
async def test_no_two_sessions_ever_share_a_pin(store: SessionStore, keys: list[tuple[str, str]]) -> None:
    first, second = (SessionKey(*key) for key in keys)
    for key in (first, second):
        await store.drop(key)
    await use(store, first, build_pin())
    assert await use(store, second) is None
