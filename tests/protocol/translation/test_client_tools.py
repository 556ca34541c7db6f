"""A responses client's own kinds of tool in front of Anthropic: offered, chosen, called, in transcripts."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol.form import Form
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.translation import Translation, translate_request

ORACLE: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ADD = {"type": "function", "name": "add", "parameters": SCHEMA, "strict": False}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
DOCS = {"type": "namespace", "name": "mcp__docs", "description": "Docs", "tools": [ADD]}
SHELL = {"type": "local_shell"}
SEARCH = {"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": SCHEMA}
LATER = {**ADD, "name": "later", "defer_loading": True}

CALLS: list[tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]] = [
    (
        PATCH,
        "apply_patch",
        {"input": '*** "é"'},
        {"type": "custom_tool_call", "name": "apply_patch", "input": '*** "é"'},
    ),
    (DOCS, "mcp__docs__add", {"a": "1"}, {"type": "function_call", "namespace": "mcp__docs", "name": "add"}),
    (
        SHELL,
        "local_shell",
        {"command": ["ls"]},
        {"type": "local_shell_call", "action": {"type": "exec", "env": {}, "command": ["ls"]}},
    ),
    (
        SEARCH,
        "tool_search",
        {"a": "x"},
        {"type": "tool_search_call", "execution": "client", "arguments": {"a": "x"}},
    ),
]
"""Each kind of tool, the function that it becomes, a call's arguments, and the item that the client gets."""


def open_(*tools: object, **fields: object) -> Translation:
    body = json.dumps({"model": "m", "input": "hi", "tools": tools, **fields}).encode()
    return translate_request(Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES, body, "served", created=7)


def sent(translation: Translation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(translation.request_body)
    return found


def offered(translation: Translation) -> list[str]:
    return [tool["name"] for tool in sent(translation).get("tools", [])]


def told(translation: Translation) -> list[str]:
    return [each.text for each in translation.adjustments]


def whole(name: str, arguments: object) -> bytes:
    call = {"type": "tool_use", "id": "t1", "name": name, "input": arguments}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [call]}
    usage = {"input_tokens": 10, "output_tokens": 5}
    return json.dumps({**message, "stop_reason": "tool_use", "usage": usage}).encode()


