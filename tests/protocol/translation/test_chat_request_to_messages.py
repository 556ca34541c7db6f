import json
from typing import Any

import msgspec
import pytest
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from pydantic import TypeAdapter

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.translation.chat_request_to_messages import (
    JSON_MODE,
    build_messages_request,
    parse_chat_request,
)

ORACLE: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming | MessageCreateParamsStreaming)
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {"a": {}}},
    },
}


def encode(body: bytes) -> bytes:
    """Translate a request's body, as the router does."""
    return msgspec.json.encode(build_messages_request(parse_chat_request(body), "claude"))


def translate(**body: object) -> dict[str, Any]:
    """Translate, and hold the result to the official SDK's types."""
    encoded = encode(json.dumps({"messages": [USER], **body}).encode())
    found: dict[str, Any] = json.loads(encoded)
    if found.get("output_config", {}).get("effort") != "none":  # it is fitted to the model later
        ORACLE.validate_python({"max_tokens": 1, **found})
    return found


def text(content: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": content}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"max_tokens": None}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"max_tokens": 0}, {"max_tokens": 0}),
        ({"max_tokens": 5, "max_completion_tokens": 0}, {"max_tokens": 0}),
        ({"temperature": 0.5, "top_p": 0.25}, {"temperature": 0.5, "top_p": 0.25}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["A", "B"]}, {"stop_sequences": ["A", "B"]}),
        ({"stream": True}, {"stream": True}),
        ({"reasoning_effort": "xhigh"}, {"output_config": {"effort": "xhigh"}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        ),
        ({"temperature": 1.5}, {"temperature": 1.5}),
        ({"reasoning_effort": "none"}, {"output_config": {"effort": "none"}}),
        ({"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral"}}),
        ({"verbosity": "medium"}, {}),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "object"}},
                }
            },
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"n": 1, "seed": None, "frequency_penalty": 0, "store": True}, {}),
    ],
)
def test_a_parameter_is_carried(body: dict[str, object], expected: dict[str, object]) -> None:
    found = translate(**body)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"invented": 1}, "invented"),
        ({"tools": [{"type": "web_search", "web_search": {}}]}, "tools[0].type"),
        ({"messages": [USER, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
        (
            {"messages": [USER, {"role": "assistant", "function_call": {"name": "n", "arguments": "{}"}}]},
            "messages[1].function_call",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {
                        "role": "system",
                        "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}],
                    },
                    USER,
                ]
            },
            "messages[0].content",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, object], param: str) -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        translate(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("none", None, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ({"type": "function", "function": {"name": "add"}}, None, {"type": "tool", "name": "add"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("auto", True, {"type": "auto"}),
    ],
)
def test_the_tool_choice_is_carried_in_its_forms(choice: object, parallel: object, expected: object) -> None:
    found = translate(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)
    assert found.get("tool_choice") == expected


def test_tools_are_carried_with_their_schemas() -> None:
    assert translate(tools=[TOOL])["tools"] == [
        {"name": "add", "description": "Adds.", "input_schema": {"type": "object", "properties": {"a": {}}}}
    ]


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    found = translate(tools=[{"type": "function", "function": {"name": "now"}}])
    assert found["tools"][0]["input_schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"seed": 7}, ["seed dropped"]),
        (
            {"logit_bias": {"1": 2}, "presence_penalty": 0.5},
            ["logit_bias dropped", "presence_penalty dropped"],
        ),
        ({"verbosity": "low"}, ["verbosity dropped"]),
        ({"metadata": {"a": "b"}, "store": True}, ["metadata dropped", "store dropped"]),
        ({"response_format": {"type": "json_object"}}, ["response_format sent as an instruction"]),
        (
            {"messages": [{**USER, "name": "me", "x": None}, {**USER, "name": "you"}]},
            ["messages: name dropped"],
        ),
        ({"tools": [{**TOOL, "defer": True}]}, ["tools: defer dropped"]),
        ({"seed": None, "store": False, "presence_penalty": 0}, []),
    ],
)
def test_what_is_left_out_or_said_otherwise_is_told(body: dict[str, object], told: list[str]) -> None:
    found: list[Adjustment] = []
    request = parse_chat_request(json.dumps({"messages": [USER], **body}).encode(), found.append)
    build_messages_request(request, "claude", found.append)
    assert [each.text for each in found] == told


def test_json_mode_becomes_an_instruction() -> None:
    assert translate(response_format={"type": "json_object"})["system"] == text(JSON_MODE)


MARK = {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (
            {"messages": [{"role": "system", "content": [{**text("long")[0], "cache_control": MARK}]}, USER]},
            ("system", 0),
        ),
        ({"messages": [{"role": "system", "content": "long", "cache_control": MARK}, USER]}, ("system", 0)),
        (
            {"messages": [{"role": "user", "content": [{**text("hi")[0], "cache_control": MARK}]}]},
            ("messages", 0, "content", 0),
        ),
        ({"messages": [USER], "tools": [{**TOOL, "cache_control": MARK}]}, ("tools", 0)),
        (
            {
                "messages": [
                    USER,
                    {"role": "assistant", "tool_calls": [CALL]},
                    {"role": "tool", "tool_call_id": "c1", "content": "2", "cache_control": MARK},
                ]
            },
            ("messages", 2, "content", 0),
        ),
    ],
)
def test_a_mark_for_the_cache_is_carried(body: dict[str, Any], place: tuple[str | int, ...]) -> None:
    found: Any = translate(**body)
    for step in place:
        found = found[step]
    assert found["cache_control"] == MARK


