"""Clients that send slowly, do not read, or hold much: what they take is bounded, and others are served."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from plano_agents.config.model import Config
from plano_agents.config.options import Limits
from plano_agents.router.request.surfaces import ENDPOINTS
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import GPT, build_config, chat, run_router
from tests.router.raw_client import COMPLETION, build_request, complete, open_to, talk
from tests.router.watch.test_metrics import read_page

pytestmark = pytest.mark.usefixtures("every_way")

LARGE = 8 * 1024 * 1024
"""What no buffer on the way holds, in bytes."""
CHAT = "/v1/chat/completions"
PADDED = COMPLETION[:-1] + b', "x": "' + b"x" * LARGE + b'"}'


async def complete_large(exchange: UpstreamExchange) -> None:
    await exchange.answer(PADDED)


@asynccontextmanager
async def unread(url: str) -> AsyncGenerator[socket.socket, None]:
    """A client that asks, and reads nothing."""
    with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall(build_request(chat()))
        yield connection


async def read_metric(url: str, *key: str) -> float:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
        return (await read_page(client)).get(key, 0.0)


async def until(url: str, least: float, *key: str) -> None:
    """Wait until a metric has come to a value."""
    async with asyncio.timeout(10):
        while await read_metric(url, *key) < least:
            pass


def build(provider: FakeUpstream, limits: Limits) -> Config:
    return build_config(GPT, base_url=provider.url, limits=limits)


async def test_requests_whose_body_is_still_coming_take_no_place() -> None:
    body = chat()
    async with (
        FakeUpstream(complete) as provider,
        run_router(build(provider, Limits(max_concurrent_requests=1))) as url,
        AsyncExitStack() as slow,
    ):
        for _ in range(3):
            _, writer = await slow.enter_async_context(open_to(url))
            writer.write(build_request(body)[:-1])
            await writer.drain()
        assert (await talk(url, build_request(body)))[0] == 200


async def test_a_request_takes_its_place_until_its_client_has_taken_the_answer() -> None:
    async with (
        FakeUpstream(complete_large) as provider,
        run_router(build(provider, Limits(max_concurrent_requests=1))) as url,
        unread(url) as connection,
    ):
        await until(url, LARGE / 4, "plano_buffered_bytes")
        assert await read_metric(url, "plano_requests_in_flight") == 1
        assert (await talk(url, build_request(chat())))[0] == 503
        reader, writer = await asyncio.open_connection(sock=connection)
        assert (await reader.read(-1)).endswith(PADDED)
        writer.close()
        assert (await talk(url, build_request(chat())))[0] == 200
        assert await read_metric(url, "plano_requests_in_flight") == 0
        assert await read_metric(url, "plano_buffered_bytes") == 0


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_body_that_there_is_no_room_for_is_refused_in_the_surfaces_form(path: str) -> None:
    config = build_config(base_url="http://127.0.0.1:1", limits=Limits(max_buffered_bytes=LARGE))
    async with run_router(config) as url, open_to(url) as (_, holder):
        holder.write(build_request(b"x" * LARGE)[:-1])
        await until(url, LARGE - 1, "plano_buffered_bytes")
        status, head, body = await talk(url, build_request(b"x" * LARGE, path=path, close=False))
        assert (status, "retry-after: 1" in head, "connection: close" in head) == (503, True, True)
        assert json.loads(body)["error"]["type"] == "overloaded_error"
        assert ("code" in json.loads(body)["error"]) == ("messages" not in path)
        assert await read_metric(url, "plano_requests_refused_total", "overloaded") == 1


async def test_a_small_body_is_served_although_there_is_no_room() -> None:
    async with (
        FakeUpstream(complete) as provider,
        run_router(build(provider, Limits(max_buffered_bytes=LARGE))) as url,
        open_to(url) as (_, holder),
    ):
        holder.write(build_request(b"x" * LARGE)[:-1])
        await until(url, LARGE - 1, "plano_buffered_bytes")
        assert (await talk(url, build_request(chat())))[0] == 200


async def test_a_whole_answer_that_there_is_no_room_for_is_a_503() -> None:
    async with (
        FakeUpstream(complete_large, complete_large, complete) as provider,
        run_router(build(provider, Limits(max_buffered_bytes=LARGE * 3 // 2))) as url,
        unread(url),
    ):
        await until(url, LARGE / 4, "plano_buffered_bytes")
        status, _, body = await talk(url, build_request(chat()))
        assert (status, json.loads(body)["error"]["code"]) == (503, "overloaded")
        assert await read_metric(url, "plano_requests_total", CHAT, "5xx") == 1
        assert (await talk(url, build_request(chat())))[0] == 200
