import json
from typing import Any

import pytest

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as hub
from plano_agents.protocol.translation.messages_request_to_chat import SUMMARY, parse_messages_request

SCHEMA = {"type": "object"}
ADD = {"name": "add", "description": "Adds.", "input_schema": SCHEMA}
LATER = {"name": "later", "input_schema": SCHEMA, "defer_loading": True}
SEARCH = {"name": "ToolSearch", "input_schema": SCHEMA}
WEB = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
ANTHROPICS_SEARCH = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
USER = {"role": "user", "content": "hi"}


def call(name: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "t1", "name": name, "input": {}}],
    }


def find(*names: str) -> dict[str, Any]:
    found = [{"type": "tool_reference", "tool_name": name} for name in names]
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": found}]}


def translate(**fields: object) -> tuple[hub.ChatRequest, list[str]]:
    told: list[str] = []
    body = json.dumps({"max_tokens": 5, "messages": [USER], **fields}).encode()
    return parse_messages_request(body, lambda each: told.append(each.text)), told


def offered(*tools: object, **fields: object) -> list[str]:
    return [tool.function.name for tool in translate(tools=tools, **fields)[0].tools or ()]


def test_a_tool_that_anthropic_runs_is_left_out_beside_others_and_told() -> None:
    found, told = translate(tools=[WEB, ADD])
    assert [tool.function.name for tool in found.tools or ()] == ["add"]
    assert told == ["tools: web_search_20250305 dropped"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [ADD, WEB], "tool_choice": {"type": "tool", "name": "web_search"}}, "tool_choice"),
        ({"tools": [WEB]}, "tools[0].type"),
        ({"tools": [WEB], "tool_choice": {"type": "any"}}, "tools[0].type"),
    ],
)
def test_a_tool_that_anthropic_runs_is_refused_where_the_request_is_about_it(
    fields: dict[str, object], param: str
) -> None:
    with pytest.raises(UnsupportedFieldError, match="web_search") as caught:
        translate(**fields)
    assert caught.value.param == param


def test_a_deferred_tool_is_left_out_until_it_is_named() -> None:
    found, told = translate(tools=[SEARCH, LATER])
    assert [tool.function.name for tool in found.tools or ()] == ["ToolSearch"]
    assert told == ["tools deferred until named: 1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [USER, call("ToolSearch"), find("later")]},
        {"messages": [USER, call("later"), find()]},
        {"tool_choice": {"type": "tool", "name": "later"}},
    ],
)
def test_a_deferred_tool_is_offered_once_it_is_named(fields: dict[str, object]) -> None:
    assert offered(SEARCH, LATER, **fields) == ["ToolSearch", "later"]


def test_deferred_tools_are_offered_where_only_anthropic_could_have_searched_them() -> None:
    assert offered(ANTHROPICS_SEARCH, ADD, LATER) == ["add", "later"]


def test_deferred_tools_are_offered_where_nothing_else_is() -> None:
    assert offered(LATER) == ["later"]


def test_a_reference_to_a_tool_is_said_in_words() -> None:
    found, _ = translate(tools=[SEARCH, LATER], messages=[USER, call("ToolSearch"), find("later")])
    assert found.messages[-1] == hub.ToolMessage("t1", "The tool later can be called now.")


def test_a_tools_unknown_field_is_told() -> None:
    _, told = translate(tools=[{**ADD, "input_examples": [{}]}])
    assert told == ["tools: input_examples dropped"]


def test_a_tool_without_a_schema_is_refused_by_place() -> None:
    with pytest.raises(RequestError) as caught:
        translate(tools=[{"name": "add"}])
    assert caught.value.param == "tools[0].input_schema"


def test_blocks_of_tools_that_anthropic_ran_are_left_out_and_told() -> None:
    turn = {
        "role": "assistant",
        "content": [
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
            {"type": "text", "text": "Found."},
        ],
    }
    found, told = translate(messages=[USER, turn, USER])
    assert found.messages[1] == hub.AssistantMessage(content="Found.")
    assert told == ["messages: server_tool_use dropped", "messages: web_search_tool_result dropped"]


def test_a_compaction_stands_for_all_before_it() -> None:
    turn = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Before."},
            {"type": "compaction", "content": "They greeted."},
            {"type": "text", "text": "After."},
        ],
    }
    found, _ = translate(messages=[USER, turn, USER])
    assert found.messages == (
        hub.UserMessage(SUMMARY + "They greeted."),
        hub.AssistantMessage(content="After."),
        hub.UserMessage("hi"),
    )
    failed = {"role": "assistant", "content": [{"type": "compaction", "content": None}]}
    assert translate(messages=[USER, failed])[0].messages == (hub.UserMessage("hi"),)


def test_citations_that_are_asked_for_are_told() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "x"}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    _, told = translate(messages=[{"role": "user", "content": [document, {**document, "citations": None}]}])
    assert told == ["messages: citations dropped"]


