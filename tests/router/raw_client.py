"""Clients of a router on a real socket: raw bytes, and the openai SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from openai import AsyncOpenAI

from plano_agents import testing
from plano_agents.config.model import Config
from plano_agents.testing import FakeUpstream
from tests.router.conftest import CHUNKS, build_config, run_router

COMPLETION = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
        "output": [{"type": "message", "role": "assistant", "content": []}],
    }
).encode()
"""A whole answer on either of OpenAI's wires: each finds its own in it."""


complete = testing.give(COMPLETION)
stream = testing.stream(*CHUNKS)


def build_client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


@asynccontextmanager
async def connect(
    provider: FakeUpstream, **fields: object
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """A raw connection to a router in front of a provider."""
    async with run_router(build_config(base_url=provider.url, **fields)) as url, open_to(url) as streams:
        yield streams


@asynccontextmanager
async def open_to(
    url: str,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    try:
        yield reader, writer
    finally:
        writer.close()


def build_request(
    body: bytes = b"",
    *headers: str,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    close: bool = True,
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}", *headers]
    if not any(line.startswith("content-type:") for line in headers):
        lines.append("content-type: application/json")
    return "\r\n".join([*lines, *(["connection: close"] if close else []), "", ""]).encode("latin-1") + body


async def talk(url: str, request: bytes) -> tuple[int, str, bytes]:
    """Send bytes and read the answer to the connection's end: status, headers in lower case, body."""
    async with open_to(url) as (reader, writer):
        writer.write(request)
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        return int(head[9:12]), head.decode("latin-1").lower(), body


async def ask(request: bytes, config: Config | None = None) -> tuple[int, str, bytes]:
    async with run_router(config or build_config(base_url="http://127.0.0.1:1")) as url:
        return await talk(url, request)
