import json
from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from plano_agents.errors import UpstreamProtocolError, UpstreamTimeoutError
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.chat_stream import ChatStreamReader
from plano_agents.protocol.translation.chat_stream_to_messages import MessagesStreamWriter
from plano_agents.protocol.translation.stream import StreamTranslator

ORACLE: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def build() -> StreamTranslator:
    return StreamTranslator(ChatStreamReader(), MessagesStreamWriter())


def encode(*chunks: bytes) -> bytes:
    translator = build()
    out = b"".join(translator.feed(chunk) for chunk in chunks) + translator.finish()
    translator.close()
    return out


def events_of(stream: bytes) -> list[dict[str, Any]]:
    events = EventDecoder().feed(stream)
    for event in events:
        assert ORACLE.validate_json(event.data, strict=True).type == event.name
    return [json.loads(event.data) for event in events]


def blocks_of(stream: bytes) -> list[dict[str, Any]]:
    """Assemble the blocks as a client does, and see to it that one ends before the next begins."""
    blocks: list[dict[str, Any]] = []
    open_index: int | None = None
    for event in events_of(stream):
        match event["type"]:
            case "content_block_start":
                assert (open_index, event["index"]) == (None, len(blocks))
                open_index = event["index"]
                blocks.append({**event["content_block"], "json": ""})
            case "content_block_delta":
                assert event["index"] == open_index
                _, value = event["delta"].pop("type"), event["delta"]
                for name, piece in value.items():
                    key = "json" if name == "partial_json" else name
                    blocks[-1][key] += piece
            case "content_block_stop":
                assert event["index"] == open_index
                open_index = None
    assert open_index is None
    return blocks


def test_interleaved_calls_become_blocks_one_after_the_other(chat_stream: bytes) -> None:
    blocks = blocks_of(encode(chat_stream))
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]
    assert [(block["id"], block["name"], block["json"]) for block in blocks[2:]] == [
        ("t1", "add", '{"a": 1}'),
        ("t2", "now", "{}"),
    ]


def test_reasoning_and_text_are_streamed_as_they_come(chat_stream: bytes) -> None:
    blocks = blocks_of(encode(chat_stream))
    assert (blocks[0]["thinking"], blocks[0]["signature"], blocks[1]["text"]) == ("Let me sée.", "", "Só:")


def test_a_stream_cut_at_any_byte_gives_the_same_stream(chat_stream: bytes) -> None:
    whole = encode(chat_stream)
    assert all(encode(chat_stream[:cut], chat_stream[cut:]) == whole for cut in range(len(chat_stream)))


def test_a_stream_that_comes_byte_by_byte_gives_the_same_stream(chat_stream: bytes) -> None:
    pieces = (chat_stream[i : i + 1] for i in range(len(chat_stream)))
    assert encode(*pieces) == encode(chat_stream)


def test_of_several_usages_the_last_counts() -> None:
    """Providers that report usage as it grows send one with every chunk."""
    chunks = [
        {
            "id": "c",
            "choices": [{"index": 0, "delta": {"content": "a"}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1},
        },
        {
            "id": "c",
            "choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2},
        },
        {"id": "c", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}},
    ]
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    (delta,) = [event for event in events_of(encode(stream)) if event["type"] == "message_delta"]
    assert (delta["usage"]["input_tokens"], delta["usage"]["output_tokens"]) == (9, 3)


def test_the_end_tells_the_stop_reason_and_all_usage(chat_stream: bytes) -> None:
    *_, delta, stop = events_of(encode(chat_stream))
    assert (delta["delta"]["stop_reason"], stop) == ("tool_use", {"type": "message_stop"})
    usage = delta["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (40, 60, 5)


def test_the_message_starts_once_with_the_upstreams_id_and_model(chat_stream: bytes) -> None:
    starts = [event for event in events_of(encode(chat_stream)) if event["type"] == "message_start"]
    assert [(start["message"]["id"], start["message"]["model"]) for start in starts] == [("c9", "gpt")]


def test_a_refusal_is_text_and_the_stop_reason(refusal_stream: bytes) -> None:
    stream = encode(refusal_stream)
    assert [block["text"] for block in blocks_of(stream)] == ["No."]
    assert events_of(stream)[-2]["delta"]["stop_reason"] == "refusal"


def test_an_answer_without_an_end_mark_ends_with_its_finish_reason(refusal_stream: bytes) -> None:
    assert events_of(encode(refusal_stream))[-1]["type"] == "message_stop"


def test_a_stream_cut_before_its_finish_reason_is_an_error(chat_stream: bytes) -> None:
    translator = build()
    translator.feed(chat_stream[: chat_stream.index(b'"finish_reason": "')])
    assert translator.finish() == b""
    with pytest.raises(UpstreamProtocolError, match="ended before"):
        translator.close()


def test_an_end_mark_without_a_finish_reason_is_an_error() -> None:
    with pytest.raises(UpstreamProtocolError, match="finish reason"):
        encode(b"data: [DONE]\n\n")


def test_the_providers_error_ends_the_stream_without_an_end(failing_stream: bytes) -> None:
    translator = build()
    events = EventDecoder().feed(translator.feed(failing_stream) + translator.finish())
    assert translator.failed
    assert events[-1].name == "error"
    assert json.loads(events[-1].data)["error"] == {"type": "rate_limit_error", "message": "Slow down"}


def test_a_broken_stream_is_told_in_anthropics_form() -> None:
    (event,) = EventDecoder().feed(build().break_off(UpstreamTimeoutError("Too late.")))
    assert (event.name, json.loads(event.data)["error"]["type"]) == ("error", "timeout_error")


def test_calls_that_share_a_number_are_told_apart_by_their_ids() -> None:
    chunks = [
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "id": name, "function": {"name": name, "arguments": "{}"}}]},
                }
            ]
        }
        for name in ("a", "b")
    ]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in [*chunks, end])
    assert [(block["name"], block["json"]) for block in blocks_of(encode(stream))] == [
        ("a", "{}"),
        ("b", "{}"),
    ]
