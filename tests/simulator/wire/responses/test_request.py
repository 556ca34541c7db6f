"""Requests of the responses endpoint: what is refused, in which words and at which field."""

import json
from typing import Any

import pytest

from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai.request import parse_openai_request
from plano_agents.simulator.wire.responses.request import parse_responses_request
from tests.harnesses.recorded import read_recorded

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "1"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


def refuse(**fields: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_responses_request(json.dumps({"model": "gpt-5.5", "input": "hi", **fields}).encode())
    return caught.value


@pytest.mark.parametrize("value", [None, 1, "x", [], [None]])
@pytest.mark.parametrize("field", ["input", "tools"])
def test_what_is_no_object_is_refused_where_it_stands(field: str, value: object) -> None:
    assert str(refuse(**{field: [value]}).param).startswith(f"{field}[0]")


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"messages": []}, "messages", "Unknown parameter"),
        (
            {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            "input[0].content[0].type",
            "Invalid",
        ),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, None, "Invalid"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "Invalid value"),
        ({"input": [OUTPUT]}, "input", "No tool call found"),
        ({"input": [CALL]}, "input", "No tool output found"),
        ({"input": [{**CALL, "call_id": "c" * 65}, OUTPUT]}, "input[0].call_id", "string too long"),
        ({"tools": [{**FUNCTION, "name": "a b"}]}, "tools[0].name", "pattern"),
        ({"tools": [{"type": "function", "function": {}}]}, None, "parameter"),
        ({"tool_choice": "required"}, "tool_choice", "must be specified"),
        ({"tool_choice": {"type": "function", "name": "g"}, "tools": [FUNCTION]}, "tool_choice", "not found"),
        ({"max_output_tokens": 15}, "max_output_tokens", "below minimum"),
        ({"max_output_tokens": 200_000}, "max_output_tokens", "above maximum"),
        ({"reasoning": {"effort": "minimal"}}, "reasoning.effort", "Unsupported value"),
        ({"temperature": 0.5}, "temperature", "Only the default"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "Invalid type"),
        ({"prompt_cache_key": "k" * 65}, "prompt_cache_key", "string too long"),
    ],
)
def test_what_openai_refuses_is_refused_by_its_field(fields: dict[str, Any], param: str | None, words: str) -> None:
    refusal = refuse(**fields)
    assert words in refusal.message
    assert refusal.param == param or param is None


def test_a_model_without_reasoning_gives_none_encrypted() -> None:
    refusal = refuse(model="gpt-4.1", include=["reasoning.encrypted_content"])
    assert refusal.message == "Encrypted content is not supported with this model."


@pytest.mark.parametrize("number", range(len(read_recorded("codex"))))
def test_what_codex_sends_is_taken_as_it_comes(number: int) -> None:
    request = parse_responses_request(json.dumps(read_recorded("codex")[number].body).encode())
    assert request.conversation.tools or not request.conversation.system.startswith("You are Codex")


@pytest.mark.parametrize(
    ("model", "fields", "is_taken"),
    [
        ("gpt-5.4", {"tools": 1, "reasoning_effort": "low"}, False),
        ("gpt-5.4-mini", {"tools": 1, "reasoning_effort": "low"}, False),
        ("gpt-5.4", {"tools": 1}, True),
        ("gpt-5.4", {"reasoning_effort": "low"}, True),
        ("gpt-5.5", {"tools": 1}, False),
        ("gpt-5.6", {"tools": 1, "reasoning_effort": "none"}, True),
        ("gpt-6", {"tools": 1, "reasoning_effort": "low"}, False),
        ("gpt-5.2", {"tools": 1, "reasoning_effort": "low"}, True),
        ("gpt-5-pro", {}, False),
        ("o3-pro", {}, False),
        ("gpt-5.2-codex", {}, False),
    ],
)
def test_chat_completions_refuse_what_is_taken_on_responses_alone(
    model: str,
    fields: dict[str, Any],
    is_taken: bool,  # noqa: FBT001 - a case
) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    asked = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    if "tools" in asked:
        asked["tools"] = [tool]
    if is_taken:
        parse_openai_request(json.dumps(asked).encode())
    else:
        with pytest.raises(Refusal, match="v1/responses"):
            parse_openai_request(json.dumps(asked).encode())
