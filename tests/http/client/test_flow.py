"""Flow control: readers that do not come, uploads that are not taken, answers that are too large or early."""

import asyncio
from collections.abc import Callable

import pytest

from plano_agents.errors import UpstreamError, UpstreamProtocolError
from plano_agents.http.client.connection import TURN_BYTES, Connection
from plano_agents.http_syntax import END_OF_HEAD
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, chunks_of, connect, read_stream, request_to
from tests.router.conftest import COMPLETE, COMPLETION

MIB = 1024 * 1024
LARGE = 48 * MIB
"""More than the system holds between two sockets."""


MUCH = bytes(range(256)) * (TURN_BYTES * 5 // 2 // 256)
"""More than is handed on in one turn."""


async def stuck(event: asyncio.Event) -> bool:
    """Check whether an event does not come although everybody else had time to go on."""
    try:
        await asyncio.wait_for(event.wait(), 0.3)
    except TimeoutError:
        return True
    return False


async def test_a_stream_is_not_read_faster_than_its_reader_takes_it() -> None:
    is_written = asyncio.Event()

    async def stream(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        for _ in range(LARGE // MIB):
            await exchange.chunk(b"x" * MIB)
        await exchange.chunk(b"")
        is_written.set()

    async with FakeUpstream(stream) as provider, connect() as upstream:
        async with await upstream.send(request_to(provider.url)) as answer:
            chunks = chunks_of(answer)
            size = len(await anext(chunks))
            assert await stuck(is_written)
            async for chunk in chunks:
                size += len(chunk)
        assert (size, is_written.is_set()) == (LARGE, True)
        await read_stream(upstream, provider.url)
    assert provider.connections == 1


async def test_a_whole_answer_is_read_although_nobody_came_for_its_beginning() -> None:
    is_stuck = asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        asyncio.get_running_loop().call_later(0.1, is_stuck.set)
        await exchange.answer(b"x" * LARGE)

    async with FakeUpstream(answer) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url)) as whole:
            await is_stuck.wait()
            assert len(await whole.read()) == LARGE


async def test_a_slow_reader_is_no_silent_provider() -> None:
    """Time runs while somebody waits for bytes, not while they wait for somebody."""

    async def stream(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(b"first")
        await may_end.wait()
        await exchange.chunk(b"second")
        await exchange.chunk(b"")

    may_end, deadline_passed = asyncio.Event(), asyncio.Event()
    async with FakeUpstream(stream) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url, between_bytes_seconds=0.5)) as answer:
            chunks = chunks_of(answer)
            assert await anext(chunks) == b"first"
            asyncio.get_running_loop().call_later(0.6, deadline_passed.set)
            await deadline_passed.wait()
            may_end.set()
            assert [chunk async for chunk in chunks] == [b"second"]


async def test_an_answer_of_over_the_limit_is_refused_before_it_is_held() -> None:
    async def go_on(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        while True:
            await exchange.chunk(b"x" * MIB)

    async with FakeUpstream(go_on) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url)) as answer:
            with pytest.raises(UpstreamProtocolError, match=f"^{provider.url} gave an answer of over {MIB} bytes"):
                await answer.read(MIB)


async def test_an_answer_of_just_the_limit_is_read() -> None:
    async def give(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"x" * MIB)

    async with FakeUpstream(give) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url)) as answer:
            assert len(await answer.read(MIB)) == MIB


