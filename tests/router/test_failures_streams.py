"""Streams that are cut or late, as the official SDKs see them on every surface."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from plano_agents.config.model import Breaker, Limits, Retries
from plano_agents.router.request.streams import COMMENT
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.wires import (
    CHAT_STREAM,
    READERS,
    SDK_ERRORS,
    TEXT,
    Sdks,
    answer_framed,
    stream_for,
)
from tests.router.conftest import CHUNKS, CLAUDE, GPT, build_config, chat, run_router
from tests.router.raw_client import build_request, open_to, stream, talk

pytestmark = pytest.mark.usefixtures("every_way")

NEVER = Retries(max_per_candidate=0)
MIDDLE = 600
"""Bytes of an answer after which its stream has begun, and is far from its end."""

BREAKS = {
    "close": ("chunked", Fault(cut_after=MIDDLE)),
    "reset": ("chunked", Fault(cut_after=MIDDLE, ending="reset")),
    "unframed": ("unframed", Fault(cut_after=MIDDLE)),
}


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("surface", READERS)
async def test_a_whole_stream_is_read_to_its_end_however_it_is_sliced(surface: str, model: str) -> None:
    async with (
        FakeUpstream(answer_framed("chunked")) as provider,
        FaultProxy(provider.url, answers=itertools.repeat(Fault(slice_bytes=1))) as proxy,
        run_router(build_config(model, base_url=proxy.url)) as url,
        Sdks(url) as sdks,
    ):
        assert await READERS[surface](sdks, model) == TEXT


@pytest.mark.parametrize("breaking", BREAKS)
@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("surface", READERS)
async def test_the_sdk_raises_where_the_provider_was_cut(surface: str, model: str, breaking: str) -> None:
    framing, fault = BREAKS[breaking]
    async with (
        FakeUpstream(answer_framed(framing)) as provider,
        FaultProxy(provider.url, answers=[fault]) as proxy,
        run_router(build_config(model, base_url=proxy.url, retries=NEVER)) as url,
        Sdks(url) as sdks,
    ):
        with pytest.raises(SDK_ERRORS):
            await READERS[surface](sdks, model)


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/v1/chat/completions", b'data: {"error":'),
        ("/v1/messages", b'event: error\ndata: {"type":"error","error":'),
        ("/v1/responses", b'event: response.failed\ndata: {"type":"response.failed"'),
    ],
)
@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("breaking", BREAKS)
async def test_a_cut_stream_ends_with_the_surfaces_error_event_and_an_aborted_body(
    breaking: str, model: str, path: str, event: bytes
) -> None:
    framing, fault = BREAKS[breaking]
    body = chat(model=model, max_tokens=9, stream=True)
    if path == "/v1/responses":
        body = b'{"input": "hi", "stream": true}'
    async with (
        FakeUpstream(answer_framed(framing)) as provider,
        FaultProxy(provider.url, answers=[fault]) as proxy,
        run_router(build_config(model, base_url=proxy.url, retries=NEVER)) as url,
    ):
        status, _, answered = await talk(url, build_request(body, path=path, close=False))
    assert status == 200
    assert event in answered
    assert not answered.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("model", [GPT, CLAUDE])
@pytest.mark.parametrize("surface", READERS)
async def test_comments_come_before_the_first_token_and_the_sdk_passes_over_them(surface: str, model: str) -> None:
    """The SDK has waited for longer than the client beside it, which counts the comments."""
    asked, release = asyncio.Semaphore(0), asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        asked.release()
        await release.wait()
        await exchange.chunk(stream_for(exchange))
        await exchange.chunk(b"")

    limits = Limits(keepalive_comment_seconds=0.02)
    async with (
        FakeUpstream(wait) as provider,
        run_router(build_config(model, base_url=provider.url, limits=limits)) as url,
        Sdks(url) as sdks,
        open_to(url) as (reader, writer),
    ):
        reading = asyncio.create_task(READERS[surface](sdks, model))
        await asked.acquire()
        writer.write(build_request(chat(stream=True)))
        for _ in range(3):
            await reader.readuntil(COMMENT)
        release.set()
        assert await reading == TEXT


async def test_a_stalled_reader_holds_the_provider_back_and_gets_everything_when_it_reads_on() -> None:
    """The provider gets rid of what the sockets' buffers hold, far less than the 256 MiB that it has."""
    event = CHAT_STREAM.partition(b"\n\n")[0] + b"\n\n"
    block = event * (65_536 // len(event))
    sent = 0
    progress = asyncio.Event()

    async def pour(exchange: UpstreamExchange) -> None:
        nonlocal sent
        await exchange.start_stream()
        for _ in range(4096):
            await exchange.chunk(block)
            sent += len(block)
            progress.set()

    async with (
        FakeUpstream(pour) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        open_to(url) as (reader, writer),
    ):
        writer.write(build_request(chat(stream=True)))
        while await _comes(progress):
            progress.clear()
        held = sent
        assert held < 64 * 1024 * 1024
        read = 0
        while read < 2 * held:
            read += len(await reader.read(1024 * 1024))
        assert sent > held


async def _comes(progress: asyncio.Event) -> bool:
    """Check whether there is progress within a time in which there would be a lot."""
    try:
        async with asyncio.timeout(0.3):
            return await progress.wait()
    except TimeoutError:
        return False


async def cut(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    exchange.close()


async def fail_by_event(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    await exchange.chunk(b'data: {"error": {"message": "no", "type": "server_error"}}\n\n')
    await exchange.chunk(b"")


@pytest.mark.parametrize("breaking", [cut, fail_by_event])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_streams_that_break_after_their_headers_open_the_breaker(
    path: str, breaking: Callable[[UpstreamExchange], Awaitable[None]]
) -> None:
    request = build_request(chat(max_tokens=9, stream=True), path=path)
    async with (
        FakeUpstream(breaking) as provider,
        run_router(build_config(GPT, base_url=provider.url, retries=NEVER, breaker=Breaker(failures=2))) as url,
    ):
        statuses = [(await talk(url, request))[0] for _ in range(3)]
    assert (statuses, len(provider.exchanges)) == ([200, 200, 503], 2)


async def test_streams_that_end_well_in_between_keep_the_breaker_closed() -> None:
    request = build_request(chat(stream=True))
    async with (
        FakeUpstream(cut, stream, cut, stream, cut, stream) as provider,
        run_router(build_config(GPT, base_url=provider.url, retries=NEVER, breaker=Breaker(failures=2))) as url,
    ):
        statuses = [(await talk(url, request))[0] for _ in range(6)]
    assert statuses == [200] * 6
