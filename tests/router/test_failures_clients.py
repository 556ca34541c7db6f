"""Clients that leave: the provider's connection closes at once, whatever the router was waiting for."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from plano_agents.config.model import Limits
from plano_agents.router.request.streams import COMMENT
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import CHUNKS, build_config, chat, run_router
from tests.router.raw_client import build_request, complete, connect, open_to, talk

pytestmark = pytest.mark.usefixtures("every_way")

LIMITS = Limits(keepalive_comment_seconds=0.02)


async def say_nothing(exchange: UpstreamExchange) -> None:
    pass


async def say_half(exchange: UpstreamExchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")


async def begin(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()


async def begin_to_speak(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    await exchange.chunk(CHUNKS[0])


@pytest.mark.parametrize(
    ("say", "streamed", "heard"),
    [
        (say_nothing, False, b""),
        (say_half, False, b""),
        (say_nothing, True, b""),
        (begin, True, COMMENT),
        (begin_to_speak, True, CHUNKS[0]),
    ],
    ids=[
        "before the headers",
        "within the body",
        "before the stream",
        "before its first token",
        "within the stream",
    ],
)
async def test_a_client_that_leaves_closes_the_providers_connection_within_a_second(
    say: Callable[[UpstreamExchange], Awaitable[None]],
    streamed: bool,  # noqa: FBT001 - parametrized
    heard: bytes,
) -> None:
    said, left = asyncio.Event(), asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        await say(exchange)
        said.set()
        await exchange.gone()
        left.set()

    async with FakeUpstream(answer) as provider, connect(provider, limits=LIMITS) as (reader, writer):
        writer.write(build_request(chat(stream=streamed)))
        await said.wait()
        if heard:
            await reader.readuntil(heard)
        writer.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await left.wait()


async def test_a_client_that_leaves_between_two_tries_ends_the_wait() -> None:
    """The only place is free again long before the half minute is over that the provider asked for."""
    refused = asyncio.Event()

    async def refuse(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"{}", status=503, headers={"retry-after": "30"})
        refused.set()

    limits = Limits(max_concurrent_requests=1)
    async with (
        FakeUpstream(refuse, complete) as provider,
        run_router(build_config(base_url=provider.url, limits=limits)) as url,
    ):
        async with open_to(url) as (_, writer):
            writer.write(build_request(chat()))
            await refused.wait()
        status = 503
        async with asyncio.timeout(PATIENCE_SECONDS):
            while status == 503:
                status, _, _ = await talk(url, build_request(chat()))
    assert (status, len(provider.exchanges)) == (200, 2)
