"""Fields within messages and tools that a provider refuses: left out, and told where they said something."""

import json
from typing import Any

import pytest

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol.adjustment import Adjustment
from tests.providers.fit.conftest import CHAT, MESSAGES, fit, sent
from tests.providers.fit.test_rows import SCHEMA, USER

MARK = {"cache_control": {"type": "ephemeral"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MARKED: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "You help.", **MARK}]},
        {**USER, **MARK},
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, **MARK}]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "ok", **MARK}]},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": SCHEMA}, **MARK},
        {"type": "function", "function": {"name": "g", "parameters": SCHEMA, **MARK}},
    ],
}
SENT_BACK: dict[str, object] = {
    "role": "assistant",
    "content": "Hello.",
    "refusal": None,
    "annotations": [],
    "audio": None,
    "function_call": None,
    "reasoning": "I greet.",
}


def tell(target: str, body: dict[str, Any]) -> tuple[Adjustment, ...]:
    return fit(CHAT, target, body).adjustments


@pytest.mark.parametrize(
    "target",
    ["openai/gpt-4o", "mistral/mistral-large-latest", "groq/llama-3.3-70b", "deepseek/deepseek-v4-flash"],
)
def test_marks_for_anthropics_cache_do_not_reach_who_refuses_them(target: str) -> None:
    fitted = fit(CHAT, target, MARKED)
    assert b"cache_control" not in fitted.body
    assert "cache_control" in {each.field for each in fitted.adjustments}


@pytest.mark.parametrize("target", ["openrouter/anthropic/claude-sonnet-4.6", "zhipu/glm-5"])
def test_marks_for_the_cache_reach_who_takes_them(target: str) -> None:
    assert json.dumps(sent(CHAT, target, MARKED)).count("cache_control") == json.dumps(MARKED).count("cache_control")


def test_a_mark_at_a_call_reaches_claude() -> None:
    body = sent(CHAT, "anthropic/claude-sonnet-4-6", {"messages": MARKED["messages"]})
    assert body["messages"][1]["content"][0]["cache_control"] == MARK["cache_control"]


@pytest.mark.parametrize("target", ["mistral/mistral-large-latest", "groq/llama-3.3-70b"])
def test_an_answers_fields_may_be_sent_back_to_who_refuses_them(target: str) -> None:
    body = {"messages": [{**USER, "name": "bob"}, SENT_BACK, USER]}
    assert sent(CHAT, target, body)["messages"][1] == {"role": "assistant", "content": "Hello."}
    assert [each.text for each in tell(target, body)] == [
        "messages: name dropped",
        "messages: reasoning dropped",
    ]


def test_openai_gets_its_own_fields_of_an_answer_back() -> None:
    body = {"messages": [USER, SENT_BACK, USER]}
    assert sent(CHAT, "openai/gpt-4o", body)["messages"][1] == {
        name: value for name, value in SENT_BACK.items() if name != "reasoning"
    }


def test_groq_gets_no_field_that_it_refuses() -> None:
    body = {"messages": [USER], "prompt_cache_key": "k", "logit_bias": {"1": 5}, "logprobs": False, "n": 1}
    assert sent(CHAT, "groq/llama-3.3-70b", body).keys() == {"model", "messages"}


def test_a_server_of_unknown_make_gets_the_developers_message_as_the_systems() -> None:
    body = {"messages": [{"role": "developer", "content": "You help."}, USER]}
    assert sent(CHAT, "vllm/qwen3.8", body, interface="openai")["messages"][0]["role"] == "system"


def test_system_messages_alone_become_the_users_turn() -> None:
    body = {"messages": [{"role": "system", "content": "Say hi."}]}
    found = sent(CHAT, "anthropic/claude-sonnet-4-6", body)
    assert found["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hi."}]}]
    assert "system" not in found


@pytest.mark.parametrize(
    ("target", "sent_back"),
    [
        ("openai/gpt-4o", [{"role": "assistant", "content": ""}]),
        ("mistral/mistral-large-latest", []),
        ("vllm/qwen3.8", [{"role": "assistant", "content": None, "tool_calls": []}]),
    ],
)
def test_an_assistants_turn_without_anything_is_what_the_provider_takes(target: str, sent_back: object) -> None:
    empty: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    more = {"interface": "openai"} if target.startswith("vllm") else {}
    body = sent(CHAT, target, {"messages": [USER, empty, USER]}, **more)
    assert body["messages"][1:-1] == sent_back


def test_mistral_goes_on_from_a_last_assistants_message_by_its_prefix() -> None:
    body = {"messages": [USER, {"role": "assistant", "content": "So:"}]}
    assert sent(CHAT, "mistral/mistral-large-latest", body)["messages"][-1] == {
        "role": "assistant",
        "content": "So:",
        "prefix": True,
    }
    assert "prefix" not in sent(CHAT, "openai/gpt-4o", body)["messages"][-1]


@pytest.mark.parametrize("tools", [{"tools": []}, {"tools": None}, {}])
@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_choice_without_tools_is_left_out(tools: dict[str, object], choice: str) -> None:
    chat = {"messages": [USER], "tool_choice": choice, "parallel_tool_calls": True, **tools}
    assert sent(CHAT, "openai/gpt-4o", chat).keys() == {"model", "messages"}
    messages = {"messages": [USER], "max_tokens": 9, "tool_choice": {"type": choice}, **tools}
    assert sent(MESSAGES, "anthropic/claude-sonnet-4-6", messages).keys() == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize("target", ["mistral/mistral-large-latest", "gemini/gemini-2.5-flash", "groq/llama-3.3-70b"])
def test_a_custom_tool_is_refused_by_its_place_where_it_is_not_known(target: str) -> None:
    """Another model of the route may serve the request; only OpenAI's wire and the way to Anthropic's have them."""
    custom = {"type": "custom", "custom": {"name": "apply_patch"}}
    with pytest.raises(UnsupportedFieldError) as caught:
        sent(CHAT, target, {"messages": [USER], "tools": [MARKED["tools"][0], custom]})
    assert caught.value.param == "tools[1].type"
    assert sent(CHAT, "openai/gpt-5", {"messages": [USER], "tools": [custom]})["tools"] == [custom]


def test_claude_gets_the_last_four_marks() -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": f"turn {n}", **MARK}]} for n in range(6)]
    body = {"messages": turns, "system": [{"type": "text", "text": "You help.", **MARK}], "max_tokens": 9}
    fitted = fit(MESSAGES, "anthropic/claude-sonnet-4-6", body)
    sent_turns = json.loads(fitted.body)["messages"]
    assert ["cache_control" in turn["content"][0] for turn in sent_turns] == [False] * 3 + [True] * 3
    assert [each.text for each in fitted.adjustments] == ["cache_control marks left out: 3"]


def test_four_marks_stay() -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}] * 4
    fitted = fit(MESSAGES, "anthropic/claude-sonnet-4-6", {"messages": turns, "max_tokens": 9})
    assert fitted.body.count(b"cache_control") == 4
    assert fitted.adjustments == ()
