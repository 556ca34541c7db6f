"""The proxied endpoint on a real socket, with the openai SDK and raw bytes for clients."""

import asyncio
import json
import logging

import openai
import pytest

from plano_agents.config.model import Limits
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.router.conftest import CHUNKS, COMPLETE, KEY, PROMPT, build_config, chat, run_router
from tests.router.raw_client import (
    COMPLETION,
    ask,
    build_client,
    build_request,
    complete,
    connect,
    open_to,
    stream,
    talk,
)

LIMITED = Limits(max_body_bytes=1000)


async def test_the_openai_sdk_gets_a_completion_and_our_headers() -> None:
    async with (
        FakeUpstream(complete) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        build_client(url) as client,
    ):
        raw = await client.chat.completions.with_raw_response.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "hi"}],
            extra_headers={"X-Model-Affinity": "run-1"},
        )
    assert raw.parse().choices[0].message.content == "hello"
    assert raw.headers["x-plano-model"] == "openai/gpt-4o"
    assert raw.headers["x-model-affinity"] == "run-1"
    assert "server" not in raw.headers
    assert "date" in raw.headers


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_client_that_leaves_ends_the_providers_work(streamed: bool) -> None:  # noqa: FBT001 - parametrized
    asked, left = asyncio.Event(), asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        if streamed:
            await exchange.start_stream()
            await exchange.chunk(CHUNKS[0])
        asked.set()
        await exchange.gone()
        left.set()

    async with FakeUpstream(wait) as provider, connect(provider) as (reader, writer):
        writer.write(build_request(chat(stream=streamed)))
        await asked.wait()
        if streamed:
            await reader.readuntil(CHUNKS[0])
        writer.close()
        await left.wait()


async def test_a_client_that_leaves_within_its_request_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeUpstream(COMPLETE) as provider, run_router(build_config(base_url=provider.url)) as url:
        async with open_to(url) as (_, writer):
            writer.write(build_request(chat())[:-5])
        status, _, _ = await talk(url, build_request(chat()))
    assert status == 200
    assert len(provider.exchanges) == 1
    assert caplog.text == ""


async def test_a_connection_serves_one_request_after_another() -> None:
    async with FakeUpstream(complete, stream, complete) as provider, connect(provider) as (reader, writer):
        for last, streams in ((COMPLETION, False), (b"0\r\n\r\n", True), (COMPLETION, False)):
            writer.write(build_request(chat(stream=streams), close=False))
            await reader.readuntil(last)


async def test_a_body_over_the_limit_by_its_length_is_refused_before_it_is_sent() -> None:
    config = build_config(limits=LIMITED)
    async with run_router(config) as url, open_to(url) as (reader, writer):
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1001\r\nconnection: close\r\n\r\n"
        )
        answer = await reader.read(-1)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The request body has 1001 bytes; the limit is 1000. Raise limits.max_body_bytes" in answer


async def test_a_body_over_the_limit_by_its_chunks_is_refused() -> None:
    request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n"
    chunk = b"190\r\n" + b" " * 400 + b"\r\n"
    status, _, body = await ask(request + b"connection: close\r\n\r\n" + 3 * chunk, build_config(limits=LIMITED))
    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    assert b"more than 1000 bytes" in body


async def test_the_openai_sdk_is_told_that_its_body_is_too_large() -> None:
    """The answer arrives although most of the body has not been read."""
    async with run_router(build_config(limits=LIMITED)) as url, build_client(url) as client:
        with pytest.raises(openai.APIStatusError, match="the limit is 1000") as caught:
            await client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "x" * 8_000_000}]
            )
    assert caught.value.status_code == 413


async def test_a_client_that_was_refused_can_go_on_on_its_connection() -> None:
    body = b" " * 100_000
    async with FakeUpstream(complete) as provider, connect(provider, limits=LIMITED) as (reader, writer):
        writer.write(build_request(body, close=False) + build_request(chat()))
        answer = await reader.read(-1)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(COMPLETION)


async def test_a_body_at_the_limit_is_served() -> None:
    body = chat().ljust(1000)
    async with FakeUpstream(complete) as provider:
        status, _, _ = await ask(build_request(body), build_config(base_url=provider.url, limits=LIMITED))
    assert status == 200


async def test_a_body_that_is_no_json_is_refused() -> None:
    status, headers, body = await ask(build_request(b"{"))
    assert status == 400
    assert "content-type: application/json" in headers
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_another_method_is_refused_with_the_one_that_is_served(method: str) -> None:
    status, headers, body = await ask(build_request(method=method))
    assert status == 405
    assert "allow: post" in headers
    assert (body == b"") == (method == "HEAD")


async def test_a_header_of_any_bytes_is_no_bug() -> None:
    async with FakeUpstream(complete) as provider, run_router(build_config(base_url=provider.url)) as url:
        status, _, _ = await talk(url, build_request(chat(), "x-request-id: caf\xe9", "x-other: \xff"))
    assert status == 200


async def test_a_header_of_the_providers_of_any_bytes_is_no_bug() -> None:
    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.answer(COMPLETION, headers={"x-request-id": "caf\xe9\r\nrequest-id: \xe4\xb8\xad"})

    async with FakeUpstream(answer) as provider, run_router(build_config(base_url=provider.url)) as url:
        status, _, body = await talk(url, build_request(chat()))
    assert (status, body) == (200, COMPLETION)


async def test_a_provider_that_is_down_is_told_without_key_prompt_or_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    status, _, body = await ask(build_request(chat()))
    assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_unreachable")
    assert KEY.encode() not in body
    assert not any(secret in record.getMessage() for record in caplog.records for secret in (KEY, PROMPT, "Traceback"))


@pytest.mark.parametrize(("size", "status"), [(10, 415), (2000, 413)])
async def test_a_compressed_body_is_not_unpacked_and_one_over_the_limit_is_refused_for_its_size(
    size: int, status: int
) -> None:
    async with run_router(build_config(limits=LIMITED)) as url:
        request = build_request(b"x" * size, "content-encoding: gzip")
        seen, _, body = await talk(url, request)
    assert seen == status
    assert json.loads(body)["error"]["message"]
