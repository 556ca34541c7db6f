"""Requests that are given up leave nothing behind: no connection, no file, no task."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager

import pytest

from plano_agents.errors import ConnectTimeoutError, FirstByteTimeoutError
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, chunks_of, connect, read_stream, request_to
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import COMPLETE, COMPLETION


def count_open() -> tuple[int, int]:
    """The numbers of open files and running tasks."""
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())  # noqa: PTH208 - counts while they change


async def settle(before: tuple[int, int]) -> None:
    """Wait until no more is open than before."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(now > then for now, then in zip(count_open(), before, strict=True)):  # noqa: ASYNC110 - sets no event
            await asyncio.sleep(0)


@asynccontextmanager
async def leaving_nothing() -> AsyncGenerator[None, None]:
    before = count_open()
    yield
    await settle(before)


async def send_nothing(exchange: UpstreamExchange) -> None:
    await exchange.gone()


async def send_a_head(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.gone()


async def send_half(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(b"half")
    await exchange.gone()


@pytest.mark.parametrize("answer", [send_nothing, send_a_head, send_half])
@pytest.mark.parametrize("read", [ask, read_stream])
async def test_a_cancelled_request_leaves_nothing(
    answer: Callable[[UpstreamExchange], Awaitable[None]], read: Callable[..., Coroutine[None, None, object]]
) -> None:
    asked, left = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def wait(exchange: UpstreamExchange) -> None:
        asked.release()
        await answer(exchange)
        left.release()

    async with FakeUpstream(wait) as provider, connect() as upstream, leaving_nothing():
        for _ in range(20):
            reading = asyncio.create_task(read(upstream, provider.url))
            await asked.acquire()
            reading.cancel()
            await left.acquire()
            with pytest.raises(asyncio.CancelledError):
                await reading


async def test_a_request_cancelled_at_any_step_leaves_nothing() -> None:
    """A request goes through the event loop a few times; each is a place to be cancelled at."""
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream, leaving_nothing():
        for steps in range(30):
            for fresh in (True, False):
                if not fresh:
                    await ask(upstream, provider.url)
                asking = asyncio.create_task(ask(upstream, provider.url))
                for _ in range(steps):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.wait({asking})
                assert asking.cancelled() or asking.result() == (200, COMPLETION)
        await upstream.close()


async def test_a_stream_that_is_left_ends_at_the_provider() -> None:
    left = asyncio.Event()

    async def stream(exchange: UpstreamExchange) -> None:
        await send_half(exchange)
        left.set()

    async with FakeUpstream(stream) as provider, connect() as upstream, leaving_nothing():
        async with (
            await upstream.send(request_to(provider.url)) as response,
            aclosing(chunks_of(response)) as chunks,
        ):
            assert await anext(chunks) == b"half"
        await left.wait()


async def test_an_answer_that_nobody_read_is_left() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream, leaving_nothing():
        async with await upstream.send(request_to(provider.url)) as response:
            assert response.status == 200
        await upstream.close()


async def test_a_response_that_was_left_gives_nothing_more() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        async with await upstream.send(request_to(provider.url)) as response:
            await response.read()
        assert await response.read() == b""
        assert [chunk async for chunk in chunks_of(response)] == []


async def test_what_ran_out_of_time_leaves_nothing() -> None:
    left = asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        await exchange.gone()
        left.set()

    async with FakeUpstream(wait) as provider, connect() as upstream, leaving_nothing():
        with pytest.raises(FirstByteTimeoutError):
            await ask(upstream, provider.url, first_byte_seconds=0.05)
        await left.wait()


async def test_a_handshake_that_is_given_up_leaves_nothing() -> None:
    """The other side takes the connection and never speaks TLS."""
    taken, left = asyncio.Event(), asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        while await reader.read(65_536):
            pass
        writer.close()
        left.set()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server, connect() as upstream:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with leaving_nothing():
            with pytest.raises(ConnectTimeoutError):
                await ask(upstream, url, connect_seconds=0.3)
            await left.wait()
            taken.clear()
            left.clear()
            asking = asyncio.create_task(ask(upstream, url))
            await taken.wait()
            asking.cancel()
            await left.wait()
            with pytest.raises(asyncio.CancelledError):
                await asking
