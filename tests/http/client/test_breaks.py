"""Connections to a provider that break: an error, or one more try, and never a short answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from plano_agents.errors import UpstreamError, UpstreamProtocolError, UpstreamUnreachableError
from plano_agents.http.client.client import HttpUpstream
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, chunks_of, connect, read_stream, request_to
from tests.router.conftest import COMPLETE, COMPLETION, PROMPT


async def leave(exchange: UpstreamExchange) -> None:
    exchange.close()


async def reset(exchange: UpstreamExchange) -> None:
    exchange.reset()


async def leave_within_the_headers(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    exchange.close()


async def leave_within_a_sized_body(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    exchange.close()


async def reset_within_a_sized_body(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    exchange.reset()


async def leave_within_a_chunked_body(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(b"half")
    exchange.close()


async def leave_within_a_chunk(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.send(b"64\r\nhalf")
    exchange.close()


async def send_a_bad_chunk(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(b"half")
    await exchange.send(b"not a size\r\n")
    exchange.close()


async def speak_another_protocol(exchange: UpstreamExchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    exchange.close()


BREAKS = [
    leave,
    reset,
    leave_within_the_headers,
    leave_within_a_sized_body,
    reset_within_a_sized_body,
    leave_within_a_chunked_body,
    leave_within_a_chunk,
    send_a_bad_chunk,
    speak_another_protocol,
]


@pytest.mark.parametrize("read", [ask, read_stream])
@pytest.mark.parametrize("breaking", BREAKS)
async def test_an_answer_that_breaks_is_an_error_and_never_a_short_answer(
    breaking: Callable[[UpstreamExchange], Awaitable[None]],
    read: Callable[[HttpUpstream, str], Awaitable[object]],
) -> None:
    async with FakeUpstream(breaking) as provider, connect() as upstream:
        with pytest.raises(UpstreamError, match=provider.url):
            await read(upstream, provider.url)
    assert len(provider.exchanges) == 1


@pytest.mark.parametrize("breaking", [speak_another_protocol, send_a_bad_chunk])
async def test_what_is_no_http_is_a_protocol_error(
    breaking: Callable[[UpstreamExchange], Awaitable[None]],
) -> None:
    async with FakeUpstream(breaking) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError):
            await ask(upstream, provider.url)


@pytest.mark.parametrize("breaking", [leave, reset])
async def test_a_request_on_a_kept_connection_that_had_died_is_sent_once_more(
    breaking: Callable[[UpstreamExchange], Awaitable[None]],
) -> None:
    """The other side may close an idle connection while the request is under way: nobody has read it."""
    async with FakeUpstream(COMPLETE, breaking, COMPLETE) as provider, connect() as upstream:
        await ask(upstream, provider.url)
        assert await ask(upstream, provider.url) == (200, COMPLETION)
    assert provider.connections == 2
    assert [exchange.body for exchange in provider.exchanges] == [PROMPT.encode()] * 3


async def test_a_request_is_sent_once_more_and_not_again() -> None:
    async with FakeUpstream(COMPLETE, leave) as provider, connect() as upstream:
        await ask(upstream, provider.url)
        with pytest.raises(UpstreamUnreachableError):
            await ask(upstream, provider.url)
    assert len(provider.exchanges) == 3


@pytest.mark.parametrize("breaking", [leave_within_the_headers, leave_within_a_sized_body])
async def test_a_request_whose_answer_had_begun_is_not_sent_again(
    breaking: Callable[[UpstreamExchange], Awaitable[None]],
) -> None:
    async with FakeUpstream(COMPLETE, breaking, COMPLETE) as provider, connect() as upstream:
        await ask(upstream, provider.url)
        with pytest.raises(UpstreamError):
            await ask(upstream, provider.url)
    assert len(provider.exchanges) == 2


@pytest.mark.parametrize("rest", [b"not a size\r\n", b"5\r\nhalf", b"", b"5\r\nwhole-and-more\r\n"], ids=repr)
async def test_a_stream_that_breaks_while_it_is_read_is_an_error(rest: bytes) -> None:
    read = asyncio.Event()

    async def stream(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(b"first")
        await read.wait()
        await exchange.send(rest)
        exchange.close()

    async with FakeUpstream(stream) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url, between_bytes_seconds=0.5)) as response:
            chunks = chunks_of(response)
            assert await anext(chunks) == b"first"
            read.set()
            with pytest.raises(UpstreamError, match=provider.url):
                async for _ in chunks:
                    pass


async def test_a_stream_that_breaks_while_its_reader_takes_nothing_fails_once_all_of_it_is_taken() -> None:
    """A reader that went on to wait for more would wait for ever: nothing comes, and no time runs."""
    go_on = asyncio.Event()
    taken: list[bytes] = []

    async def stream(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(b"first")
        await go_on.wait()
        await exchange.chunk(b"second")
        exchange.close()

    def take(chunk: bytes) -> bool:
        taken.append(chunk)
        return chunk != b"first"

    async with FakeUpstream(stream) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url)) as answer:
            assert await answer.forward(take) is False
            connection = answer._connection
            assert connection is not None
            go_on.set()
            while not connection.is_closing:  # noqa: ASYNC110 - a broken connection sets no event
                await asyncio.sleep(0)
            with pytest.raises(UpstreamError):
                await answer.forward(take)
    assert taken == [b"first", b"second"]
