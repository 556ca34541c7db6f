import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plano_agents.simulator.conversation import ToolChoice, ToolResult
from plano_agents.simulator.wire.anthropic.refusals import encode_anthropic_refusal
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.exchange import Refusal

KEYS = ("role", "content", "type", "text", "id", "tool_use_id", "input", "source", "name")
USER: dict[str, JsonValue] = {"role": "user", "content": "hi"}
TOOL: dict[str, JsonValue] = {"name": "f", "input_schema": {"type": "object"}}


def call(*ids: str) -> dict[str, JsonValue]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": call_id, "name": "f", "input": {"x": 1}} for call_id in ids],
    }


def result(*ids: str) -> dict[str, JsonValue]:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call_id, "content": "done"} for call_id in ids],
    }


def body(*messages: JsonValue, **fields: JsonValue) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 9, "messages": [*messages] or [USER], **fields}).encode()


def refusal_of(source: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_anthropic_request(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"{", "The request body is not valid JSON"),
        (b'{"model": "m", "messages": []}', "max_tokens: Field required"),
        (b'{"max_tokens": 5, "messages": []}', "model: Field required"),
        (body(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
        (body(messages=[]), "messages: at least one message is required"),
        (
            body({"role": "assistant", "content": "x"}),
            'messages: first message must use the "user" role',
        ),
        (body({"role": "system", "content": "x"}), 'messages: Unexpected role "system".'),
        (body({"role": "robot", "content": "x"}), "messages.0.role: Input should be 'user', 'assistant' or"),
        (body({"role": "user", "content": ""}), "messages.0: all messages must have non-empty content"),
        (
            body({"role": "user", "content": [{"type": "text", "text": ""}]}),
            "messages: text content blocks must be non-empty",
        ),
        (
            body({"role": "user", "content": [{"type": "text"}]}),
            "messages.0.content.0.text: Field required",
        ),
        (body({**USER, "name": "x"}), "messages.0.name: Extra inputs are not permitted"),
        (
            body({**USER, "output_config": {"effort": "low"}}),
            "messages.0.output_config: Extra inputs are not permitted",
        ),
        (body(stream_options={}), "stream_options: Extra inputs are not permitted"),
        (
            body(USER, call("a")),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a.",
        ),
        (
            body(USER, call("a", "b"), result("a")),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b.",
        ),
        (
            body(USER, call("a"), USER, result("a")),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a.",
        ),
        (
            body(result("a")),
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a.",
        ),
        (body(USER, call("a", "a")), "messages.1.content.1: `tool_use` ids must be unique"),
        (
            body(USER, call("a"), result("a"), call("a"), result("a")),
            "messages.3.content.0: `tool_use` ids must be unique",
        ),
        (body(tools=[{"input_schema": {}}]), "tools.0.name: Field required"),
        (body(tools=[{"name": "f"}]), "tools.0.input_schema: Field required"),
        (
            body(tools=[{"name": "no spaces", "input_schema": {}}]),
            "tools.0.name: String should match pattern",
        ),
        (body(tools=[TOOL, TOOL]), "tools: Tool names must be unique."),
        (body(tool_choice={"type": "auto"}), "tool_choice may only be specified while providing tools"),
        (
            body(tools=[TOOL], tool_choice={"type": "tool", "name": "g"}),
            "Tool 'g' not found in provided tools",
        ),
        (body(tools=[TOOL], tool_choice={"type": "maybe"}), "tool_choice: Input tag 'maybe'"),
    ],
)
def test_a_bad_request_is_refused_in_the_providers_words(source: bytes, message: str) -> None:
    refusal = refusal_of(source)
    assert refusal.message.startswith(message)
    assert (refusal.status, refusal.kind) == (400, "invalid_request_error")


def test_a_refusal_has_the_providers_body() -> None:
    refusal = refusal_of(body(messages=[]))
    assert json.loads(encode_anthropic_refusal(refusal, "req_1")) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "messages: at least one message is required"},
        "request_id": "req_1",
    }


@given(st.binary() | st.text().map(str.encode))
def test_whatever_bytes_come_are_read_or_refused(source: bytes) -> None:
    with contextlib.suppress(Refusal):
        parse_anthropic_request(source)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
)


@given(st.fixed_dictionaries({"model": st.just("m"), "max_tokens": st.just(9), "messages": json_values}))
def test_whatever_messages_come_are_read_or_refused(source: JsonValue) -> None:
    with contextlib.suppress(Refusal):
        parse_anthropic_request(json.dumps(source).encode())


def test_the_system_prompt_is_read_from_blocks() -> None:
    request = parse_anthropic_request(
        body(system=[{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}])
    )
    assert request.conversation.system == "a"


def test_calls_and_results_are_read() -> None:
    called, answered = parse_anthropic_request(body(USER, call("a"), result("a"))).conversation.messages[1:]
    assert [(c.id, c.name, c.arguments) for c in called.calls] == [("a", "f", {"x": 1})]
    assert answered.results == (ToolResult("a", "done"),)


def test_a_result_can_be_marked_as_an_error() -> None:
    block: JsonValue = {"type": "tool_result", "tool_use_id": "a", "content": "no", "is_error": True}
    request = parse_anthropic_request(body(USER, call("a"), {"role": "user", "content": [block]}))
    assert request.conversation.messages[-1].results[0].is_error


@pytest.mark.parametrize(
    ("given_choice", "choice"),
    [
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required", parallel=False)),
        ({"type": "tool", "name": "f"}, ToolChoice("named", "f")),
    ],
)
def test_the_tool_choice_is_read(given_choice: JsonValue, choice: ToolChoice) -> None:
    assert parse_anthropic_request(body(tools=[TOOL], tool_choice=given_choice)).conversation.choice == choice


def change(kind: str, **tool: JsonValue) -> dict[str, JsonValue]:
    return {"role": "system", "content": [{"type": kind, "tool": {"type": "tool_reference", **tool}}]}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([change("tool_removal", name="f")], []),
        ([change("tool_removal", name="f"), change("tool_addition", name="f")], ["f"]),
        ([change("tool_addition", type="tool_definition", definition={**TOOL, "name": "g"})], ["f", "g"]),
        ([change("tool_addition", type="mcp_toolset_reference", server_name="docs")], ["f"]),
    ],
)
def test_tools_change_within_the_conversation(changes: list[JsonValue], names: list[str]) -> None:
    request = parse_anthropic_request(body(USER, *changes, tools=[TOOL]))
    assert [tool.name for tool in request.conversation.tools] == names


def test_a_change_of_an_unknown_tool_and_one_outside_of_instructions_are_refused() -> None:
    source = body(USER, change("tool_addition", name="g"), tools=[TOOL])
    assert refusal_of(source).message == "messages.1.content.0.tool.name: no tool is called 'g'"
    source = body({**change("tool_removal", name="f"), "role": "user"}, tools=[TOOL])
    assert "`tool_removal` blocks are not allowed in `user` messages" in refusal_of(source).message