def test_later_system_prompts_stay_where_they_stand() -> None:
    found = translate(
        messages=[
            {"role": "system", "content": "one"},
            USER,
            {"role": "developer", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "more"},
        ]
    )
    assert found["system"] == text("one")
    assert [turn["role"] for turn in found["messages"]] == ["user", "system", "user"]
    assert found["messages"][1]["content"] == text("two")


def test_neighbours_of_one_role_become_one_turn() -> None:
    found = translate(messages=[USER, {"role": "user", "content": "there"}])
    assert found["messages"] == [{"role": "user", "content": text("hi") + text("there")}]


def test_parallel_tool_calls_and_their_results_keep_their_order() -> None:
    second = {**CALL, "id": "c2", "function": {"name": "now", "arguments": ""}}
    found = translate(
        messages=[
            USER,
            {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL, second]},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "noon"}]},
            {"role": "user", "content": "and?"},
        ],
        tools=[TOOL],
    )
    assert found["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                *text("Let me see."),
                {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": text("2")},
                {"type": "tool_result", "tool_use_id": "c2", "content": text("noon")},
                *text("and?"),
            ],
        },
    ]


def test_results_come_before_text_that_the_client_put_between_them() -> None:
    found = translate(
        messages=[
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "user", "content": "quick"},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ],
        tools=[TOOL],
    )
    assert [block["type"] for block in found["messages"][2]["content"]] == ["tool_result", "text"]


def test_calls_without_offered_tools_get_their_tools_declared_but_not_offered() -> None:
    found = translate(
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ]
    )
    assert (found["tools"][0]["name"], found["tool_choice"]) == ("add", {"type": "none"})


def test_empty_text_is_left_out() -> None:
    found = translate(messages=[USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}], tools=[TOOL])
    assert [block["type"] for block in found["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "system", "content": ""}], "messages"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}],
            "messages[0].content[0]",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:AAAA"}}]}],
            "messages[0].content[0]",
        ),
    ],
)
def test_a_bad_message_is_refused_by_place(messages: list[object], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        translate(messages=messages)
    assert caught.value.param == param


def test_arguments_that_are_not_an_object_are_wrapped_so_that_the_loop_goes_on() -> None:
    cut = {**CALL, "function": {"name": "add", "arguments": '{"a": "unfin'}}
    found = translate(messages=[USER, {"role": "assistant", "tool_calls": [cut]}], tools=[TOOL])
    (call,) = found["messages"][1]["content"]
    assert call["input"] == {"unparsed_arguments": '{"a": "unfin'}


THINKING = '{"type":"thinking","thinking":"I s\\u00e9e.","signature":"c2ln+/=","later_field":1.10}'
REDACTED = '{"type": "redacted_thinking", "data": "ZGF0YQ=="}'


def test_thinking_blocks_come_first_in_their_turn_byte_for_byte() -> None:
    body = (
        '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Hello.",'
        f'"reasoning_content":"I see.","thinking_blocks":[{THINKING}, {REDACTED}]}}]}}'
    )
    encoded = encode(body.encode())
    assert f'"content":[{THINKING},{REDACTED},{{"type":"text","text":"Hello."}}]'.encode() in encoded


def test_reasoning_without_blocks_is_left_out() -> None:
    found = translate(messages=[USER, {"role": "assistant", "content": "Hello.", "reasoning_content": "I see."}])
    assert found["messages"][1]["content"] == text("Hello.")


def test_only_allowed_tools_are_offered() -> None:
    other = {"type": "function", "function": {"name": "now"}}
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [other]}}
    found = translate(tools=[TOOL, other], tool_choice=choice)
    assert [tool["name"] for tool in found["tools"]] == ["now"]
    assert found["tool_choice"] == {"type": "any"}


def test_a_failed_tools_result_is_marked() -> None:
    found = translate(
        messages=[
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "boom", "is_error": True},
        ]
    )
    assert found["messages"][2]["content"][0]["is_error"] is True


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ("required", None),
        ("required", []),
        ({"type": "function", "function": {"name": "add"}}, None),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "x"}}],
                },
            },
            [TOOL],
        ),
    ],
)
def test_a_call_asked_for_without_a_tool_is_refused_by_name(choice: object, tools: object) -> None:
    with pytest.raises(RequestError) as caught:
        translate(
            messages=[
                USER,
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "2"},
            ],
            tool_choice=choice,
            tools=tools,
        )
    assert caught.value.param == "tool_choice"
