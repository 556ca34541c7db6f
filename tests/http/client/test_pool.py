"""The pool: connections that are kept, and those that are not used again."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from plano_agents.http.client.destination import Proxies, parse_destination
from plano_agents.http.client.dial import dial
from plano_agents.http.client.pool import Pool
from plano_agents.http.client.waiter import Waiter
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, connect, read_stream, request_to
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import COMPLETE, COMPLETION


async def test_the_connection_used_last_is_used_next() -> None:
    """So the others grow old."""
    ports: list[int] = []
    everybody = asyncio.Barrier(3)

    async def note(exchange: UpstreamExchange) -> None:
        ports.append(exchange.port)
        if len(ports) <= 3:
            await everybody.wait()
        await exchange.answer(COMPLETION)

    async with FakeUpstream(note) as provider, connect() as upstream:
        await asyncio.gather(*(ask(upstream, provider.url) for _ in range(3)))
        for _ in range(5):
            await ask(upstream, provider.url)
    assert provider.connections == 3
    assert len(set(ports[3:])) == 1


async def test_a_connection_closed_by_the_provider_while_idle_is_not_used_again() -> None:
    async def answer_and_leave(exchange: UpstreamExchange) -> None:
        await exchange.answer(COMPLETION)
        exchange.close()

    async with FakeUpstream(answer_and_leave) as provider, connect() as upstream:
        for _ in range(3):
            assert await ask(upstream, provider.url) == (200, COMPLETION)
    assert len(provider.exchanges) == provider.connections == 3


async def test_origins_do_not_share_connections() -> None:
    async with FakeUpstream(COMPLETE) as one, FakeUpstream(COMPLETE) as other, connect() as upstream:
        for provider in (one, other, one, other):
            await ask(upstream, provider.url)
    assert (one.connections, other.connections) == (1, 1)


@asynccontextmanager
async def pool_of(provider: FakeUpstream, count: int, **limits: float) -> AsyncGenerator[Pool, None]:
    """A pool that keeps so many connections."""
    origin = parse_destination(provider.url, Proxies(environment=False)).origin
    pool = Pool(origin.label, **limits)  # type: ignore[arg-type]  # the test names limits
    now = asyncio.get_running_loop().time()
    connections = [pool.build_connection() for _ in range(count)]
    for connection in connections:
        await dial(origin, connection, None)
        pool.add(connection)
        answer = Waiter(asyncio.get_running_loop())
        head = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
        connection.ask(head, b"", request_to("").timeouts, started=now, reader=answer)
        await answer.came
    for connection in connections:
        connection.release()
    try:
        yield pool
    finally:
        await pool.close()


def take_all(pool: Pool) -> int:
    return sum(1 for _ in iter(pool.take, None))


async def test_no_more_connections_are_kept_than_may_be() -> None:
    async with FakeUpstream(COMPLETE) as provider, pool_of(provider, 5, idle_connections=2) as pool:
        assert take_all(pool) == 2


async def test_those_that_are_too_many_are_closed() -> None:
    left = asyncio.Semaphore(0)

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"")
        await exchange.gone()
        left.release()

    async with FakeUpstream(answer) as provider, pool_of(provider, 5, idle_connections=2):
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(3):
                await left.acquire()
        assert left.locked()


async def test_a_connection_that_nobody_needs_is_closed_in_time() -> None:
    left = asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"")
        await exchange.gone()
        left.set()

    async with FakeUpstream(answer) as provider, pool_of(provider, 1, idle_seconds=0.05) as pool:
        await left.wait()
        assert take_all(pool) == 0


async def test_connections_are_kept_until_their_time_is_up() -> None:
    async with FakeUpstream(COMPLETE) as provider, pool_of(provider, 3, idle_seconds=60) as pool:
        assert take_all(pool) == 3


@pytest.mark.parametrize("read", [ask, read_stream])
async def test_closing_ends_what_is_idle_and_what_is_in_use(
    read: Callable[..., Coroutine[None, None, object]],
) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        asked.set()
        await exchange.gone()
        left.set()

    async with FakeUpstream(COMPLETE, wait) as provider:
        async with connect() as upstream:
            await ask(upstream, provider.url)
            waiting = asyncio.create_task(read(upstream, provider.url))
            await asked.wait()
        await left.wait()
        with pytest.raises(Exception, match="broke"):
            await waiting
