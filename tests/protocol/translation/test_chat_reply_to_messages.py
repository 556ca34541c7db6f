import json
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import Message

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_reply import read_completion
from plano_agents.protocol.translation.chat_reply_to_messages import (
    encode_message,
    encode_stream_error,
    encode_upstream_error,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1.10}'}}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 5,
    "total_tokens": 105,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def encode(finish: str | None = "stop", usage: object = USAGE, **message: object) -> bytes:
    choice: dict[str, Any] = {
        "index": 0,
        "finish_reason": finish,
        "logprobs": {"content": []},
        "message": message,
    }
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return encode_message(read_completion(json.dumps({**whole, "usage": usage}).encode(), CallIds()))


def translate(finish: str | None = "stop", usage: object = USAGE, **message: object) -> Message:
    return Message.model_validate_json(encode(finish, usage, **message), strict=True)


def content_of(**message: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(encode(**message))["content"]  # type: ignore[arg-type]  # any field
    return found


def test_id_and_model_are_the_upstreams() -> None:
    found = translate(role="assistant", content="Hi")
    assert (found.id, found.model, found.role) == ("c", "m", "assistant")


def test_text_is_a_block_and_empty_text_is_none() -> None:
    assert content_of(content="Hi") == [{"type": "text", "text": "Hi"}]
    assert content_of(content="") == []


def test_calls_follow_the_text_with_their_arguments_untouched() -> None:
    encoded = encode(content="See.", tool_calls=[CALL, {**CALL, "id": "c2"}])
    assert b'{"type":"tool_use","id":"c1","name":"add","input":{"a": 1.10}},{"type":"tool_use"' in encoded


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_unsigned_thinking(field: str) -> None:
    assert content_of(content="Hi", **{field: "hm"})[0] == {
        "type": "thinking",
        "thinking": "hm",
        "signature": "",
    }


def test_thinking_blocks_come_back_as_they_are() -> None:
    block = {"type": "redacted_thinking", "data": "x"}
    assert content_of(content="Hi", reasoning_content="hm", thinking_blocks=[block])[0] == block


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("model_length", "max_tokens"),
        ("SAFETY", "refusal"),
        ("invented_tomorrow", "end_turn"),
    ],
)
def test_a_finish_reason_becomes_one_of_anthropics(reason: str, expected: str) -> None:
    assert json.loads(encode(reason, content="x"))["stop_reason"] == expected


def test_an_answer_with_calls_stops_for_them_even_where_the_provider_says_stop() -> None:
    assert translate("stop", content=None, tool_calls=[CALL]).stop_reason == "tool_use"


def test_a_refusal_is_text_that_stopped_for_refusal() -> None:
    found = translate("stop", content=None, refusal="No.")
    assert (found.stop_reason, [block.type for block in found.content]) == ("refusal", ["text"])


def test_usage_is_split_into_new_read_and_written() -> None:
    usage = translate(content="x").usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
        10,
        60,
        30,
    )
    assert usage.output_tokens_details is not None
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (5, 3)


def test_an_answer_without_usage_counts_nothing() -> None:
    assert translate(usage=None, content="x").usage.input_tokens == 0


@pytest.mark.parametrize("text", ["[1", '{"a": "unfin', "no JSON", "7"])
def test_arguments_that_are_not_an_object_are_wrapped_into_one(text: str) -> None:
    found = translate("tool_calls", tool_calls=[{**CALL, "function": {"name": "add", "arguments": text}}])
    assert found.content[0].input == {"unparsed_arguments": text}  # type: ignore[union-attr]  # a call


@pytest.mark.parametrize(("arguments", "expected"), [(None, {}), ("", {}), ({"a": 1}, {"a": 1})])
def test_arguments_may_be_left_out_or_be_an_object(arguments: object, expected: object) -> None:
    found = translate("tool_calls", tool_calls=[{**CALL, "function": {"name": "add", "arguments": arguments}}])
    assert found.content[0].input == expected  # type: ignore[union-attr]  # a call


def test_a_call_without_a_name_is_the_upstreams_error() -> None:
    with pytest.raises(UpstreamProtocolError, match="left out its name"):
        encode("tool_calls", tool_calls=[{**CALL, "function": {"name": None, "arguments": "{}"}}])


def test_lists_of_pieces_are_their_text_and_thinking() -> None:
    pieces = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
        {"type": "text", "text": "o"},
        {"type": "text", "text": "k"},
    ]
    found = [block.model_dump(exclude_none=True) for block in translate(content=pieces).content]
    assert found == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "ok"},
    ]


@pytest.mark.parametrize("name", ["id", "created", "model", "usage", "object", "system_fingerprint"])
def test_a_null_of_an_answer_is_absent(name: str) -> None:
    choice = {"index": None, "finish_reason": "stop", "message": {"role": None, "content": "x"}}
    body = {"id": "c", "created": 1, "model": "m", "choices": [choice], name: None}
    found = json.loads(encode_message(read_completion(json.dumps(body).encode(), CallIds())))
    assert found["content"] == [{"type": "text", "text": "x"}]


def test_thinking_that_is_no_block_is_the_upstreams_error() -> None:
    with pytest.raises(UpstreamProtocolError, match="what is not a content block"):
        encode(content="Hi", thinking_blocks=[7])


def test_a_call_that_the_limit_cut_is_left_out() -> None:
    cut = {**CALL, "function": {"name": "add", "arguments": '{"a":'}}
    assert translate("length", content="Hi", tool_calls=[cut]).content[0].type == "text"


def test_a_whole_answer_without_a_finish_reason_stopped_for_what_it_holds() -> None:
    assert translate(None, content="x").stop_reason == "end_turn"
    assert translate(None, content="x", tool_calls=[CALL]).stop_reason == "tool_use"


def test_an_answer_that_holds_nothing_is_the_upstreams_error() -> None:
    with pytest.raises(UpstreamProtocolError, match="finish reason"):
        encode(None, content=None)


def test_a_finish_reason_without_a_counterpart_stands_beside_anthropics() -> None:
    assert json.loads(encode("model_length", content="x"))["native_finish_reason"] == "model_length"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_error_keeps_its_words_and_gets_the_type_of_its_status(status: int, kind: str) -> None:
    assert json.loads(encode_upstream_error(ErrorDetail("Slow down", "requests"), status)) == {
        "type": "error",
        "error": {"type": kind, "message": "Slow down"},
    }


@pytest.mark.parametrize("encode_it", [encode_stream_error, lambda error: encode_upstream_error(error, 400)])
@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 4096 tokens.",
        "The input token count exceeds the maximum number of tokens allowed 1048576.",
        "prompt is too long: 5 tokens > 4 maximum",
    ],
)
def test_too_long_a_prompt_is_told_in_the_words_that_clients_act_on(
    encode_it: Callable[[ErrorDetail], bytes], words: str
) -> None:
    error = json.loads(encode_it(ErrorDetail(words)))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith("prompt is too long: ")
    assert error["message"].endswith(words)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ErrorDetail("x", "server_error"), "api_error"),
        (ErrorDetail("x", "tokens", code="rate_limit_exceeded"), "rate_limit_error"),
    ],
)
def test_an_error_within_a_stream_is_typed_by_its_own_words(error: ErrorDetail, kind: str) -> None:
    assert json.loads(encode_stream_error(error))["error"]["type"] == kind
