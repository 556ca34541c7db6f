"""Refusals of each family of OpenAI's models; the pages that say so stand in the module under test."""

import json

import pytest
from pydantic import JsonValue

from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai.request import parse_openai_request

USER: dict[str, JsonValue] = {"role": "user", "content": "hi"}
CALL: dict[str, JsonValue] = {
    "id": "c" * 41,
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}


def parse(model: str, *messages: JsonValue, **fields: JsonValue) -> None:
    parse_openai_request(json.dumps({"model": model, "messages": [*messages] or [USER], **fields}).encode())


@pytest.mark.parametrize(
    ("model", "fields", "message", "code"),
    [
        ("gpt-4o", {"max_tokens": 16385}, "max_tokens is too large: 16385.", "invalid_value"),
        ("gpt-4.1", {"max_completion_tokens": 32769}, "max_completion_tokens is too", "invalid_value"),
        ("gpt-5", {"max_tokens": 1}, "Unsupported parameter: 'max_tokens'", "unsupported_parameter"),
        ("o3", {"stop": "x"}, "Unsupported parameter: 'stop'", "unsupported_parameter"),
        ("gpt-4o", {"reasoning_effort": "low"}, "Unsupported parameter: 'reas", "unsupported_parameter"),
        ("gpt-5.1", {"reasoning_effort": "minimal"}, "Unsupported value: 'reasoning_ef", "unsupported_value"),
        ("gpt-5", {"temperature": 0.5}, "Unsupported value: 'temperature' does not", "unsupported_value"),
        ("m", {"user": "u" * 65}, "Invalid 'user': string too long.", "string_above_max_length"),
        ("m", {"prompt_cache_key": "u" * 65}, "Invalid 'prompt_cache_key'", "string_above_max_length"),
        ("m", {"safety_identifier": "u" * 65}, "Invalid 'safety_identifier'", "string_above_max_length"),
    ],
)
def test_what_a_model_does_not_take_is_refused_in_the_providers_words(
    model: str, fields: dict[str, JsonValue], message: str, code: str
) -> None:
    with pytest.raises(Refusal) as caught:
        parse(model, **fields)
    assert caught.value.message.startswith(message)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gpt-4o", {"max_tokens": 16384, "user": "u" * 64, "stop": "x", "temperature": 0.5}),
        ("gpt-5", {"reasoning_effort": "minimal", "temperature": 1}),
        ("unheard-of", {"max_tokens": 1_000_000, "reasoning_effort": "max"}),
    ],
)
def test_what_a_model_takes_is_taken(model: str, fields: dict[str, JsonValue]) -> None:
    parse(model, **fields)


def test_the_id_of_a_call_has_forty_characters_at_most() -> None:
    with pytest.raises(Refusal) as caught:
        parse(
            "m",
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c" * 41, "content": "x"},
        )
    assert caught.value.param == "messages[1].tool_calls[0].id"
