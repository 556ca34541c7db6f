"""Fixtures of the upstream client's tests: both event loops, and a client for as long as a test needs one."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import uvloop

from plano_agents.config.model import Timeouts
from plano_agents.http.client import UpstreamRequest, UpstreamResponse
from plano_agents.http.client.client import HttpUpstream
from tests.router.conftest import KEY, PROMPT

HEADERS = {
    "authorization": f"Bearer {KEY}",
    "content-type": "application/json",
    "accept-encoding": "identity",
}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@asynccontextmanager
async def connect(
    *, tls: ssl.SSLContext | None = None, proxy_from_environment: bool = False
) -> AsyncGenerator[HttpUpstream, None]:
    upstream = HttpUpstream(tls=tls, proxy_from_environment=proxy_from_environment)
    try:
        yield upstream
    finally:
        await upstream.close()


def request_to(url: str, body: bytes = PROMPT.encode(), **timeouts: float) -> UpstreamRequest:
    return UpstreamRequest(f"{url}/v1/chat/completions", HEADERS, body, Timeouts(**timeouts))


async def ask(upstream: HttpUpstream, url: str, body: bytes = PROMPT.encode(), **timeouts: float) -> tuple[int, bytes]:
    async with await upstream.send(request_to(url, body, **timeouts)) as response:
        return response.status, await response.read()


async def read_stream(upstream: HttpUpstream, url: str, **timeouts: float) -> bytes:
    async with await upstream.send(request_to(url, PROMPT.encode(), **timeouts)) as response:
        return b"".join([chunk async for chunk in chunks_of(response)])


async def chunks_of(response: UpstreamResponse) -> AsyncGenerator[bytes, None]:
    """Take a body chunk by chunk, as a reader that takes no more until it has used what it took."""
    taken: list[bytes] = []

    def take(chunk: bytes) -> bool:
        taken.append(chunk)
        return False

    is_over = False
    while not is_over:
        is_over = await response.forward(take)
        for chunk in taken:
            yield chunk
        taken.clear()
