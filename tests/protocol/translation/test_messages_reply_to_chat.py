import json
from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.openai_completion import ReplyCall, ReplyFunction
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.messages_reply_to_chat import (
    parse_completion,
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


def encode(body: bytes) -> bytes:
    """Translate an answer's body, as the router does."""
    return msgspec.json.encode(parse_completion(body, CallIds(), created=7))


def translate(**fields: object) -> ChatCompletion:
    encoded = encode(json.dumps(reply(**fields)).encode())
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
    found = json.loads(encode(body.encode()))
    assert found["choices"][0]["message"]["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1.10}'}}
    ]


def test_a_call_without_input_has_no_arguments() -> None:
    call = {"type": "tool_use", "id": "t", "name": "now", "input": None}
    (found,) = parse_completion(json.dumps(reply(content=[call])).encode(), CallIds(), created=7).choices
    assert found.message.tool_calls == (ReplyCall("t", ReplyFunction("now", "{}")),)


@pytest.mark.parametrize("value", [[], "x", 1, True])
def test_a_calls_input_that_is_no_object_is_the_upstreams_error(value: object) -> None:
    with pytest.raises(UpstreamProtocolError, match="'now' with an input that is not a JSON object"):
        translate(content=[{"type": "tool_use", "id": "t", "name": "now", "input": value}])


def test_an_answer_of_calls_alone_has_no_content() -> None:
    found = translate(content=[{"type": "tool_use", "id": "t", "name": "n", "input": {}}], stop_reason="tool_use")
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
        ("pause_turn", "stop"),
        ("invented_tomorrow", "stop"),
        (None, "stop"),
    ],
)
def test_a_stop_reason_becomes_one_of_openais(reason: str | None, expected: str) -> None:
    found = json.loads(encode(json.dumps(reply(stop_reason=reason)).encode()))
    assert found["choices"][0]["finish_reason"] == expected


def test_a_stop_reason_without_a_counterpart_stands_beside_openais() -> None:
    choice = json.loads(encode(json.dumps(reply(stop_reason="pause_turn")).encode()))["choices"][0]
    assert choice["native_finish_reason"] == "pause_turn"


def test_a_call_without_an_id_gets_one_of_the_requests() -> None:
    call = {"type": "tool_use", "id": None, "name": "now", "input": {"of": None}}
    body = json.dumps(reply(content=[call, call])).encode()
    ids = [
        [call.id for call in parse_completion(body, CallIds(request), created=7).choices[0].message.tool_calls or ()]
        for request in (b"first turn", b"second turn")
    ]
    assert len({*ids[0], *ids[1]}) == 4


def test_nulls_are_absent_but_in_a_tools_input() -> None:
    call = {"type": "tool_use", "id": "t", "name": "now", "input": {"of": None}}
    text = {"type": "text", "text": None}
    found = translate(id=None, model=None, usage=None, content=[text, call], stop_details=None)
    (called,) = found.choices[0].message.model_dump()["tool_calls"]
    assert called["function"] == {"name": "now", "arguments": '{"of":null}'}


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
        encode(body)


THINKING = '{"type":"thinking","thinking":"I s\\u00e9e.","signature":"c2ln+/=","later_field":1.10}'
REDACTED = '{"type": "redacted_thinking", "data": "ZGF0YQ=="}'


def test_thinking_is_given_to_read_and_byte_for_byte_to_send_back() -> None:
    body = json.dumps(reply()).replace('"content": [', f'"content": [{THINKING}, {REDACTED}, ')
    encoded = encode(body.encode())
    assert f'"reasoning_content":"I sée.","thinking_blocks":[{THINKING},{REDACTED}]'.encode() in encoded


def test_an_answer_without_thinking_has_no_thinking_fields() -> None:
    encoded = encode(json.dumps(reply()).encode())
    assert b"thinking" not in encoded
    assert b"reasoning_content" not in encoded


def test_a_refusals_explanation_is_the_refusal() -> None:
    found = translate(stop_reason="refusal", stop_details={"type": "refusal", "explanation": "No."})
    assert (found.choices[0].message.refusal, found.choices[0].finish_reason) == ("No.", "content_filter")


def test_thinking_tokens_are_reasoning_tokens() -> None:
    usage = translate(usage={**USAGE, "output_tokens_details": {"thinking_tokens": 3}}).usage
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "ok"},
        {"content": [None, {"type": "text", "text": "ok"}]},
        {"usage": {"input_tokens": "3", "output_tokens": 2.0}},
    ],
)
def test_a_message_is_read_leniently(fields: dict[str, object]) -> None:
    whole = {"content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn", **fields}
    found = parse_completion(json.dumps(whole).encode(), CallIds(), created=7)
    assert found.choices[0].message.content == "ok"


def test_an_answer_that_calls_ends_for_its_calls() -> None:
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    body = json.dumps({"content": [use], "stop_reason": "end_turn"}).encode()
    assert parse_completion(body, CallIds(), created=7).choices[0].finish_reason == "tool_calls"
