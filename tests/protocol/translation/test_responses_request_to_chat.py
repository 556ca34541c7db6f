import json
from typing import Any

import msgspec
import pytest

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import openai_chat_request as hub
from plano_agents.protocol.openai_responses import seal_thinking
from plano_agents.protocol.openai_responses_request import parse_request
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.responses_request_to_chat import check_fields, read_responses_request

CALL = {"type": "function_call", "id": "fc_1", "call_id": "t1", "name": "add", "arguments": '{"a": 1.10}'}
OUTPUT = {"type": "function_call_output", "call_id": "t1", "output": "2"}
TOOL = {
    "type": "function",
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object"},
    "strict": True,
}
TOOL_CALL = hub.ToolCall(hub.FunctionCall("add", '{"a": 1.10}'), "t1")
HI = hub.UserMessage("hi")
USER = {"role": "user", "content": "hi"}
HIGHER = {"type": "configuration_update", "id": "cu_1", "reasoning": {"effort": "high"}}
LATER = {"type": "configuration_update", "id": "cu_2", "text": {"format": {"type": "json_object"}}}


def translate(**body: object) -> hub.ChatRequest:
    encoded = json.dumps({"model": "m", "input": "hi", **body}).encode()
    check_fields(encoded)
    return read_responses_request(parse_request(encoded), ClientTools())


def carry(*items: object) -> tuple[hub.Message, ...]:
    return translate(input=items).messages


def say(*content: object, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"messages": (HI,), "model": "m"}),
        ({"instructions": "Be brief."}, {"messages": (hub.SystemMessage("Be brief."), HI)}),
        ({"max_output_tokens": 5}, {"max_completion_tokens": 5}),
        ({"temperature": 0.5, "top_p": 0.25}, {"temperature": 0.5, "top_p": 0.25}),
        ({"stream": True}, {"stream": True, "stream_options": hub.StreamOptions(include_usage=True)}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": hub.ResponseFormat("json_object")},
        ),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"user": "u", "safety_identifier": "s"}, {"user": "u", "safety_identifier": "s"}),
        ({"input": [HIGHER, USER]}, {"reasoning_effort": "high", "messages": (HI,)}),
        (
            {"input": [HIGHER, USER, LATER], "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}},
            {"reasoning_effort": "high", "response_format": hub.ResponseFormat("json_object"), "verbosity": "low"},
        ),
        ({"store": True, "metadata": {"a": "b"}, "truncation": "disabled", "background": False}, {}),
        ({"include": ["reasoning.encrypted_content"], "previous_response_id": None}, {}),
    ],
)
def test_a_parameter_is_carried(body: dict[str, object], expected: dict[str, object]) -> None:
    found = translate(**body)
    assert {name: getattr(found, name) for name in expected} == expected


def test_an_output_of_a_call_that_nobody_made_is_the_users() -> None:
    """Codex tells the model its goal so."""
    goal = {"type": "function_call_output", "name": "goal", "namespace": "agent", "output": "Sort."}
    assert carry(goal) == (hub.UserMessage((hub.TextPart("goal:"), hub.TextPart("Sort."))),)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"invented": 1}, "invented"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice.type"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}},
            "tool_choice.tools",
        ),
        ({"input": [{"type": "computer_call_output", "call_id": "c", "output": "x"}]}, "input[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [say({"type": "input_audio", "input_audio": {}})]}, "input[0].content[0].type"),
        ({"input": [say({"type": "input_image", "file_id": "f"})]}, "input[0].content[0].file_id"),
        ({"input": [say({"type": "input_file", "file_id": "f"})]}, "input[0].content[0].file_id"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, object], param: str) -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        translate(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": 7}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"tool_choice": "maybe"}, "tool_choice"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_field(body: dict[str, object], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        translate(**body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "add"}, hub.NamedToolChoice(hub.NamedFunction("add"))),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]},
            hub.AllowedToolsChoice(hub.AllowedTools("required", (hub.AllowedTool(hub.NamedFunction("add")),))),
        ),
    ],
)
def test_the_tool_choice_is_carried_in_its_forms(choice: object, expected: object) -> None:
    assert translate(tools=[TOOL], tool_choice=choice).tool_choice == expected


