"""Refusals of each family of Claude; the pages that say so stand in the module under test."""

import json

import pytest
from pydantic import JsonValue

from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.exchange import Refusal

USER: dict[str, JsonValue] = {"role": "user", "content": "hi"}
SYSTEM: dict[str, JsonValue] = {"role": "system", "content": "Be brief."}
OBJECT: dict[str, JsonValue] = {"type": "object"}
OFF: dict[str, JsonValue] = {"type": "disabled"}


def parse(model: str = "m", *messages: JsonValue, **fields: JsonValue) -> None:
    body = {"model": model, "max_tokens": 2000, "messages": [*messages] or [USER], **fields}
    parse_anthropic_request(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        ("claude-opus-4-1", {"max_tokens": 32001}, "max_tokens: 32001 > 32000, which is the maximum allowed"),
        (
            "claude-haiku-4-5",
            {"max_tokens": 64001},
            "max_tokens: 64001 > 64000, which is the maximum allowed",
        ),
        ("claude-opus-5-5", {"max_tokens": 128001}, "max_tokens: 128001 > 128000"),
        ("claude-sonnet-4-5", {"output_config": {"effort": "low"}}, "This model does not support the effort"),
        (
            "claude-opus-4-5",
            {"output_config": {"effort": "max"}},
            "output_config.effort: This model does not",
        ),
        (
            "claude-sonnet-4-6",
            {"output_config": {"effort": "xhigh"}},
            "output_config.effort: This model does",
        ),
        ("claude-sonnet-4-5", {"thinking": {"type": "adaptive"}}, "adaptive thinking is not supported"),
        (
            "claude-opus-4-7",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            '"thinking.type.enabled" is not supported',
        ),
        ("claude-opus-5-5", {"thinking": OFF}, '"thinking.type.disabled" is not supported for this model.'),
        ("claude-mythos-5", {"thinking": OFF}, '"thinking.type.disabled" is not supported for this model.'),
        ("claude-sonnet-5-5", {"thinking": OFF}, '"thinking.type.disabled" is not supported for this model.'),
        (
            "claude-opus-5",
            {"thinking": OFF, "output_config": {"effort": "max"}},
            "thinking.type: 'disabled' is not supported with effort level 'max'.",
        ),
        (
            "claude-opus-5-5",
            {"tools": [{"name": "f", "input_schema": OBJECT}], "tool_choice": {"type": "any"}},
            "tool_choice: forced tool use is not supported for this model.",
        ),
        ("claude-opus-4-7", {"temperature": 1}, "`temperature` is deprecated for this model."),
        (
            "claude-opus-4-6",
            {"temperature": 1, "top_p": 1},
            "`temperature` and `top_p` cannot both be specified",
        ),
        ("m", {"stop_sequences": ["\n"]}, "stop_sequences: each stop sequence must contain non-whitespace"),
        ("m", {"metadata": {"user_id": "u" * 257}}, "metadata.user_id: String should have at most 256"),
        (
            "m",
            {"tools": [{"name": "f", "input_schema": {}}]},
            "tools.0.custom.input_schema.type: Field required",
        ),
        (
            "m",
            {"tools": [{"name": "f", "input_schema": {**OBJECT, "anyOf": []}}]},
            "tools.0.custom.input_schema: input_schema does not support oneOf",
        ),
    ],
)
def test_what_a_model_does_not_take_is_refused_in_the_providers_words(
    model: str, fields: dict[str, JsonValue], message: str
) -> None:
    with pytest.raises(Refusal) as caught:
        parse(model, **fields)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-opus-4-5", {"output_config": {"effort": "high"}}),
        ("claude-sonnet-4-6", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
        ("claude-sonnet-4-0", {"temperature": 1, "top_p": 1}),
        ("claude-opus-5", {"thinking": OFF, "output_config": {"effort": "high"}}),
        ("claude-opus-4-8", {"thinking": OFF, "output_config": {"effort": "max"}}),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
        ("unheard-of", {"max_tokens": 1_000_000, "output_config": {"effort": "max"}}),
    ],
)
def test_what_a_model_takes_is_taken(model: str, fields: dict[str, JsonValue]) -> None:
    parse(model, **fields)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "assistant", "content": "So"}, "This model does not support assistant message prefill."),
        ({"role": "system", "content": "Be brief."}, "role 'system' is not supported on this model"),
        (
            {"role": "user", "content": [{"type": "text", "text": " \n"}]},
            "messages: text content blocks must con",
        ),
        (
            {"role": "assistant", "content": [{"type": "text", "text": "So "}]},
            "messages: final assistant content cannot end with trailing whitespace",
        ),
    ],
)
def test_a_turn_that_a_model_does_not_take_is_refused(message: JsonValue, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse("claude-sonnet-4-6", USER, message)
    assert caught.value.message.startswith(words)


@pytest.mark.parametrize("later", [[], [SYSTEM], [SYSTEM, {"role": "assistant", "content": "Yes."}, USER]])
def test_newer_models_take_instructions_between_turns(later: list[JsonValue]) -> None:
    parse("claude-opus-4-8", USER, SYSTEM, *later)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([USER, SYSTEM, USER], "messages.1: role 'system' must precede an 'assistant' message or end the array"),
        (
            [USER, {"role": "assistant", "content": "Yes."}, SYSTEM],
            "messages.2: role 'system' messages must immediately",
        ),
    ],
)
def test_instructions_elsewhere_are_refused(messages: list[JsonValue], words: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse("claude-opus-4-8", *messages)
    assert caught.value.message.startswith(words)
