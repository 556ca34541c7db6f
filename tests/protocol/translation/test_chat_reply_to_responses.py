import json
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response

from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.openai_responses import unseal_thinking
from plano_agents.protocol.openai_responses_request import parse_request
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_reply import read_completion
from plano_agents.protocol.translation.chat_reply_to_responses import build_frame, encode_response

CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1.10}'}}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 5,
    "total_tokens": 105,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def translate(
    finish: str | None = "stop",
    usage: object = USAGE,
    request: dict[str, Any] | None = None,
    **message: object,
) -> Response:
    body = json.dumps({"input": "hi", **(request or {})}).encode()
    choice = {"index": 0, "finish_reason": finish, "message": message}
    reply = {"id": "c9", "created": 1, "model": "gpt", "choices": [choice], "usage": usage}
    frame = build_frame(split_fields(body), parse_request(body), created=7)
    encoded = encode_response(read_completion(json.dumps(reply).encode(), CallIds()), frame)
    return Response.model_validate_json(encoded, strict=True)


def output_of(**message: object) -> list[dict[str, Any]]:
    return [item.model_dump(exclude_none=True) for item in translate(**message).output]  # type: ignore[arg-type]  # any field


def test_the_response_is_named_after_the_upstreams_answer() -> None:
    found = translate(content="Hi")
    assert (found.id, found.model, found.created_at, found.status) == ("resp_c9", "gpt", 7, "completed")


def test_text_is_a_message() -> None:
    assert translate(content="Hi").output_text == "Hi"


def test_reasoning_text_and_calls_are_items_in_this_order() -> None:
    items = output_of(content="See.", reasoning_content="hm", tool_calls=[CALL, {**CALL, "id": "t2"}])
    assert [item["type"] for item in items] == ["reasoning", "message", "function_call", "function_call"]
    assert len({item["id"] for item in items}) == 4


def test_a_calls_arguments_are_untouched() -> None:
    (item,) = output_of(content=None, tool_calls=[CALL])
    assert (item["call_id"], item["name"], item["arguments"]) == ("t1", "add", '{"a": 1.10}')


def test_thinking_is_summarized_and_sealed() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    (item, _) = output_of(content="Hi", reasoning_content="hm", thinking_blocks=[block])
    assert item["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert msgspec.json.decode(msgspec.json.encode(unseal_thinking(item["encrypted_content"]))) == [block]


def test_a_refusal_is_a_part_of_the_message() -> None:
    (item,) = output_of(content=None, refusal="No.")
    assert item["content"] == [{"type": "refusal", "refusal": "No."}]


@pytest.mark.parametrize(("reason", "details"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_did_not_end_well_is_incomplete(reason: str, details: str) -> None:
    found = translate(reason, content="Hi")
    assert found.incomplete_details is not None
    assert (found.status, found.incomplete_details.reason) == ("incomplete", details)
    assert found.output[0].status == "incomplete"  # type: ignore[union-attr]  # a message


def test_a_whole_answer_without_a_finish_reason_is_complete() -> None:
    assert translate(None, content="x").status == "completed"


def test_usage_counts_cached_and_reasoning_tokens() -> None:
    usage = translate(content="x").usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 5, 105)
    assert usage.input_tokens_details.model_dump(exclude_none=True) == {
        "cached_tokens": 60,
        "cache_write_tokens": 30,
    }
    assert usage.output_tokens_details.reasoning_tokens == 3


def test_an_answer_without_usage_has_none() -> None:
    assert translate(usage=None, content="x").usage is None


def test_the_request_is_repeated() -> None:
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": True}
    request: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 5,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "tool_choice": {"type": "function", "name": "add"},
        "tools": [tool],
        "top_p": 0.25,
        "user": "u",
    }
    found = translate(content="x", request=request).model_dump(exclude_none=True, by_alias=True)
    assert {name: found[name] for name in request} == request


def test_what_the_request_leaves_open_is_told_by_its_default() -> None:
    found = translate(content="x")
    assert (found.tool_choice, found.tools, found.metadata, found.parallel_tool_calls) == (
        "auto",
        [],
        {},
        True,
    )
