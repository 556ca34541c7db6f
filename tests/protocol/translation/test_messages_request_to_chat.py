import json
from typing import Any

import pytest

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as hub
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.translation.messages_request_to_chat import parse_messages_request

USER = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}
TOOL = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def translate(**body: object) -> hub.ChatRequest:
    whole = {"model": "m", "max_tokens": 5, "messages": [USER], **body}
    return parse_messages_request(json.dumps(whole).encode())


def carry(*content: object, role: str = "user") -> tuple[hub.Message, ...]:
    return translate(messages=[{"role": role, "content": content}]).messages


def result(content: object, **fields: object) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t1", "content": content, **fields}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"max_completion_tokens": 5, "model": "m"}),
        ({"temperature": 0.5, "top_p": 0.25}, {"temperature": 0.5, "top_p": 0.25}),
        ({"stop_sequences": ["A", "B"]}, {"stop": ("A", "B")}),
        ({"stream": True}, {"stream": True, "stream_options": hub.StreamOptions(include_usage=True)}),
        ({"metadata": {"user_id": "u-1"}}, {"user": "u-1"}),
        ({"output_config": {"effort": "high"}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, {"reasoning_effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 32000}}, {"reasoning_effort": "high"}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "max"}},
            {"reasoning_effort": "max"},
        ),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, {"reasoning_effort": None}),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ({"thinking": {"type": "between_tools"}}, {"reasoning_effort": "none"}),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            {"reasoning_effort": "low"},
        ),
        ({"top_k": None, "service_tier": "auto", "cache_control": {"type": "ephemeral"}}, {}),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}}, {}),
    ],
)
def test_a_parameter_is_carried(body: dict[str, object], expected: dict[str, object]) -> None:
    found = translate(**body)
    assert {name: getattr(found, name) for name in expected} == expected


def test_the_last_turn_that_sets_an_effort_decides_it() -> None:
    """Claude Code sets it in the system turn that it begins with, and again where it changes."""
    efforts: list[dict[str, object]] = [
        {"role": "system", "content": content, "output_config": {"effort": effort}}
        for content, effort in (("Environment", "medium"), ([], "low"))
    ]
    found = translate(messages=[USER, *efforts, USER], output_config={"effort": "high"})
    assert found.reasoning_effort == "low"
    assert [type(message).__name__ for message in found.messages] == [
        "UserMessage",
        "SystemMessage",
        "UserMessage",
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"invented": 1}, "invented"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "invented"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{**PNG, "source": {"type": "file", "file_id": "f"}}]}]},
            "messages[0].content[0].source.type",
        ),
        ({"messages": [{"role": "user", "content": [USE]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "content": [PNG]}]}, "messages[0].content[0]"),
        ({"messages": [USER, {"role": "system", "content": [PNG]}]}, "messages[1].content[0]"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, object], param: str) -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        translate(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"max_tokens": "many"}, "max_tokens"),
    ],
)
def test_a_wrong_type_is_an_error_that_names_the_field(body: dict[str, object], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        translate(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        (None, None, None),
        ({"type": "auto"}, "auto", None),
        ({"type": "any"}, "required", None),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "add"}, hub.NamedToolChoice(hub.NamedFunction("add")), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto", False),
    ],
)
def test_the_tool_choice_is_carried_in_its_forms(choice: object, expected: object, parallel: object) -> None:
    found = translate(tools=[TOOL], tool_choice=choice)
    assert (found.tool_choice, found.parallel_tool_calls) == (expected, parallel)


def test_a_tools_schema_is_untouched_and_its_cache_marker_left_out() -> None:
    tool = {**TOOL, "type": "custom", "strict": True, "cache_control": {"type": "ephemeral"}}
    (found,) = translate(tools=[tool]).tools or ()
    assert (found.function.name, found.function.description, found.function.strict) == ("add", "Adds.", True)
    assert bytes(found.function.parameters) == b'{"type": "object"}'


def test_structured_output_is_carried() -> None:
    wanted = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    found = translate(output_config=wanted).response_format
    assert found is not None
    assert found.json_schema is not None
    assert (found.type, found.json_schema.strict) == ("json_schema", True)
    assert bytes(found.json_schema.schema) == b'{"type": "object"}'


