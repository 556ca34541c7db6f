import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plano_agents.simulator.conversation import PAGE_PLACEHOLDER, Message, ToolChoice, ToolResult
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai.refusals import encode_openai_refusal
from plano_agents.simulator.wire.openai.request import parse_openai_request

KEYS = ("role", "content", "type", "text", "tool_calls", "tool_call_id", "image_url", "name")
USER: dict[str, JsonValue] = {"role": "user", "content": "hi"}
TOOL: dict[str, JsonValue] = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def call(*ids: str) -> dict[str, JsonValue]:
    calls: list[JsonValue] = [
        {"id": call_id, "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}} for call_id in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str) -> dict[str, JsonValue]:
    return {"role": "tool", "tool_call_id": call_id, "content": "done"}


def body(*messages: JsonValue, **fields: JsonValue) -> bytes:
    return json.dumps({"model": "m", "messages": [*messages] or [USER], **fields}).encode()


def refusal_of(source: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_openai_request(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "message", "param", "code"),
    [
        (b"{", "We could not parse the JSON body of your request.", None, None),
        (b'{"messages": []}', "you must provide a model parameter", None, None),
        (
            b'{"model": "m"}',
            "Missing required parameter: 'messages'.",
            "messages",
            "missing_required_parameter",
        ),
        (b'{"model": "m", "messages": []}', "Invalid 'messages': empty array.", "messages", "empty_array"),
        (
            body(result("c")),
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
            "messages.[0].role",
            None,
        ),
        (
            body(USER, call("a"), result("b")),
            "Invalid parameter: 'tool_call_id' of 'b' not found in 'tool_calls' of previous message.",
            "messages.[2].tool_call_id",
            None,
        ),
        (
            body(USER, call("a", "b"), result("a"), USER),
            (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                "'tool_call_id'. The following tool_call_ids did not have response messages: b"
            ),
            "messages.[3].role",
            None,
        ),
        (
            body(USER, call("a")),
            "An assistant message with 'tool_calls' must be followed by tool messages",
            "messages",
            None,
        ),
        (
            body({"role": "assistant"}),
            "Invalid value for 'content': expected a string, got null.",
            "messages.[0].content",
            None,
        ),
        (
            body({"role": "robot", "content": "x"}),
            "Invalid value: 'robot'. Supported values are: 'system', 'developer', 'user', 'assistant', 'tool'.",
            "messages[0].role",
            "invalid_value",
        ),
        (
            body({"content": "x"}),
            "Missing required parameter: 'messages[0].role'.",
            "messages[0].role",
            "missing_required_parameter",
        ),
        (
            body({"role": "user", "content": [{"type": "text"}]}),
            "Missing required parameter: 'messages[0].content[0].text'.",
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        (
            body({"role": "user", "content": 5}),
            "Invalid type for 'messages[0].content': expected",
            "messages[0].content",
            "invalid_type",
        ),
        (
            body(routing_preferences=[]),
            "Unknown parameter: 'routing_preferences'.",
            "routing_preferences",
            "unknown_parameter",
        ),
        (
            body(tools=[{"type": "function", "function": {}}]),
            "Missing required parameter: 'tools[0].function.name'.",
            "tools[0].function.name",
            "missing_required_parameter",
        ),
        (
            body(tools=[{"type": "function", "function": {"name": "no spaces"}}]),
            "Invalid 'tools[0].function.name': string does not match pattern.",
            "tools[0].function.name",
            "invalid_value",
        ),
        (body(tools=[]), "Invalid 'tools': empty array.", "tools", "empty_array"),
        (
            body(tool_choice="auto"),
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            "tool_choice",
            None,
        ),
        (
            body(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
            "Tool choice 'g' not found in 'tools' parameter.",
            "tool_choice",
            None,
        ),
        (body(tools=[TOOL], tool_choice="maybe"), "Invalid value: 'maybe'.", "tool_choice", "invalid_value"),
        (
            body(stream_options={"include_usage": True}),
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
            None,
        ),
        (
            body(temperature=3),
            "Invalid 'temperature': integer above maximum value.",
            "temperature",
            "integer_above_max_value",
        ),
        (
            body(max_tokens=0),
            "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "max_tokens",
            "integer_below_min_value",
        ),
        (
            body(max_tokens=5, max_completion_tokens=5),
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
            "invalid_parameter_combination",
        ),
    ],
)
def test_a_bad_request_is_refused_in_the_providers_words(
    source: bytes, message: str, param: str | None, code: str | None
) -> None:
    refusal = refusal_of(source)
    assert refusal.message.startswith(message)
    assert (refusal.status, refusal.kind) == (400, "invalid_request_error")
    assert (refusal.param, refusal.code) == (param, code)


def test_a_refusal_has_the_providers_body() -> None:
    refusal = refusal_of(b'{"messages": []}')
    assert json.loads(encode_openai_refusal(refusal)) == {
        "error": {
            "message": "you must provide a model parameter",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


@given(st.binary() | st.text().map(str.encode))
def test_whatever_bytes_come_are_read_or_refused(source: bytes) -> None:
    with contextlib.suppress(Refusal):
        parse_openai_request(source)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
)


@given(st.fixed_dictionaries({"model": st.just("m"), "max_tokens": st.just(9), "messages": json_values}))
def test_whatever_messages_come_are_read_or_refused(source: JsonValue) -> None:
    with contextlib.suppress(Refusal):
        parse_openai_request(json.dumps(source).encode())


def test_system_messages_become_the_instructions() -> None:
    request = parse_openai_request(
        body({"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, USER)
    )
    assert (request.conversation.system, request.conversation.messages) == ("a\nb", (Message("user", "hi"),))


def test_calls_and_results_are_read() -> None:
    called, answered = parse_openai_request(body(USER, call("a"), result("a"))).conversation.messages[1:]
    assert [(c.id, c.name, c.arguments) for c in called.calls] == [("a", "f", {"x": 1})]
    assert answered.results == (ToolResult("a", "done"),)


def read_file(data: str) -> Message:
    part: JsonValue = {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}}
    content: JsonValue = [{"type": "text", "text": "read"}, part]
    return parse_openai_request(body({"role": "user", "content": content})).conversation.messages[0]


def test_a_files_pages_are_counted() -> None:
    pdf = base64.b64encode(b"%PDF-1.4 <</Type/Page>> <</Type /Page>>").decode()
    message = read_file(f"data:application/pdf;base64,{pdf}")
    assert (message.text, message.documents) == ("read", (f"a.pdf\n{PAGE_PLACEHOLDER * 2}",))


@pytest.mark.parametrize("data", ["JVBERi0=", "data:text/plain;base64,aGk=", "data:application/pdf;base64,aGk="])
def test_what_is_no_pdf_is_refused(data: str) -> None:
    with pytest.raises(Refusal, match=r"Invalid 'messages\[0\]\.content\[1\]\.file\.file_data'\. Expected"):
        read_file(data)


def test_images_are_counted() -> None:
    parts: JsonValue = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    message = parse_openai_request(body({"role": "user", "content": parts})).conversation.messages[0]
    assert (message.text, message.images) == ("look", 1)


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, ToolChoice()),
        ({"tool_choice": "none"}, ToolChoice("none")),
        ({"tool_choice": "required", "parallel_tool_calls": False}, ToolChoice("required", parallel=False)),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, ToolChoice("named", "f")),
    ],
)
def test_the_tool_choice_is_read(fields: dict[str, JsonValue], choice: ToolChoice) -> None:
    assert parse_openai_request(body(tools=[TOOL], **fields)).conversation.choice == choice
