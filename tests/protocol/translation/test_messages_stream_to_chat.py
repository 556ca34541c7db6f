import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_stream import ChatStreamWriter
from plano_agents.protocol.translation.messages_stream_to_chat import MessagesStreamReader
from plano_agents.protocol.translation.stream import StreamTranslator

START: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [],
    "stop_reason": None,
    "usage": {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 30,
    },
}

EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": START},
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
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e, ensure_ascii=False)}\n\n".encode() for e in events)


STREAM = wire(EVENTS)


def build_encoder(*, include_usage: bool) -> StreamTranslator:
    return StreamTranslator(MessagesStreamReader(CallIds(), created=7), ChatStreamWriter(include_usage=include_usage))


def encode(*chunks: bytes, include_usage: bool = True) -> bytes:
    encoder = build_encoder(include_usage=include_usage)
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
    assert "".join(c.choices[0].delta.content or "" for c in chunks_of(encode(STREAM)) if c.choices) == "Let me sée."


def test_parallel_calls_have_distinct_indices_and_whole_arguments() -> None:
    calls: dict[int, list[str]] = {}
    for chunk in chunks_of(encode(STREAM)):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            assert call.function is not None
            calls.setdefault(call.index, []).append((call.function.name or "") + (call.function.arguments or ""))
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


def test_of_several_usages_the_last_counts() -> None:
    early = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}}
    chunks = chunks_of(encode(wire([*EVENTS[:-2], early, *EVENTS[-2:]])))
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (2040, 42)


def test_without_being_asked_for_usage_is_left_out() -> None:
    assert b'"usage"' not in encode(STREAM, include_usage=False)


def test_a_stream_cut_before_its_end_is_an_error() -> None:
    encoder = build_encoder(include_usage=False)
    encoder.feed(wire(EVENTS[:-1]))
    with pytest.raises(UpstreamProtocolError, match="ended before"):
        encoder.close()


def test_the_providers_error_event_ends_the_stream_without_done() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    encoder = build_encoder(include_usage=False)
    out = encoder.feed(wire([*EVENTS[:4], error]))
    assert encoder.failed
    assert b"[DONE]" not in out
    assert json.loads(EventDecoder().feed(out)[-1].data)["error"]["message"] == "Overloaded"


THINKING_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": START},
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Let me "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "sée."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln+/="}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "redacted_thinking", "data": "ZGF0YQ=="},
    },
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "No."}},
        "usage": {"output_tokens": 42},
    },
    {"type": "message_stop"},
]


def deltas_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        json.loads(event.data)["choices"][0]["delta"]
        for event in EventDecoder().feed(encode(wire(events), include_usage=False))[:-1]
    ]


def test_thinking_is_streamed_to_read() -> None:
    text = "".join(delta.get("reasoning_content", "") for delta in deltas_of(THINKING_EVENTS))
    assert text == "Let me sée."


def test_each_thinking_block_comes_whole_at_its_end_with_its_signature() -> None:
    blocks = [delta["thinking_blocks"] for delta in deltas_of(THINKING_EVENTS) if "thinking_blocks" in delta]
    assert blocks == [
        [{"type": "thinking", "thinking": "Let me sée.", "signature": "c2ln+/="}],
        [{"type": "redacted_thinking", "data": "ZGF0YQ=="}],
    ]


def test_a_refusals_explanation_is_streamed_as_the_refusal() -> None:
    assert [delta["refusal"] for delta in deltas_of(THINKING_EVENTS) if "refusal" in delta] == ["No."]


def test_a_stream_of_thinking_cut_at_any_byte_gives_the_same_stream() -> None:
    stream = wire(THINKING_EVENTS)
    assert {encode(stream[:cut], stream[cut:]) for cut in range(len(stream))} == {encode(stream)}


def test_a_call_that_starts_without_input_gets_its_arguments_as_they_come() -> None:
    start = {"type": "tool_use", "id": "t1", "name": "add", "input": None}
    events: list[dict[str, Any]] = [
        {**event, "content_block": start} if event.get("content_block", {}).get("id") == "t1" else event
        for event in EVENTS
    ]
    assert encode(wire(events)) == encode(wire(EVENTS))


def test_nulls_are_absent() -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**START, "usage": None}},
        {"type": "content_block_start", "index": None, "content_block": {"type": "text", "text": None}},
        {"type": "content_block_delta", "index": None, "delta": {"type": "text_delta", "text": "ok"}},
        {"type": "content_block_stop", "index": None},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": None},
        {"type": "message_stop"},
    ]
    assert b'"content":"ok"' in build_encoder(include_usage=False).feed(wire(events))


def test_a_second_message_within_a_stream_is_an_error() -> None:
    encoder = build_encoder(include_usage=False)
    with pytest.raises(UpstreamProtocolError, match="another answer"):
        encoder.feed(wire([*EVENTS[:7], {"type": "message_start", "message": {**START, "id": "msg_2"}}]))


def test_a_message_that_is_begun_twice_is_one() -> None:
    encoder = build_encoder(include_usage=False)
    once = build_encoder(include_usage=False).feed(STREAM)
    assert encoder.feed(wire([EVENTS[0], *EVENTS])) == once


def test_calls_without_ids_get_ids_of_their_own() -> None:
    call: dict[str, Any] = {"type": "tool_use", "id": None, "name": "now", "input": {}}
    starts = [{"type": "content_block_start", "index": n, "content_block": call} for n in range(2)]
    found = EventDecoder().feed(build_encoder(include_usage=False).feed(wire(starts)))
    ids = [json.loads(event.data)["choices"][0]["delta"]["tool_calls"][0]["id"] for event in found]
    assert len(set(ids)) == 2
    assert all(ids)


def test_a_stream_that_ends_without_a_stop_reason_ended_for_what_it_holds() -> None:
    events = [event for event in json.loads(json.dumps(EVENTS)) if event["type"] != "message_delta"]
    assert chunks_of(encode(wire(events)))[-2].choices[0].finish_reason in {"stop", "tool_calls"}


def test_counts_may_be_texts() -> None:
    usage = {"input_tokens": "3", "output_tokens": 1.0}
    start = {"type": "message_start", "message": {"id": "m", "content": [], "usage": usage}}
    text = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "ok"}}
    chunks = chunks_of(encode(wire([start, text, {"type": "message_stop"}])))
    assert [choice.delta.content for chunk in chunks for choice in chunk.choices][1] == "ok"
