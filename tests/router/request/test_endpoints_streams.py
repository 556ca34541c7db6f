"""Streams through the router on a real socket: as they are made, and never ended well when they were cut."""

import asyncio
from collections.abc import Awaitable, Callable

import openai
import pytest

from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.router.conftest import CHUNKS, build_config, chat, run_router
from tests.router.raw_client import build_client, build_request, connect, stream, talk


async def cut(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    exchange.reset()


async def end_early(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])
    await exchange.chunk(b"")


async def test_the_openai_sdk_reads_a_stream_to_its_end() -> None:
    async with (
        FakeUpstream(stream) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        build_client(url) as client,
    ):
        chunks = await client.chat.completions.create(model="gpt-4o", messages=[], stream=True)
        assert [chunk.choices[0].delta.content async for chunk in chunks] == ["a"]


@pytest.mark.parametrize("breaking", [cut, end_early])
async def test_the_openai_sdk_raises_where_a_stream_was_cut(
    breaking: Callable[[UpstreamExchange], Awaitable[None]],
) -> None:
    async with (
        FakeUpstream(breaking) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        build_client(url) as client,
    ):
        chunks = await client.chat.completions.create(model="gpt-4o", messages=[], stream=True)
        with pytest.raises(openai.APIError):
            async for _ in chunks:
                pass


@pytest.mark.parametrize("breaking", [cut, end_early])
async def test_a_stream_that_was_cut_ends_with_an_error_event_and_no_last_chunk(
    breaking: Callable[[UpstreamExchange], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeUpstream(breaking) as provider, run_router(build_config(base_url=provider.url)) as url:
        status, _, body = await talk(url, build_request(chat(stream=True), close=False))
    assert status == 200
    assert CHUNKS[0] in body
    assert b'data: {"error":' in body
    assert not body.endswith(b"0\r\n\r\n")
    assert "Traceback" not in caplog.text
    assert "ASGI" not in caplog.text


async def test_a_stream_arrives_as_it_is_made() -> None:
    read = asyncio.Event()

    async def wait_between(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(CHUNKS[0])
        await read.wait()
        await exchange.chunk(CHUNKS[1])
        await exchange.chunk(b"")

    async with FakeUpstream(wait_between) as provider, connect(provider) as (reader, writer):
        writer.write(build_request(chat(stream=True)))
        await reader.readuntil(CHUNKS[0])
        read.set()
        assert (await reader.read(-1)).endswith(CHUNKS[1] + b"\r\n0\r\n\r\n")