@pytest.mark.parametrize("citations", ["", [], 5, {"enabled": "perhaps"}])
def test_citations_that_nobody_understands_are_told_as_dropped(citations: object) -> None:
    document = {"type": "document", "source": {"type": "text", "data": "a"}, "citations": citations}
    _, told = translate(messages=[{"role": "user", "content": [document]}])
    assert told == ["messages: citations dropped"]


@pytest.mark.parametrize("citations", [None, {"enabled": False}, {"enabled": None}])
def test_citations_that_are_not_asked_for_are_not_told(citations: object) -> None:
    document = {"type": "document", "source": {"type": "text", "data": "a"}, "citations": citations}
    _, told = translate(messages=[{"role": "user", "content": [document]}])
    assert told == []


# Changes of tools within the conversation


def reference(name: str) -> dict[str, Any]:
    return {"type": "tool_reference", "name": name}


def define(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_definition", "definition": tool}


def add(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_addition", "tool": tool, "cache_control": {"type": "ephemeral"}}


def remove(name: str) -> dict[str, Any]:
    return {"type": "tool_removal", "tool": reference(name)}


def say(*blocks: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {"role": "system", "content": list(blocks), **fields}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([add(reference("later"))], ["add", "later"]),
        ([add(reference("later")), remove("later")], ["add"]),
        ([remove("add"), add(reference("later"))], ["later"]),
        ([remove("add"), add(reference("add"))], ["add"]),
        ([add(define({"name": "new", "input_schema": SCHEMA}))], ["add", "new"]),
        ([add(define({"name": "new", "input_schema": SCHEMA})), remove("new")], ["add"]),
        ([add(define({"name": "new", "input_schema": SCHEMA, "defer_loading": True}))], ["add", "new"]),
        ([{"type": "compaction", "content": "…", "tool_changes": [add(reference("later"))]}], ["add", "later"]),
    ],
)
def test_tools_are_offered_as_the_conversation_changes_them(changes: list[dict[str, Any]], names: list[str]) -> None:
    turns = [
        USER,
        *({"role": "assistant" if each["type"] == "compaction" else "system", "content": [each]} for each in changes),
    ]
    assert offered(ADD, LATER, messages=turns) == names


def test_a_tool_that_comes_by_value_is_offered_by_its_last_definition() -> None:
    newer = {"name": "add", "description": "Adds more.", "input_schema": SCHEMA}
    found, told = translate(tools=[ADD], messages=[USER, say(add(define({**newer, "x_new": 1})))])
    assert [tool.function.description for tool in found.tools or ()] == ["Adds more."]
    assert told == ["tools: x_new dropped"]


def test_changes_of_tools_are_said_where_they_stand() -> None:
    found, told = translate(tools=[ADD], messages=[USER, say({"type": "text", "text": "Now:"}, remove("add"))])
    assert found.messages[1:] == (hub.SystemMessage("Now:\n\nThe tool add can no longer be called."),)
    assert (found.tools, told) == (None, [])


def test_a_change_of_tools_that_anthropic_asks_itself_is_left_out_and_told() -> None:
    toolset = {"type": "mcp_toolset_reference", "server_name": "docs"}
    found, told = translate(tools=[ADD], messages=[USER, say(add(toolset))])
    assert (len(found.messages), told) == (1, ["messages: mcp_toolset_reference dropped"])


def test_a_change_of_tools_stands_in_system_turns_alone() -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        translate(tools=[ADD], messages=[{"role": "user", "content": [remove("add")]}])
    assert caught.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(("later", "is_said"), [([], True), ([call("add"), find("later")], False)])
def test_a_system_turn_is_cleared_with_the_users_next(later: list[dict[str, Any]], *, is_said: bool) -> None:
    """Its changes of tools hold on."""
    cleared = say({"type": "text", "text": "Briefly."}, add(reference("later")), clear_at="next_user_message")
    found, _ = translate(tools=[ADD, LATER], messages=[USER, cleared, *later])
    assert any(isinstance(each, hub.SystemMessage) for each in found.messages) == is_said
    assert [tool.function.name for tool in found.tools or ()] == ["add", "later"]


def test_a_system_turn_that_is_never_cleared_stays() -> None:
    kept = {"role": "system", "content": "Briefly.", "clear_at": "never"}
    found, told = translate(messages=[USER, kept, {"role": "assistant", "content": "Yes."}, USER])
    assert (found.messages[1], told) == (hub.SystemMessage("Briefly."), [])


def test_a_file_for_anthropics_container_is_left_out_and_told() -> None:
    upload = {"type": "container_upload", "file_id": "file_1"}
    found, told = translate(messages=[{"role": "user", "content": [upload, {"type": "text", "text": "hi"}]}])
    assert (found.messages, told) == ((hub.UserMessage("hi"),), ["messages: container_upload dropped"])


def test_what_an_mcp_server_offered_is_left_out_and_told() -> None:
    listing = {"type": "mcp_tool_listing", "server_name": "docs", "tools": []}
    found, told = translate(messages=[USER, {"role": "assistant", "content": [listing]}, USER])
    assert (len(found.messages), told) == (2, ["messages: mcp_tool_listing dropped"])