async def test_a_large_request_is_sent_whole_and_its_connection_is_used_again() -> None:
    body = bytes(range(256)) * (16 * MIB // 256)
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        for _ in range(2):
            assert await ask(upstream, provider.url, body) == (200, COMPLETION)
    assert [exchange.body == body for exchange in provider.exchanges] == [True, True]
    assert provider.connections == 1


async def answer_before_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nover")
    await writer.drain()


async def test_an_answer_before_the_request_was_written_is_read_and_its_connection_not_used_again() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await answer_before_reading(reader, writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, connect() as upstream:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(2):
            assert await ask(upstream, url, b"x" * LARGE) == (413, b"over")
        for writer in connections:
            writer.close()
    assert len(connections) == 2


async def test_a_request_is_written_on_while_its_answer_comes() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % LARGE)
        left = LARGE
        while left:
            piece = await reader.read(MIB)
            left -= len(piece)
            writer.write(piece)
            await writer.drain()
        writer.close()

    body = bytes(range(256)) * (LARGE // 256)
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server, connect() as upstream:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        status, echoed = await ask(upstream, url, body)
    assert (status, echoed == body) == (200, True)


async def send_at_once(exchange: UpstreamExchange) -> None:
    """Send an answer in one piece that is more than is handed on in one turn."""
    await exchange.start_stream()
    await exchange.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(MUCH), MUCH))


async def test_of_a_fast_stream_a_part_is_handed_on_at_a_time_and_others_have_their_turns_between() -> None:
    loop, turns, parts = asyncio.get_running_loop(), [0], list[tuple[int, bytes]]()

    def turn() -> None:
        turns[0] += 1
        ticking[0] = loop.call_soon(turn)

    def take(part: bytes) -> bool:
        parts.append((turns[0], part))
        return True

    ticking = [loop.call_soon(turn)]
    async with FakeUpstream(send_at_once) as provider, connect() as upstream:
        for _ in range(2):
            parts.clear()
            async with await upstream.send(request_to(provider.url)) as answer:
                assert await answer.forward(take)
            assert b"".join(part for _, part in parts) == MUCH
            assert max(len(part) for _, part in parts) <= TURN_BYTES
            assert len({at for at, _ in parts}) == len(parts)
    ticking[0].cancel()
    assert provider.connections == 1


async def test_a_reader_may_pause_within_much_that_came_at_once() -> None:
    async with FakeUpstream(send_at_once) as provider, connect() as upstream:
        assert await read_stream(upstream, provider.url) == MUCH


async def test_a_reader_that_leaves_within_much_that_came_at_once_is_given_no_more() -> None:
    taken: list[bytes] = []

    def take(part: bytes) -> bool:
        taken.append(part)
        if len(taken) == 2:
            reading.cancel()
        return True

    async with FakeUpstream(send_at_once) as provider, connect() as upstream:
        async with await upstream.send(request_to(provider.url)) as answer:
            reading = answer.forward(take)
            await asyncio.wait([reading])
        assert await read_stream(upstream, provider.url) == MUCH
    assert len(taken) == 2


class Leaving:
    """A `Reader` that gives its connection back between two parts of an answer."""

    connection: Connection

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.has_left = asyncio.Event()

    def on_answer(self) -> None:
        self.connection.forward(self)

    def on_chunk(self, chunk: bytes, _framed: bytes = b"", /) -> bool:
        if not self.taken:
            asyncio.get_running_loop().call_soon(self.leave)
        self.taken.append(chunk)
        return True

    def on_end(self, _is_all: bool, /) -> None:  # noqa: FBT001 - a callback's
        raise AssertionError("nobody waits for it")

    def on_failure(self, _failure: Callable[[], UpstreamError], /) -> None:
        raise AssertionError("nobody waits for it")

    def leave(self) -> None:
        self.connection.release()
        self.has_left.set()


async def test_a_connection_that_is_given_back_within_much_that_came_at_once_calls_nobody() -> None:
    async with FakeUpstream(send_at_once) as provider, connect() as upstream:
        reader, request, started = Leaving(), request_to(provider.url), asyncio.get_running_loop().time()
        way = upstream.find_way(request.url)
        reader.connection = await way.connect(request.timeouts, started)
        head = way.encode_head(request.headers) + END_OF_HEAD % len(request.body)
        reader.connection.ask(head, request.body, request.timeouts, started=started, reader=reader)
        await reader.has_left.wait()
        assert await read_stream(upstream, provider.url) == MUCH
    assert len(reader.taken) == 1
