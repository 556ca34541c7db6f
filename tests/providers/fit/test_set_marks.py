"""Marks for Anthropic's cache, set where the client sets none."""

import json
from typing import Any

import pytest

from plano_agents.protocol.form import Form
from plano_agents.providers.cache_keys import UNAIDED, Caching
from plano_agents.providers.fit import Fitted
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, fit_cached

CLAUDE = "anthropic/claude-sonnet-4-6"
MARKED = Caching(sets_marks=True)
MARK = {"cache_control": {"type": "ephemeral"}}
TEXT = "word " * 1000
USER = {"role": "user", "content": "hi"}
ASSISTANT = {"role": "assistant", "content": "yes"}


def tool(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "description": TEXT, "input_schema": {"type": "object"}, **more}


def mark(body: dict[str, Any], *, surface: Form = MESSAGES, name: str = CLAUDE, least: int = 1024) -> Fitted:
    limit = {} if surface is RESPONSES else {"max_tokens": 9}
    return fit_cached(surface, name, {**limit, **body}, MARKED, least)


def read(fitted: Fitted) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fitted.body)
    return found


def find_marks(value: object, path: str = "") -> list[str]:
    """List the places of marks."""
    if isinstance(value, dict):
        own = [path] if "cache_control" in value else []
        return own + [each for name, item in value.items() for each in find_marks(item, f"{path}.{name}")]
    if isinstance(value, list):
        return [each for at, item in enumerate(value) for each in find_marks(item, f"{path}[{at}]")]
    return []


def test_tools_system_and_the_last_turns_are_marked_and_that_is_told() -> None:
    turns = [USER, ASSISTANT, USER, ASSISTANT, USER]
    fitted = mark({"tools": [tool("a"), tool("b")], "system": "You help.", "messages": turns})
    assert find_marks(read(fitted)) == [
        ".tools[1]",
        ".system[0]",
        ".messages[2].content[0]",
        ".messages[4].content[0]",
    ]
    assert read(fitted)["system"] == [{"type": "text", "text": "You help.", **MARK}]
    assert [each.text for each in fitted.adjustments] == ["cache_control marks set: 4"]
    assert not fitted.adjustments[0].alters


def test_what_is_marked_says_the_same() -> None:
    body = {"tools": [tool("a")], "system": [{"type": "text", "text": TEXT}], "messages": [USER, ASSISTANT, USER]}

    def leave_out(value: object) -> object:
        if isinstance(value, dict):
            return {name: leave_out(item) for name, item in value.items() if name != "cache_control"}
        return [leave_out(item) for item in value] if isinstance(value, list) else value

    sent = leave_out(read(mark(body)))
    as_blocks = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in (USER, USER)]
    expected = {**body, "messages": [as_blocks[0], ASSISTANT, as_blocks[1]]}
    assert sent == {**expected, "max_tokens": 9, "model": "claude-sonnet-4-6"}