def streamed(name: str, arguments: object) -> bytes:
    text = json.dumps(arguments)
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    block = {"type": "tool_use", "id": "t1", "name": name, "input": {}}
    pieces = (text[: len(text) // 2], text[len(text) // 2 :])
    events: Sequence[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": piece},
            }
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


@pytest.mark.parametrize(("tool", "name", "arguments", "item"), CALLS)
def test_a_call_comes_back_as_the_clients_own_kind(
    tool: object, name: str, arguments: object, item: dict[str, Any]
) -> None:
    reply = open_(tool).encode_reply(whole(name, arguments))
    Response.model_validate_json(reply)
    (found,) = json.loads(reply)["output"]
    assert (found["call_id"], found["status"]) == ("t1", "completed")
    assert {key: found[key] for key in item} == item


@pytest.mark.parametrize(("tool", "name", "arguments", "item"), CALLS)
def test_a_streamed_call_comes_back_as_the_clients_own_kind(
    tool: object, name: str, arguments: object, item: dict[str, Any]
) -> None:
    stream = open_(tool, stream=True).build_stream()
    events = EventDecoder().feed(stream.feed(streamed(name, arguments)))
    for event in events:
        ORACLE.validate_json(event.data)
    read = [json.loads(event.data) for event in events]
    (added,) = (event["item"] for event in read if event["type"] == "response.output_item.added")
    (done,) = (event["item"] for event in read if event["type"] == "response.output_item.done")
    assert added["type"] == item["type"]
    assert {key: done[key] for key in item} == item
    assert read[-1]["response"]["output"] == [done]


@pytest.mark.parametrize("arguments", [{"input": "abcdef"}, {"patch": "abcdef"}])
def test_a_streamed_custom_tools_input_comes_in_its_own_events(arguments: object) -> None:
    stream = open_(PATCH, stream=True).build_stream()
    events = EventDecoder().feed(stream.feed(streamed("apply_patch", arguments)))
    deltas = [json.loads(event.data)["delta"] for event in events if event.name.endswith("input.delta")]
    (done,) = (json.loads(event.data) for event in events if event.name.endswith("input.done"))
    assert "".join(deltas) == done["input"] == "abcdef"
    assert "response.function_call_arguments.delta" not in {event.name for event in events}


@pytest.mark.parametrize("arguments", [{"patch": "ab"}, {"input": "ab", "why": "x"}])
def test_a_custom_tools_input_is_found_where_the_model_names_it_otherwise(arguments: object) -> None:
    (found,) = json.loads(open_(PATCH).encode_reply(whole("apply_patch", arguments)))["output"]
    assert found["input"] == "ab"


def test_a_custom_tools_grammar_is_described() -> None:
    (tool,) = sent(open_(PATCH))["tools"]
    assert tool["description"].startswith("Edits files.")
    assert tool["description"].endswith("lark grammar:\nstart: /.+/")
    assert tool["input_schema"]["required"] == ["input"]


def test_kinds_that_become_functions_are_told() -> None:
    assert told(open_(PATCH, DOCS, SHELL)) == [
        "tools custom sent as a function",
        "tools local_shell sent as a function",
        "tools namespaces flattened",
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "web_search",
        "web_search_preview",
        "file_search",
        "mcp",
        "code_interpreter",
        "image_generation",
        "tool_search",
    ],
)
def test_a_tool_that_openai_runs_is_left_out_beside_others_and_told(kind: str) -> None:
    translation = open_({"type": kind}, ADD, tool_choice="auto")
    assert (offered(translation), told(translation)) == (["add"], [f"tools: {kind} dropped"])


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        ([ADD, {"type": "web_search"}], {"type": "web_search"}, "tool_choice.type"),
        ([ADD, {"type": "tool_search"}], {"type": "tool_search"}, "tool_choice.type"),
        ([{"type": "web_search"}], "required", "tools[0].type"),
        ([{"type": "web_search"}], "auto", "tools[0].type"),
    ],
)
def test_a_tool_that_openai_runs_is_refused_where_the_request_is_about_it(
    tools: list[object], choice: object, param: str
) -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        open_(*tools, tool_choice=choice)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "custom", "name": "apply_patch"}, "apply_patch"),
        ({"type": "function", "name": "add", "namespace": "mcp__docs"}, "mcp__docs__add"),
        ({"type": "local_shell"}, "local_shell"),
        ({"type": "tool_search"}, "tool_search"),
    ],
)
def test_a_choice_names_the_function_that_a_tool_became(choice: object, name: str) -> None:
    translation = open_(PATCH, DOCS, SHELL, SEARCH, tool_choice=choice)
    assert sent(translation)["tool_choice"] == {"type": "tool", "name": name}


def test_allowed_tools_may_be_of_every_kind() -> None:
    allowed = [{"type": "custom", "name": "apply_patch"}, {"type": "web_search"}]
    translation = open_(PATCH, ADD, tool_choice={"type": "allowed_tools", "mode": "auto", "tools": allowed})
    assert offered(translation) == ["apply_patch"]
    assert "tool_choice: web_search dropped" in told(translation)


def test_deferred_tools_are_left_out_until_the_clients_search_finds_them() -> None:
    translation = open_(SEARCH, LATER)
    assert offered(translation) == ["tool_search"]
    assert "tools deferred until found: 1" in told(translation)
    found = [
        {"type": "tool_search_call", "call_id": "t1", "execution": "client", "arguments": {"a": "x"}},
        {"type": "tool_search_output", "call_id": "t1", "execution": "client", "tools": [LATER, DOCS]},
    ]
    translation = open_(SEARCH, LATER, input=found)
    assert offered(translation) == ["tool_search", "later", "mcp__docs__add"]
    (call,), (output,) = (message["content"] for message in sent(translation)["messages"])
    assert (call["name"], call["input"]) == ("tool_search", {"a": "x"})
    assert output["content"][0]["text"] == "These tools can be called now: later, mcp__docs__add"


