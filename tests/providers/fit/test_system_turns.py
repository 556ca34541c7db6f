"""System turns within a conversation: as the model takes them, or as the user's, marked as no user's words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.openai_chat import parse_head
from plano_agents.protocol.user_turns import read_user_turns
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, fit, sent
from tests.providers.fit.providers import check
from tests.providers.fit.test_rows import SCHEMA, USER

TAKES, TAKES_NONE = "anthropic/claude-opus-5-5", "anthropic/claude-sonnet-4-6"
SAID = {"role": "assistant", "content": "Yes."}
SYSTEM = {"role": "system", "content": "Briefly."}
MARKED = "<system-reminder>\nBriefly.\n</system-reminder>"


def ask(*turns: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {"messages": list(turns), "max_tokens": 100, **fields}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def roles(body: dict[str, Any]) -> str:
    return "".join(turn["role"][0] for turn in body["messages"])


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        ([USER, SYSTEM], "us"),
        ([USER, SYSTEM, SAID, USER], "usau"),
        ([USER, SYSTEM, SYSTEM, SAID, USER], "ussau"),
        ([USER, SYSTEM, USER], "u"),
        ([USER, SAID, SYSTEM, USER], "uau"),
    ],
)
def test_a_system_turn_stays_between_the_users_and_the_assistants(turns: list[dict[str, Any]], kept: str) -> None:
    assert roles(sent(MESSAGES, TAKES, ask(*turns))) == kept
    assert roles(sent(CHAT, TAKES, {"messages": turns})) == kept


def test_a_model_without_system_turns_gets_them_as_the_users_marked_as_none_of_the_users_words() -> None:
    body = ask(USER, SYSTEM, SAID, {"role": "system", "content": [text("Briefly."), text(MARKED)]}, USER)
    found = sent(MESSAGES, TAKES_NONE, body)
    assert found["messages"] == [
        {"role": "user", "content": [text("hi"), text(MARKED)]},
        SAID,
        {"role": "user", "content": [text(MARKED), text(MARKED), text("hi")]},
    ]
    assert [each.text for each in fit(MESSAGES, TAKES_NONE, body).adjustments] == [
        "messages later system messages sent as the user's"
    ]


def test_a_chat_model_with_system_messages_first_gets_the_others_marked() -> None:
    body = {"messages": [USER, {"role": "system", "content": "Briefly."}, {**SYSTEM, "content": [text("Briefly.")]}]}
    found = sent(CHAT, "ollama/qwen3.8", body)
    assert [each["content"] for each in found["messages"]] == ["hi", MARKED, [text(MARKED)]]


def test_a_codex_developers_message_is_no_users_word_for_claude() -> None:
    items = [
        USER,
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Briefly."}]},
        USER,
    ]
    found = sent(RESPONSES, TAKES_NONE, {"input": items})
    assert [block["text"] for block in found["messages"][0]["content"]] == ["hi", MARKED, "hi"]


def test_what_is_marked_is_read_as_no_users_word() -> None:
    found = sent(MESSAGES, TAKES_NONE, ask(USER, SYSTEM, SAID, USER))
    head = parse_head(json.dumps(found).encode())
    assert read_user_turns(head.messages) == ["hi", "hi"]


# Changes of tools, and turns that are cleared

TOOLS = [{"name": "add", "input_schema": SCHEMA}, {"name": "later", "input_schema": SCHEMA, "defer_loading": True}]
CHANGES = [
    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "later"}},
    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "add"}},
    {
        "type": "tool_addition",
        "tool": {"type": "tool_definition", "definition": {"name": "new", "input_schema": SCHEMA}},
    },
    {"type": "tool_removal", "tool": {"type": "mcp_toolset_reference", "server_name": "docs"}},
]


def test_a_claude_with_system_turns_gets_changes_of_tools_as_they_are() -> None:
    body = ask(USER, {"role": "system", "content": CHANGES}, tools=TOOLS)
    assert sent(MESSAGES, TAKES, body) == {**body, "model": "claude-opus-5-5"}


def test_another_claude_is_offered_the_tools_as_the_changes_leave_them() -> None:
    body = ask(USER, {"role": "system", "content": CHANGES}, tools=TOOLS)
    found = sent(MESSAGES, TAKES_NONE, body)
    assert found["tools"] == [{"name": name, "input_schema": SCHEMA} for name in ("later", "new")]
    assert [block["text"].split("\n")[1] for block in found["messages"][0]["content"][1:]] == [
        "The tool later can be called now.",
        "The tool add can no longer be called.",
        "The tool new can be called now.",
    ]
    assert "tools changed as the conversation says" in [
        each.text for each in fit(MESSAGES, TAKES_NONE, body).adjustments
    ]


def test_a_tool_that_is_the_only_one_and_removed_leaves_no_tools() -> None:
    body = ask(USER, {"role": "system", "content": CHANGES[1:2]}, tools=TOOLS[:1], tool_choice={"type": "auto"})
    assert {"tools", "tool_choice"}.isdisjoint(sent(MESSAGES, TAKES_NONE, body))


@pytest.mark.parametrize(("model", "count"), [(TAKES, 4), (TAKES_NONE, 3), ("anthropic/claude-opus-4-8", 3)])
def test_a_turn_that_is_to_be_cleared_is_left_out_where_the_model_clears_none(model: str, count: int) -> None:
    cleared = {**SYSTEM, "clear_at": "next_user_message"}
    found = sent(MESSAGES, model, ask(USER, cleared, SAID, USER))
    assert len(found["messages"]) == count
    assert ("clear_at" in str(found)) == (model == TAKES)


# Any conversation

TURNS = st.sampled_from(
    [
        USER,
        SAID,
        SYSTEM,
        {"role": "system", "content": [text("Briefly."), *CHANGES]},
        {"role": "system", "content": CHANGES[:1]},
        {**SYSTEM, "clear_at": "next_user_message"},
        {"role": "system", "content": [], "output_config": {"effort": "high"}},
        {**SYSTEM, "output_config": {"effort": "max"}},
    ]
)
TARGETS = st.sampled_from(
    [
        *(f"anthropic/claude-{name}" for name in ("opus-5-5", "opus-5", "opus-4-8", "sonnet-4-6", "haiku-4-5")),
        *("openai/gpt-4o", "mistral/mistral-large-latest", "ollama/qwen3.8", "deepseek/deepseek-v4-flash"),
    ]
)


@given(target=TARGETS, turns=st.lists(TURNS, max_size=7))
def test_system_turns_anywhere_are_fitted_so_that_the_target_takes_them(
    target: str, turns: list[dict[str, Any]]
) -> None:
    """Also where Anthropic's own API would refuse them."""
    found = sent(MESSAGES, target, ask(USER, *turns, tools=TOOLS))
    check(target, found)
    if target.startswith("anthropic/"):
        parse_anthropic_request(json.dumps(found).encode())
    once = fit(MESSAGES if target.startswith("anthropic/") else CHAT, target, found)
    assert (json.loads(once.body), once.adjustments) == (found, ())
