"""Sockets to a provider, on real ones."""

import asyncio
import errno
import gzip
import socket
from collections.abc import Callable, Coroutine

import pytest

from plano_agents.errors import (
    ConnectTimeoutError,
    FirstByteTimeoutError,
    SilenceTimeoutError,
    TotalTimeoutError,
    UpstreamUnreachableError,
)
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, chunks_of, connect, read_stream, request_to
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import COMPLETE, COMPLETION, KEY, PROMPT

Read = Callable[..., Coroutine[None, None, object]]


async def test_a_request_is_sent_as_it_is_with_no_header_of_the_librarys_own() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        assert await ask(upstream, provider.url) == (200, COMPLETION)
    lines = sorted(provider.exchanges[0].head.strip().split("\r\n"))
    assert lines == sorted(
        [
            "POST /v1/chat/completions HTTP/1.1",
            f"host: {provider.url.removeprefix('http://')}",
            "accept: */*",
            "accept-encoding: identity",
            f"authorization: Bearer {KEY}",
            f"content-length: {len(PROMPT)}",
            "content-type: application/json",
        ]
    )
    assert provider.exchanges[0].body == PROMPT.encode()


async def test_a_connection_is_used_again() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        for _ in range(3):
            await ask(upstream, provider.url)
    assert provider.connections == 1


async def test_redirects_are_not_followed() -> None:
    async def redirect(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"", status=307, headers={"location": "/elsewhere"})

    async with FakeUpstream(redirect) as provider, connect() as upstream:
        assert await ask(upstream, provider.url) == (307, b"")
    assert len(provider.exchanges) == 1


async def test_proxy_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        assert await ask(upstream, provider.url) == (200, COMPLETION)


async def test_what_is_compressed_stays_as_it_is() -> None:
    packed = gzip.compress(COMPLETION)

    async def compress(exchange: UpstreamExchange) -> None:
        await exchange.answer(packed, headers={"content-encoding": "gzip"})

    async with FakeUpstream(compress) as provider, connect() as upstream:
        assert await ask(upstream, provider.url) == (200, packed)


async def test_cookies_are_not_kept() -> None:
    async def set_cookie(exchange: UpstreamExchange) -> None:
        await exchange.answer(COMPLETION, headers={"set-cookie": "a=b"})

    async with FakeUpstream(set_cookie) as provider, connect() as upstream:
        await ask(upstream, provider.url)
        await ask(upstream, provider.url)
    assert "cookie" not in provider.exchanges[1].headers


async def test_a_refused_connection_is_told_with_the_address_and_the_way_out() -> None:
    async with FakeUpstream(COMPLETE) as provider:
        url = provider.url
    async with connect() as upstream:
        with pytest.raises(UpstreamUnreachableError, match=rf"^No connection to {url}: .*base_url") as caught:
            await ask(upstream, url)
    assert KEY not in caught.value.message


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    async with connect() as upstream:
        with pytest.raises(UpstreamUnreachableError, match=r"http://no\.invalid"):
            await ask(upstream, "http://no.invalid")


async def test_a_provider_that_sends_no_headers_is_late_with_its_first_byte() -> None:
    async with FakeUpstream(UpstreamExchange.gone) as provider, connect() as upstream:
        with pytest.raises(FirstByteTimeoutError, match=provider.url):
            await ask(upstream, provider.url, first_byte_seconds=0.05)


async def test_headers_alone_are_no_first_byte() -> None:
    async def send_headers(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.gone()

    async with FakeUpstream(send_headers) as provider, connect() as upstream:
        with pytest.raises(FirstByteTimeoutError, match=provider.url):
            await read_stream(upstream, provider.url, first_byte_seconds=0.05)


async def fall_silent(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(b"data: x\n\n")
    await exchange.gone()


@pytest.mark.parametrize("read", [ask, read_stream])
async def test_a_provider_that_falls_silent_within_its_answer_is_told_apart(read: Read) -> None:
    async with FakeUpstream(fall_silent) as provider, connect() as upstream:
        with pytest.raises(SilenceTimeoutError, match=provider.url):
            await asyncio.wait_for(read(upstream, provider.url, between_bytes_seconds=0.05), PATIENCE_SECONDS)


@pytest.mark.parametrize("read", [ask, read_stream])
async def test_an_answer_that_takes_too_long_altogether_is_told_apart(read: Read) -> None:
    async def drip(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        while True:
            await exchange.chunk(b"drop")
            await asyncio.sleep(0)

    async with FakeUpstream(drip) as provider, connect() as upstream:
        with pytest.raises(TotalTimeoutError, match=provider.url):
            await asyncio.wait_for(read(upstream, provider.url, total_seconds=0.05), PATIENCE_SECONDS)


@pytest.mark.parametrize("read", [ask, read_stream])
async def test_an_answer_that_falls_silent_for_longer_than_the_rest_of_its_time_takes_too_long(
    read: Read,
) -> None:
    async with FakeUpstream(fall_silent) as provider, connect() as upstream:
        with pytest.raises(TotalTimeoutError, match=provider.url):
            await asyncio.wait_for(read(upstream, provider.url, total_seconds=0.05), PATIENCE_SECONDS)


async def test_connecting_is_given_up_in_time() -> None:
    """A listener whose queue is full lets nobody in."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            assert one.connect_ex(listener.getsockname()) in {0, errno.EINPROGRESS}
        async with connect() as upstream:
            with pytest.raises(ConnectTimeoutError):
                await ask(upstream, f"http://127.0.0.1:{listener.getsockname()[1]}", connect_seconds=0.05)
        for one in waiting:
            one.close()


async def test_leaving_before_the_end_closes_the_connection() -> None:
    left = asyncio.Event()

    async def stream(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(b"data: x\n\n")
        await exchange.gone()
        left.set()

    async with FakeUpstream(stream) as provider, connect() as upstream:
        async with await upstream.send(request_to(provider.url)) as response:
            assert await anext(chunks_of(response)) == b"data: x\n\n"
        await left.wait()


async def test_a_cancelled_request_closes_the_connection() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        asked.set()
        await exchange.gone()
        left.set()

    async with FakeUpstream(wait) as provider, connect() as upstream:
        sending = asyncio.create_task(ask(upstream, provider.url))
        await asked.wait()
        sending.cancel()
        await left.wait()
