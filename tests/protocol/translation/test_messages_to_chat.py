import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.messages_to_chat import (
    ChatStreamEncoder,
    encode_completion,
    encode_upstream_error,
)

USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 30,
}


def reply(**fields: object) -> dict[str, Any]:
    whole = {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "usage": USAGE}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", **whole, **fields}


def translate(**fields: object) -> ChatCompletion:
    encoded = encode_completion(json.dumps(reply(**fields)).encode(), created=7)
    return ChatCompletion.model_validate_json(encoded, strict=True)


def test_text_blocks_are_joined_and_id_and_model_are_the_upstreams() -> None:
    found = translate(content=[{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}])
    assert (found.id, found.model, found.created, found.choices[0].message.content) == (
        "msg_1",
        "claude-x",
        7,
        "Hi there",
    )


def test_tool_calls_are_carried_with_their_arguments_untouched() -> None:
    body = json.dumps(reply(stop_reason="tool_use")).replace(
        '"content": [', '"content": [{"type":"tool_use","id":"t1","name":"add","input":{"a": 1.10}},'
    )
    found = json.loads(encode_completion(body.encode(), created=7))
    assert found["choices"][0]["message"]["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1.10}'}}
    ]


def test_an_answer_of_calls_alone_has_no_content() -> None:
    found = translate(
        content=[{"type": "tool_use", "id": "t", "name": "n", "input": {}}], stop_reason="tool_use"
    )
    assert found.choices[0].message.content is None


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("invented_tomorrow", "invented_tomorrow"),
    ],
)
def test_a_stop_reason_is_translated_and_an_unknown_one_is_not_stop(reason: str, expected: str) -> None:
    found = json.loads(encode_completion(json.dumps(reply(stop_reason=reason)).encode(), created=7))
    assert found["choices"][0]["finish_reason"] == expected


def test_cached_tokens_count_among_the_prompts() -> None:
    usage = translate().usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (2040, 5, 2045)
    assert (usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.cache_write_tokens) == (
        2000,
        30,
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id":1}', b'{"id":"x","model":"m","content":[]}'])
def test_an_answer_in_another_form_is_the_upstreams_error(body: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        encode_completion(body, created=7)


def test_an_error_keeps_the_providers_words() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    assert json.loads(encode_upstream_error(body, 529))["error"] == {
        "message": "Overloaded",
        "type": "overloaded_error",
        "param": None,
        "code": "overloaded_error",
    }


def test_an_error_page_is_told_by_its_status() -> None:
    assert "502" in json.loads(encode_upstream_error(b"<html>bad gateway</html>", 502))["error"]["message"]


EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": reply(content=[], stop_reason=None, usage={**USAGE, "output_tokens": 1}),
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me sée."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "add", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"a":'},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": " 1}"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
    },
    {"type": "content_block_stop", "index": 2},
    {"type": "tomorrow_event", "index": 3},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 42}},
    {"type": "message_stop"},
]


def wire(events: list[dict[str, Any]]) -> bytes:
    return b"".join(
        f"event: {e['type']}\ndata: {json.dumps(e, ensure_ascii=False)}\n\n".encode() for e in events
    )


STREAM = wire(EVENTS)


def encode(*chunks: bytes, include_usage: bool = True) -> bytes:
    encoder = ChatStreamEncoder(created=7, include_usage=include_usage)
    out = b"".join(encoder.feed(chunk) for chunk in chunks)
    encoder.close()
    return out


def chunks_of(stream: bytes) -> list[ChatCompletionChunk]:
    events = EventDecoder().feed(stream)
    assert events[-1].data == b"[DONE]"
    return [ChatCompletionChunk.model_validate_json(event.data, strict=True) for event in events[:-1]]


def test_a_stream_cut_at_any_byte_gives_the_same_stream() -> None:
    whole = encode(STREAM)
    assert all(encode(STREAM[:cut], STREAM[cut:]) == whole for cut in range(len(STREAM)))


def test_a_streams_text_is_that_of_the_upstream() -> None:
    assert (
        "".join(c.choices[0].delta.content or "" for c in chunks_of(encode(STREAM)) if c.choices)
        == "Let me sée."
    )


def test_parallel_calls_have_distinct_indices_and_whole_arguments() -> None:
    calls: dict[int, list[str]] = {}
    for chunk in chunks_of(encode(STREAM)):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            assert call.function is not None
            calls.setdefault(call.index, []).append(
                (call.function.name or "") + (call.function.arguments or "")
            )
    assert {index: "".join(parts) for index, parts in calls.items()} == {0: 'add{"a": 1}', 1: "now{}"}


def test_the_finish_reason_comes_once() -> None:
    reasons = [c.choices[0].finish_reason for c in chunks_of(encode(STREAM)) if c.choices]
    assert [reason for reason in reasons if reason] == ["tool_calls"]


def test_usage_comes_in_one_last_chunk_without_choices() -> None:
    chunks = chunks_of(encode(STREAM))
    assert [bool(chunk.choices) for chunk in chunks].index(False) == len(chunks) - 1
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (2040, 42)


def test_without_being_asked_for_usage_is_left_out() -> None:
    assert b'"usage"' not in encode(STREAM, include_usage=False)


def test_a_stream_cut_before_its_end_is_an_error() -> None:
    encoder = ChatStreamEncoder(created=7, include_usage=False)
    encoder.feed(wire(EVENTS[:-1]))
    with pytest.raises(UpstreamProtocolError, match="ended before"):
        encoder.close()


def test_the_providers_error_event_ends_the_stream_without_done() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    encoder = ChatStreamEncoder(created=7, include_usage=False)
    out = encoder.feed(wire([*EVENTS[:4], error]))
    assert encoder.failed
    assert b"[DONE]" not in out
    assert json.loads(EventDecoder().feed(out)[-1].data)["error"]["message"] == "Overloaded"