def test_a_function_is_carried_with_its_schema() -> None:
    (found,) = translate(tools=[TOOL]).tools or ()
    assert (found.function.name, found.function.description, found.function.strict) == ("add", "Adds.", True)
    assert bytes(found.function.parameters) == b'{"type": "object"}'


def test_a_schema_for_the_answer_is_carried() -> None:
    wanted = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    found = translate(text={"format": wanted}).response_format
    assert found is not None
    assert found.json_schema is not None
    assert (found.type, found.json_schema.name, found.json_schema.strict) == ("json_schema", "n", True)
    assert bytes(found.json_schema.schema) == b'{"type": "object"}'


def test_messages_of_every_role_are_carried_in_long_and_short_form() -> None:
    assert carry(
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        say({"type": "input_text", "text": "hi"}),
        say({"type": "output_text", "text": "Hello.", "annotations": []}, role="assistant"),
    ) == (
        hub.SystemMessage("s"),
        hub.DeveloperMessage("d"),
        HI,
        hub.AssistantMessage(content="Hello."),
    )


def test_an_earlier_refusal_stays_one() -> None:
    assert carry(say({"type": "refusal", "refusal": "No."}, role="assistant")) == (hub.AssistantMessage(refusal="No."),)


def test_neighbouring_assistant_items_are_one_message() -> None:
    second = {**CALL, "call_id": "t2"}
    assert carry(say({"type": "output_text", "text": "See."}, role="assistant"), CALL, second, OUTPUT) == (
        hub.AssistantMessage(content="See.", tool_calls=(TOOL_CALL, hub.ToolCall(TOOL_CALL.function, "t2"))),
        hub.ToolMessage("t1", "2"),
    )


def test_an_output_comes_right_after_its_calls() -> None:
    assert carry(CALL, {"role": "user", "content": "quick"}, OUTPUT) == (
        hub.AssistantMessage(tool_calls=(TOOL_CALL,)),
        hub.ToolMessage("t1", "2"),
        hub.UserMessage("quick"),
    )


def test_an_output_may_hold_an_image() -> None:
    image = {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}
    assert carry(CALL, {**OUTPUT, "output": [{"type": "input_text", "text": "2"}, image]})[1] == hub.ToolMessage(
        "t1", (hub.TextPart("2"), hub.ImagePart(hub.ImageUrl("https://x/y.png", "low")))
    )


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AA"},
            hub.ImagePart(hub.ImageUrl("data:image/png;base64,AA")),
        ),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
            hub.FilePart(hub.FileData("a.pdf", "data:application/pdf;base64,AA")),
        ),
        (
            {"type": "input_file", "file_url": "https://x/y.pdf"},
            hub.FilePart(hub.FileData(file_url="https://x/y.pdf")),
        ),
    ],
)
def test_an_image_or_a_document_is_carried(part: object, expected: hub.Part) -> None:
    assert carry(say(part)) == (hub.UserMessage((expected,)),)


def test_sealed_thinking_is_given_back_byte_for_byte() -> None:
    block = b'{"type": "thinking", "thinking": "s\\u00e9e", "signature": "c2ln+/="}'
    sealed = seal_thinking((msgspec.Raw(block),))
    summary = [{"type": "summary_text", "text": "sée"}]
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": sealed}
    (found,) = carry(reasoning, CALL)
    assert isinstance(found, hub.AssistantMessage)
    assert [bytes(raw) for raw in found.thinking_blocks or ()] == [block]
    assert (found.reasoning_content, found.tool_calls) == ("sée", (TOOL_CALL,))


@pytest.mark.parametrize("content", [None, "gAAAA", "plano.v1.!", "plano.v1.e30="])
def test_reasoning_that_nobody_here_sealed_is_left_out(content: str | None) -> None:
    assert carry({"role": "user", "content": "hi"}, {"type": "reasoning", "encrypted_content": content}) == (HI,)
