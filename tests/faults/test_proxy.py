"""The fault injector does what it says, to the byte."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from plano_agents import processes
from tests.faults.proxy import Fault, FaultProxy

TEXT = bytes(range(100))


@asynccontextmanager
async def echo() -> AsyncGenerator[str, None]:
    """A server that sends back what it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield processes.url_of(server.sockets[0])
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def connection(
    *, requests: Iterable[Fault] = (), answers: Iterable[Fault] = ()
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """A connection through a proxy to an echo."""
    async with echo() as target, FaultProxy(target, requests=requests, answers=answers) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def test_without_a_fault_every_byte_passes() -> None:
    async with connection() as (reader, writer):
        writer.write(TEXT)
        assert await reader.readexactly(100) == TEXT


async def test_slices_arrive_whole_and_in_order() -> None:
    async with connection(requests=[Fault(slice_bytes=3)], answers=[Fault(slice_bytes=7)]) as (
        reader,
        writer,
    ):
        writer.write(TEXT)
        assert await reader.readexactly(100) == TEXT


async def test_every_slice_waits_its_delay() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    answers = [Fault(slice_bytes=10, delay_seconds=2.5)]
    async with echo() as target, FaultProxy(target, answers=answers, sleep=sleep) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
        writer.write(TEXT)
        await reader.readexactly(100)
        writer.close()
    assert waits == [2.5] * 10


@pytest.mark.parametrize("kept", [0, 1, 99, 100])
async def test_an_answer_is_cut_after_exactly_so_many_bytes(kept: int) -> None:
    async with connection(answers=[Fault(cut_after=kept)]) as (reader, writer):
        writer.write(TEXT)
        assert await reader.read(-1) == TEXT[:kept]


async def test_a_request_is_cut_after_exactly_so_many_bytes() -> None:
    """The echo gets, and so gives, no more; what was on its way back may be lost with the connection."""
    async with connection(requests=[Fault(cut_after=5)]) as (reader, writer):
        writer.write(TEXT)
        assert TEXT[:5].startswith(await reader.read(-1))


async def test_a_reset_is_one() -> None:
    async with connection(answers=[Fault(cut_after=5, ending="reset")]) as (reader, writer):
        writer.write(TEXT)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(6)


async def test_a_hanging_connection_gives_no_more_and_no_end() -> None:
    async with connection(answers=[Fault(cut_after=5, ending="hang")]) as (reader, writer):
        writer.write(TEXT)
        assert await reader.readexactly(5) == TEXT[:5]
        more = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({more}, timeout=0.05)
        assert not more.done()
        more.cancel()


async def test_each_connection_has_the_next_fault_and_later_ones_none() -> None:
    got = []
    async with echo() as target, FaultProxy(target, answers=map(Fault, [100, 100], [0, 0], [1, 2])) as proxy:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
            writer.write(TEXT)
            got.append(await reader.read(-1))
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
        writer.write(TEXT)
        got.append(await reader.readexactly(100))
        writer.close()
    assert got == [TEXT[:1], TEXT[:2], TEXT]


async def test_a_target_that_is_down_ends_the_connection() -> None:
    async with FaultProxy("http://127.0.0.1:1") as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
        assert await reader.read(-1) == b""
        writer.close()