@pytest.mark.parametrize(
    "system",
    [
        "one\n\ntwo",
        [
            {"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "two"},
        ],
    ],
)
def test_the_system_prompt_comes_first(system: object) -> None:
    assert translate(system=system).messages == (hub.SystemMessage("one\n\ntwo"), hub.UserMessage("hi"))


def test_a_system_message_within_the_conversation_stays_where_it_is() -> None:
    found = translate(messages=[USER, {"role": "system", "content": "Be brief."}])
    assert found.messages == (hub.UserMessage("hi"), hub.SystemMessage("Be brief."))


def test_parallel_calls_keep_their_order_and_arguments() -> None:
    body = (
        '{"max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"text","text":"See."},'
        '{"type":"tool_use","id":"t1","name":"add","input":{"a": 1.10}},'
        '{"type":"tool_use","id":"t2","name":"now","input":{},"caller":{"type":"direct"}}]}]}'
    )
    calls = (
        hub.ToolCall(hub.FunctionCall("add", '{"a": 1.10}'), "t1"),
        hub.ToolCall(hub.FunctionCall("now", "{}"), "t2"),
    )
    expected = hub.AssistantMessage(content="See.", tool_calls=calls)
    assert parse_messages_request(body.encode()).messages == (expected,)


def test_results_come_before_the_users_text_in_their_order() -> None:
    second = {**result("noon"), "tool_use_id": "t2"}
    assert carry(result([{"type": "text", "text": "2"}]), second, {"type": "text", "text": "and?"}) == (
        hub.ToolMessage("t1", "2"),
        hub.ToolMessage("t2", "noon"),
        hub.UserMessage("and?"),
    )


def test_a_failed_result_and_its_image_are_kept() -> None:
    (found,) = carry(result([{"type": "text", "text": "2"}, PNG], is_error=True))
    image = hub.ImagePart(hub.ImageUrl("data:image/png;base64,AAAA"))
    assert found == hub.ToolMessage("t1", (hub.TextPart("2"), image), is_error=True)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (PNG, hub.ImagePart(hub.ImageUrl("data:image/png;base64,AAAA"))),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            hub.ImagePart(hub.ImageUrl("https://x/y.png")),
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"},
            },
            hub.FilePart(hub.FileData("a.pdf", "data:application/pdf;base64,AA")),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
            hub.FilePart(hub.FileData(file_url="https://x/y.pdf")),
        ),
        (
            {
                "type": "document",
                "title": "T",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
            },
            hub.TextPart("T\n\nx"),
        ),
        ({"type": "document", "source": {"type": "content", "content": "x"}}, hub.TextPart("x")),
        (
            {
                "type": "search_result",
                "source": "https://x",
                "title": "T",
                "content": [{"type": "text", "text": "x"}],
            },
            hub.TextPart("T\n\nhttps://x\n\nx"),
        ),
    ],
)
def test_an_image_or_a_document_is_carried(block: object, part: hub.Part) -> None:
    assert carry({"type": "text", "text": "Look:"}, block) == (hub.UserMessage((hub.TextPart("Look:"), part)),)


def test_signed_thinking_is_kept_in_its_blocks() -> None:
    thinking = {"type": "thinking", "thinking": "sée", "signature": "c2ln+/="}
    redacted = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
    (found,) = carry(thinking, redacted, {"type": "text", "text": "Hi"}, role="assistant")
    assert isinstance(found, hub.AssistantMessage)
    assert [json.loads(bytes(raw)) for raw in found.thinking_blocks or ()] == [thinking, redacted]


def test_unsigned_thinking_is_another_providers_reasoning() -> None:
    (found,) = carry({"type": "thinking", "thinking": "hm", "signature": ""}, role="assistant")
    assert found == hub.AssistantMessage(reasoning_content="hm")


@pytest.mark.parametrize(
    ("value", "arguments"),
    [
        (None, {}),
        ("", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": "unf', {"unparsed_arguments": '{"a": "unf'}),
        ([1], {"unparsed_arguments": "[1]"}),
    ],
)
def test_a_calls_input_that_is_no_object_is_wrapped(value: object, arguments: dict[str, object]) -> None:
    """As clients keep one that a limit of tokens cut: the loop goes on."""
    (found,) = carry({"type": "tool_use", "id": "t", "name": "n", "input": value}, role="assistant")
    assert isinstance(found, hub.AssistantMessage)
    (call,) = found.tool_calls or ()
    assert json.loads(str(call.function.arguments)) == arguments


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"top_k": 5}, ["top_k dropped"]),
        ({"speed": "fast", "service_tier": "auto"}, ["speed dropped", "service_tier dropped"]),
        ({"speed": "standard", "top_k": None}, []),
        ({"container": "c"}, ["container dropped"]),
        ({"mcp_servers": [{"url": "https://x"}]}, ["mcp_servers dropped"]),
        ({"betas": ["b"], "fallbacks": [{"model": "m"}]}, ["betas dropped", "fallbacks dropped"]),
        ({"thinking": {"type": "adaptive"}}, []),
        (
            {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
            ["context_management dropped"],
        ),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}, []),
        (
            {"output_config": {"task_budget": {"type": "tokens", "total": 9}}},
            ["output_config: task_budget dropped"],
        ),
    ],
)
def test_what_is_left_out_is_told(body: dict[str, object], told: list[str]) -> None:
    found: list[Adjustment] = []
    whole = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, **body}
    parse_messages_request(json.dumps(whole).encode(), found.append)
    assert [each.text for each in found] == told


def test_claude_codes_billing_block_is_left_out() -> None:
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=ea6aa;"}
    found = translate(system=[billing, {"type": "text", "text": "You help."}])
    assert found.messages[0] == hub.SystemMessage("You help.")


def test_the_betas_spelling_of_a_schema_is_read_too() -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    turns = [{"role": "user", "content": "hi"}]
    body = {"messages": turns, "max_tokens": 9, "output_format": form}
    found = parse_messages_request(json.dumps(body).encode()).response_format
    assert found is not None
    assert found.json_schema is not None
    assert json.loads(bytes(found.json_schema.schema)) == {"type": "object"}
