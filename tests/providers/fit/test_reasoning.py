"""Reasoning of earlier turns, on its way to providers that take it and to those that do not."""

from typing import Any

import pytest

from plano_agents.protocol.signature_mark import build_mark
from tests.providers.fit.conftest import CHAT, MESSAGES, fit, sent

USER = {"role": "user", "content": "hi"}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
SKIPPED = {"google": {"thought_signature": "skip_thought_signature_validator"}}
SIGNED = {"google": {"thought_signature": "sig"}}


def called(**fields: object) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}"}
    call = {"id": "call_1", "type": "function", "function": function}
    extra = {"extra_content": fields.pop("extra_content")} if "extra_content" in fields else {}
    return {"role": "assistant", "content": None, "tool_calls": [{**call, **extra}], **fields}


def turns(name: str, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(CHAT, name, {"messages": [*messages]})["messages"]
    return found


@pytest.mark.parametrize(("name", "expected"), [("deepseek/deepseek-v4-flash", ""), ("moonshotai/kimi-k2.6", " ")])
def test_a_turn_with_calls_and_no_reasoning_goes_with_an_empty_one(name: str, expected: str) -> None:
    found = turns(name, USER, called(), RESULT, {"role": "assistant", "content": "ok"}, USER)
    assert found[1]["reasoning_content"] == expected
    assert "reasoning_content" not in found[3]


@pytest.mark.parametrize("name", ["deepseek/deepseek-v4-flash", "moonshotai/kimi-k2.6", "vllm/qwen"])
def test_reasoning_goes_back_to_who_may_have_given_it(name: str) -> None:
    interface = {"interface": "openai"} if name.startswith("vllm") else {}
    found = sent(CHAT, name, {"messages": [USER, called(reasoning_content="hm"), RESULT]}, **interface)
    assert found["messages"][1]["reasoning_content"] == "hm"


@pytest.mark.parametrize("name", ["openai/gpt-4o", "mistral/mistral-large-latest", "groq/x", "gemini/gemini-2.5-pro"])
def test_reasoning_is_left_out_for_who_refuses_it(name: str) -> None:
    assert "reasoning_content" not in turns(name, USER, called(reasoning_content="hm"), RESULT)[1]


def test_a_call_of_the_current_turn_without_a_signature_goes_to_gemini_3_with_googles_word_for_it() -> None:
    found = turns("gemini/gemini-3-flash-preview", USER, called(), RESULT, USER, called(), RESULT, called(), RESULT)
    extras = [message["tool_calls"][0].get("extra_content") for message in found if "tool_calls" in message]
    assert extras == [None, SKIPPED, SKIPPED]


def test_geminis_own_signature_goes_back_to_it() -> None:
    found = turns("gemini/gemini-3-flash-preview", USER, called(extra_content=SIGNED), RESULT)
    assert found[1]["tool_calls"][0]["extra_content"] == SIGNED


def test_a_gemini_that_wants_no_signatures_gets_none_made() -> None:
    assert "extra_content" not in turns("gemini/gemini-2.5-pro", USER, called(), RESULT)[1]["tool_calls"][0]


@pytest.mark.parametrize("name", ["openai/gpt-4o", "deepseek/deepseek-v4-flash", "mistral/mistral-large-latest"])
def test_another_provider_does_not_get_geminis_signature(name: str) -> None:
    found = turns(name, USER, called(extra_content=SIGNED), RESULT)
    assert "extra_content" not in found[1]["tool_calls"][0]


def use(*before: dict[str, Any]) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
    return [USER, {"role": "assistant", "content": [*before, call]}, {"role": "user", "content": [result]}]


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig"}
MANUAL = {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}}


def test_manual_thinking_is_left_out_of_a_turn_whose_calls_were_made_without() -> None:
    fitted = fit(MESSAGES, "anthropic/claude-sonnet-4-5", {**MANUAL, "messages": use()})
    assert b'"thinking"' not in fitted.body
    assert "thinking" in {each.field for each in fitted.adjustments}


@pytest.mark.parametrize("messages", [use(THOUGHT), [*use(), {"role": "assistant", "content": "ok"}, USER]])
def test_manual_thinking_stays_where_nothing_is_missing(messages: list[dict[str, Any]]) -> None:
    assert sent(MESSAGES, "anthropic/claude-sonnet-4-5", {**MANUAL, "messages": messages})["thinking"]


GLM = {"base_url": "https://glm.example/v1", "interface": "anthropic"}
GLM_MARK = build_mark(GLM["base_url"])


def signed(mark: str) -> list[dict[str, Any]]:
    return use({**THOUGHT, "signature": f"{mark}sig"})


def test_thinking_goes_back_to_the_endpoint_that_signed_it() -> None:
    body = {"max_tokens": 9, "messages": signed(GLM_MARK)}
    assert sent(MESSAGES, "anthropic/glm-5", body, **GLM)["messages"][1]["content"][0] == THOUGHT
    assert (
        sent(MESSAGES, "anthropic/claude-sonnet-4-6", {**body, "messages": signed("")})["messages"][1]["content"][0]
        == THOUGHT
    )


def test_thinking_that_another_endpoint_signed_is_left_out() -> None:
    body = {"max_tokens": 9, "messages": signed(GLM_MARK)}
    fitted = fit(MESSAGES, "anthropic/claude-sonnet-4-6", body)
    assert b'"thinking"' not in fitted.body
    assert fitted.adjustments
    assert b'"thinking"' not in fit(MESSAGES, "anthropic/glm-5", {**body, "messages": signed("")}, **GLM).body


def test_a_claude_behind_an_address_of_ones_own_signs_as_anthropic_does() -> None:
    body = {"max_tokens": 9, "messages": signed("")}
    assert sent(MESSAGES, "anthropic/claude-sonnet-4-6", body, **GLM)["messages"][1]["content"][0] == THOUGHT


def test_an_endpoints_signatures_are_marked_in_its_answers() -> None:
    fitted = fit(MESSAGES, "anthropic/glm-5", {"max_tokens": 9, "messages": [USER]}, **GLM)
    assert fitted.restore(b'{"type":"signature_delta","signature":"sig"}').endswith(f'"{GLM_MARK}sig"}}'.encode())


def test_without_a_users_message_every_call_is_of_the_current_turn() -> None:
    found = turns("gemini/gemini-3-flash-preview", called(), RESULT)
    assert [message["tool_calls"][0]["extra_content"] for message in found if "tool_calls" in message] == [SKIPPED]