@pytest.mark.parametrize(
    "own",
    [
        {"cache_control": {"type": "ephemeral"}},
        {"system": [{"type": "text", "text": TEXT, **MARK}]},
        {"tools": [tool("a", **MARK)]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": TEXT, **MARK}]}]},
    ],
)
def test_a_client_that_marks_anything_itself_gets_no_mark_of_ours(own: dict[str, Any]) -> None:
    body = {"system": TEXT, "tools": [tool("a")], "messages": [USER], **own}
    fitted = mark(body)
    assert fitted.body.count(b"cache_control") == 1
    assert fitted.adjustments == ()


def test_a_prompt_that_talks_of_marks_is_not_marked_by_that() -> None:
    talk = {"role": "user", "content": json.dumps({"cache_control": TEXT})}
    assert find_marks(read(mark({"messages": [talk]}))) == [".messages[0].content[0]"]


@pytest.mark.parametrize(
    ("body", "marks"),
    [
        ({"messages": [USER]}, []),
        ({"system": TEXT, "messages": [USER]}, [".system[0]", ".messages[0].content[0]"]),
        ({"system": "short", "messages": [{**USER, "content": TEXT}]}, [".messages[0].content[0]"]),
    ],
)
def test_a_prefix_that_is_too_short_is_not_marked(body: dict[str, Any], marks: list[str]) -> None:
    assert find_marks(read(mark(body))) == marks


def test_the_least_length_is_configured() -> None:
    assert find_marks(read(mark({"messages": [USER]}, least=1))) == [".messages[0].content[0]"]


@pytest.mark.parametrize(
    ("content", "marks"),
    [
        ([{"type": "text", "text": TEXT}, {"type": "text", "text": " "}], [".messages[0].content[0]"]),
        ([{"type": "text", "text": " "}], []),
        (" ", []),
        ([{"type": "container_upload", "file_id": "f"}], []),
        ([{"type": "tool_result", "tool_use_id": "t", "content": TEXT}], [".messages[0].content[0]"]),
    ],
)
def test_only_what_may_be_marked_is(content: object, marks: list[str]) -> None:
    assert find_marks(read(mark({"messages": [{"role": "user", "content": content}]}, least=1))) == marks


def test_a_tool_that_is_loaded_later_is_not_marked() -> None:
    tools = [tool("a"), tool("b", defer_loading=True)]
    assert find_marks(read(mark({"tools": tools, "messages": [USER]})))[0] == ".tools[0]"


def test_a_prefill_is_not_marked() -> None:
    """The next request may not begin with it."""
    turns = [{**USER, "content": TEXT}, {"role": "assistant", "content": "{"}]
    assert find_marks(read(mark({"messages": turns}, name="anthropic/claude-haiku-4-5"))) == [".messages[0].content[0]"]


@pytest.mark.parametrize("surface", [CHAT, RESPONSES])
def test_a_translated_request_is_marked(surface: Form) -> None:
    if surface is RESPONSES:
        body: dict[str, Any] = {"instructions": TEXT, "input": "hi"}
    else:
        body = {"messages": [{"role": "system", "content": TEXT}, USER]}
    assert sorted(find_marks(read(mark(body, surface=surface)))) == [".messages[0].content[0]", ".system[0]"]


def test_claude_behind_a_gateway_of_chat_is_marked_in_parts_of_messages() -> None:
    system, result = {"role": "system", "content": TEXT}, {"role": "tool", "tool_call_id": "c", "content": "4"}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [system, USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result]
    fitted = mark({"messages": turns}, surface=CHAT, name="openrouter/anthropic/claude-sonnet-4.6")
    assert find_marks(read(fitted)) == [f".messages[{at}].content[0]" for at in (0, 1, 3)]
    assert b"cache_control" not in mark({"messages": turns}, surface=CHAT, name="openrouter/openai/gpt-5").body


@pytest.mark.parametrize("name", ["openai/gpt-4o", "groq/llama-3.3-70b", "openai/claude-sonnet-4-6"])
def test_no_other_provider_gets_marks(name: str) -> None:
    fitted = mark({"messages": [{**USER, "content": TEXT}]}, surface=CHAT, name=name)
    assert b"cache_control" not in fitted.body


def test_without_being_asked_nothing_is_marked() -> None:
    body = {"max_tokens": 9, "system": TEXT, "messages": [USER]}
    assert b"cache_control" not in fit_cached(MESSAGES, CLAUDE, body, UNAIDED, 1024).body
    assert b"cache_control" not in fit_cached(MESSAGES, CLAUDE, body, MARKED, None).body


@pytest.mark.parametrize("broken", [{"messages": "no list"}, {"messages": [1]}, {"tools": [1]}, {"system": 7}])
def test_what_is_not_in_the_wires_form_is_left_as_it_is(broken: dict[str, Any]) -> None:
    body = {"messages": [USER], **broken}
    assert read(mark(body, least=1)).items() >= broken.items()
