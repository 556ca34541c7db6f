import json
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from plano_agents.errors import UpstreamTimeoutError
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.openai_responses_request import parse_request
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.chat_reply_to_responses import build_frame
from plano_agents.protocol.translation.chat_stream import ChatStreamReader
from plano_agents.protocol.translation.chat_stream_to_responses import ResponsesStreamWriter
from plano_agents.protocol.translation.stream import StreamTranslator

ORACLE: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
REQUEST = b'{"input":"hi","metadata":{"a":"b"}}'


def build() -> StreamTranslator:
    frame = build_frame(split_fields(REQUEST), parse_request(REQUEST), created=7)
    return StreamTranslator(ChatStreamReader(), ResponsesStreamWriter(frame))


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


def of_type(stream: bytes, kind: str) -> list[dict[str, Any]]:
    return [event for event in events_of(stream) if event["type"] == f"response.{kind}"]


def test_events_are_numbered_in_their_order(chat_stream: bytes) -> None:
    events = events_of(encode(chat_stream))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_response_is_created_then_in_progress_and_at_last_completed(chat_stream: bytes) -> None:
    kinds = [event["type"] for event in events_of(encode(chat_stream))]
    assert (kinds[:2], kinds[-1]) == (["response.created", "response.in_progress"], "response.completed")


def test_the_completed_response_holds_what_the_items_became(chat_stream: bytes) -> None:
    stream = encode(chat_stream)
    (completed,) = of_type(stream, "completed")
    done = {event["output_index"]: event["item"] for event in of_type(stream, "output_item.done")}
    assert completed["response"]["output"] == [done[index] for index in range(4)]
    assert [item["type"] for item in completed["response"]["output"]] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]


def test_every_item_that_is_added_is_done(chat_stream: bytes) -> None:
    stream = encode(chat_stream)
    added = [event["item"]["id"] for event in of_type(stream, "output_item.added")]
    assert sorted(added) == sorted(event["item"]["id"] for event in of_type(stream, "output_item.done"))


@pytest.mark.parametrize(
    ("delta", "done", "field", "text"),
    [
        ("output_text.delta", "output_text.done", "text", "Só:"),
        ("reasoning_summary_text.delta", "reasoning_summary_text.done", "text", "Let me sée."),
    ],
)
def test_text_is_streamed_and_then_told_whole(chat_stream: bytes, delta: str, done: str, field: str, text: str) -> None:
    stream = encode(chat_stream)
    assert "".join(event["delta"] for event in of_type(stream, delta)) == text
    assert [event[field] for event in of_type(stream, done)] == [text]


def test_interleaved_calls_keep_their_own_arguments(chat_stream: bytes) -> None:
    stream = encode(chat_stream)
    arguments: dict[int, str] = {}
    for event in of_type(stream, "function_call_arguments.delta"):
        place = event["output_index"]
        arguments[place] = arguments.get(place, "") + event["delta"]
    assert arguments == {2: '{"a": 1}', 3: "{}"}
    assert [event["arguments"] for event in of_type(stream, "function_call_arguments.done")] == [
        '{"a": 1}',
        "{}",
    ]


def test_usage_stands_in_the_completed_response(chat_stream: bytes) -> None:
    (completed,) = of_type(encode(chat_stream), "completed")
    usage = completed["response"]["usage"]
    assert (usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"]) == (100, 60)


def test_a_stream_cut_at_any_byte_gives_the_same_stream(chat_stream: bytes) -> None:
    whole = encode(chat_stream)
    assert all(encode(chat_stream[:cut], chat_stream[cut:]) == whole for cut in range(len(chat_stream)))


def test_a_refusal_is_streamed_as_one(refusal_stream: bytes) -> None:
    stream = encode(refusal_stream)
    assert [event["delta"] for event in of_type(stream, "refusal.delta")] == ["No", "."]
    assert [event["refusal"] for event in of_type(stream, "refusal.done")] == ["No."]


def test_an_answer_that_the_limit_cut_is_incomplete(chat_stream: bytes) -> None:
    stream = encode(chat_stream.replace(b'"finish_reason": "tool_calls"', b'"finish_reason": "length"'))
    (ended,) = of_type(stream, "incomplete")
    assert ended["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert ended["response"]["output"][-1]["status"] == "incomplete"


def test_the_providers_error_fails_the_response(failing_stream: bytes) -> None:
    translator = build()
    (failed,) = of_type(translator.feed(failing_stream) + translator.finish(), "failed")
    assert translator.failed
    assert failed["response"]["error"] == {"code": "rate_limit_exceeded", "message": "Slow down"}


def test_a_broken_stream_is_told_by_an_error_event_in_sequence(chat_stream: bytes) -> None:
    translator = build()
    told = events_of(translator.feed(chat_stream[:600]))
    (failed,) = events_of(translator.break_off(UpstreamTimeoutError("Too late.")))
    assert (failed["type"], failed["sequence_number"]) == ("response.failed", len(told))
    assert failed["response"]["error"] == {"code": "server_error", "message": "Too late."}