def test_deferred_tools_are_offered_where_the_client_does_not_search() -> None:
    assert offered(open_({"type": "tool_search"}, LATER)) == ["later"]


def test_tools_that_an_item_adds_are_offered() -> None:
    added = {"type": "additional_tools", "role": "developer", "tools": [ADD]}
    translation = open_(input=[added, {"role": "user", "content": "hi"}])
    assert (offered(translation), len(sent(translation)["messages"])) == (["add"], 1)


@pytest.mark.parametrize(
    ("call", "output", "name", "arguments"),
    [
        (
            {"type": "custom_tool_call", "name": "apply_patch", "input": '*** "é"'},
            "custom_tool_call_output",
            "apply_patch",
            {"input": '*** "é"'},
        ),
        (
            {"type": "function_call", "namespace": "mcp__docs", "name": "add", "arguments": "{}"},
            "function_call_output",
            "mcp__docs__add",
            {},
        ),
        (
            {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"]}},
            "local_shell_call_output",
            "local_shell",
            {"command": ["ls"]},
        ),
    ],
)
def test_a_call_in_a_transcript_is_one_of_its_function(
    call: dict[str, Any], output: str, name: str, arguments: object
) -> None:
    items = [
        {**call, "call_id": "t1", "status": "completed"},
        {"type": output, "call_id": "t1", "output": "Done."},
    ]
    called, result = sent(open_(PATCH, DOCS, SHELL, input=items))["messages"]
    assert [(block["name"], block["input"]) for block in called["content"]] == [(name, arguments)]
    assert result["content"][0]["tool_use_id"] == "t1"
    assert result["content"][0]["content"][0]["text"] == "Done."


@pytest.mark.parametrize(
    "item",
    [
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "x"},
        },
        {"type": "compaction", "encrypted_content": "opaque"},
        {"type": "item_reference", "id": "rs_1"},
        {"type": "image_generation_call", "id": "ig_1", "result": "AAAA", "status": "completed"},
        {"type": "tool_search_call", "id": "ts_1", "execution": "server", "arguments": {}},
    ],
)
def test_what_openai_itself_did_is_left_out_of_a_transcript_and_told(item: dict[str, Any]) -> None:
    translation = open_(input=[item, {"role": "user", "content": "hi"}])
    assert [message["role"] for message in sent(translation)["messages"]] == ["user"]
    assert told(translation) == [f"input: {item['type']} dropped"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"client_metadata": {"x-codex-installation-id": "1"}}, ["client_metadata dropped"]),
        ({"truncation": "auto"}, ["truncation dropped"]),
        ({"context_management": [{"type": "compaction"}]}, ["context_management dropped"]),
        (
            {"include": ["web_search_call.action.sources", "reasoning.encrypted_content"]},
            ["include: web_search_call.action.sources dropped"],
        ),
        (
            {"prompt_cache_key": "k", "service_tier": "auto"},
            ["prompt_cache_key dropped", "service_tier dropped"],
        ),
        ({"text": {"verbosity": "low"}}, ["verbosity dropped"]),
    ],
)
def test_what_is_left_out_is_told(fields: dict[str, object], expected: list[str]) -> None:
    assert told(open_(ADD, **fields)) == expected


@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
def test_what_leads_to_stored_items_asks_for_the_transcript(name: str) -> None:
    with pytest.raises(UnsupportedFieldError, match="whole transcript") as caught:
        open_(ADD, **{name: "x_1"})
    assert caught.value.param == name
