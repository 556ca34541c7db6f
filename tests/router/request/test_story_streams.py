"""Streams: passed on byte for byte, translated, and never ended well when they were cut."""

import json

import pytest

from plano_agents.errors import UpstreamUnreachableError
from plano_agents.protocol import sse
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import CHAT, Endpoint
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    PROMPT,
    SSE,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_service,
    chat,
)

CUT = UpstreamUnreachableError("The connection broke.")
ANTHROPIC_EVENTS = tuple(
    sse.encode_event(json.dumps(event).encode(), str(event["type"]))
    for event in (
        {"type": "message_start", "message": {"id": "m", "model": "claude", "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )
)
PROVIDERS_ERROR = sse.encode_event(
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "error"
)


async def stream(*pieces: bytes | Exception, model: str = "openai/gpt-4o", headers: dict[str, str] = SSE) -> Seen:
    upstream = MemoryUpstream(MemoryResponse(headers=headers, pieces=pieces))
    options = {"include_usage": True}
    return await ask(build_service(build_config(model), upstream), chat(stream=True, stream_options=options))


def events(body: bytes) -> list[dict[str, object]]:
    """The chunks of an OpenAI stream, without its end."""
    return [json.loads(event[6:]) for event in body.split(b"\n\n") if event and event != b"data: [DONE]"]


def last_error(seen: Seen) -> dict[str, object]:
    error = events(seen.body)[-1]["error"]
    assert isinstance(error, dict)
    return error


async def test_a_stream_is_passed_on_byte_for_byte_and_piece_for_piece() -> None:
    upstream = MemoryUpstream(MemoryResponse(headers=SSE, pieces=CHUNKS))
    service = build_service(build_config(), upstream)
    async with Story(service, Endpoint(CHAT), ProxyRequest([], chat(stream=True))) as answer:
        assert not isinstance(answer.body, bytes)
        pieces: list[bytes] = []

        def write(piece: bytes) -> bool:
            pieces.append(piece)
            return False

        while (last := await answer.body.forward(write)) is None:
            pass
        assert (*pieces, last) == CHUNKS


async def test_a_stream_that_begins_with_a_single_byte_is_not_held_back_to_its_end() -> None:
    pieces = (CHUNKS[0][:1], CHUNKS[0][1:], *CHUNKS[1:])
    service = build_service(build_config(), MemoryUpstream(MemoryResponse(headers=SSE, pieces=pieces)))
    async with Story(service, Endpoint(CHAT), ProxyRequest([], chat(stream=True))) as answer:
        assert not isinstance(answer.body, bytes)
    assert (await stream(*pieces)).body == b"".join(CHUNKS)


async def test_a_streams_headers_say_that_it_is_one() -> None:
    seen = await stream(*CHUNKS, headers={"content-type": "text/event-stream", "x-request-id": "r"})
    assert seen.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert seen.headers["cache-control"] == "no-cache"
    assert seen.headers["x-request-id"] == "r"
    assert seen.headers["x-plano-model"] == "openai/gpt-4o"


async def test_an_anthropic_stream_is_an_openai_stream() -> None:
    seen = await stream(*ANTHROPIC_EVENTS, model=CLAUDE)
    chunks = events(seen.body)
    texts = [
        choice["delta"].get("content", "")
        for chunk in chunks
        for choice in chunk["choices"]  # type: ignore[attr-defined]  # as the wire has it
    ]
    assert "".join(texts) == "hello"
    assert chunks[-1]["usage"]["total_tokens"] == 8  # type: ignore[index]  # as the wire has it
    assert seen.body.endswith(sse.DONE)
    assert not seen.broken


async def test_a_stream_that_breaks_ends_with_an_error_event_and_a_broken_connection() -> None:
    seen = await stream(CHUNKS[0], CUT)
    assert seen.body.startswith(CHUNKS[0])
    assert last_error(seen)["code"] == "upstream_unreachable"
    assert seen.broken


async def test_half_an_event_is_not_passed_on_before_the_error() -> None:
    seen = await stream(CHUNKS[0], b'data: {"id":"c1","cho', CUT)
    assert seen.body.startswith(CHUNKS[0] + b'data: {"error"')


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
async def test_a_stream_that_comes_byte_by_byte_is_passed_on_event_by_event(line_end: bytes) -> None:
    whole = b"".join(CHUNKS).replace(b"\n", line_end)
    seen = await stream(*(whole[i : i + 1] for i in range(len(whole))))
    assert (seen.body, seen.broken) == (whole, False)


async def test_what_breaks_after_the_end_is_no_error() -> None:
    seen = await stream(*CHUNKS, CUT)
    assert (seen.body, seen.broken) == (b"".join(CHUNKS), False)


async def test_usage_after_the_finish_reason_is_passed_on() -> None:
    finish = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    usage = b'data: {"choices":[],"usage":{}}\n\n'
    seen = await stream(finish, usage, CHUNKS[-1])
    assert seen.body == finish + usage + CHUNKS[-1]


async def test_a_stream_that_ends_before_it_says_anything_is_a_failure() -> None:
    seen = await stream(ANTHROPIC_EVENTS[0], model=CLAUDE)
    assert (seen.status, seen.error["code"]) == (502, "upstream_protocol_error")


@pytest.mark.parametrize("kept", range(2, len(ANTHROPIC_EVENTS)))
async def test_an_anthropic_stream_that_ends_too_early_is_broken(kept: int) -> None:
    seen = await stream(*ANTHROPIC_EVENTS[:kept], model=CLAUDE)
    assert last_error(seen)["code"] == "upstream_protocol_error"
    assert seen.broken


async def test_an_anthropic_error_event_is_told_and_breaks_the_stream() -> None:
    seen = await stream(*ANTHROPIC_EVENTS[:3], PROVIDERS_ERROR, model=CLAUDE)
    assert last_error(seen)["message"] == "Overloaded"
    assert sse.DONE not in seen.body
    assert seen.broken


async def test_an_openai_stream_that_ends_without_a_finish_is_broken() -> None:
    """Both Python SDKs take a clean end for success."""
    seen = await stream(*CHUNKS[:1])
    assert last_error(seen)["code"] == "upstream_protocol_error"
    assert seen.broken


@pytest.mark.parametrize("space", ["", " "])
async def test_an_openai_stream_with_a_finish_reason_may_leave_done_out(space: str) -> None:
    finish = f'data: {{"choices":[{{"delta":{{}},"finish_reason":{space}"stop"}}]}}\n\n'.encode()
    seen = await stream(CHUNKS[0], finish)
    assert seen.body == CHUNKS[0] + finish
    assert not seen.broken


async def test_the_end_of_a_stream_is_seen_wherever_it_is_cut() -> None:
    seen = await stream(*(bytes([byte]) for byte in b"".join(CHUNKS)))
    assert seen.body == b"".join(CHUNKS)
    assert not seen.broken


async def test_a_bug_within_a_stream_is_told_and_logged_without_the_prompt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = await stream(CHUNKS[0], KeyError(PROMPT))
    assert last_error(seen)["code"] == "internal_error"
    assert seen.broken
    assert len(caplog.text.splitlines()) == 1
    assert PROMPT not in caplog.text


@pytest.mark.parametrize("pieces", [(CUT,), ()], ids=["broken", "empty"])
async def test_a_stream_without_a_first_byte_is_tried_again_and_then_a_plain_error(
    pieces: tuple[Exception, ...],
) -> None:
    upstream = MemoryUpstream(MemoryResponse(headers=SSE, pieces=pieces))
    seen = await ask(build_service(build_config(), upstream), chat(stream=True))
    assert (seen.status, seen.broken, len(upstream.requests)) == (502, False, 3)


async def test_a_stream_that_works_at_the_second_try_shows_nothing_of_the_first() -> None:
    upstream = MemoryUpstream(MemoryResponse(headers=SSE, pieces=(CUT,)), MemoryResponse(headers=SSE, pieces=CHUNKS))
    seen = await ask(build_service(build_config(), upstream), chat(stream=True))
    assert (seen.status, seen.body) == (200, b"".join(CHUNKS))
