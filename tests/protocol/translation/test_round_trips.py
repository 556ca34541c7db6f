"""One conversation, told on every surface, must read the same in the hub and survive every wire."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming as ChatParams,
)
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming as ResponsesParams,
)
from pydantic import TypeAdapter

from plano_agents.protocol import openai_chat_request as hub
from plano_agents.protocol.openai_responses_request import parse_request as parse_responses
from plano_agents.protocol.tool_names import ClientTools
from plano_agents.protocol.translation.chat_request_to_messages import (
    build_messages_request,
    parse_chat_request,
)
from plano_agents.protocol.translation.chat_request_to_responses import build_responses_request
from plano_agents.protocol.translation.chat_request_to_upstream import encode_chat_request
from plano_agents.protocol.translation.messages_request_to_chat import parse_messages_request
from plano_agents.protocol.translation.responses_request_to_chat import read_responses_request

MESSAGES_ORACLE: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
CHAT_ORACLE: TypeAdapter[Any] = TypeAdapter(ChatParams)
RESPONSES_ORACLE: TypeAdapter[Any] = TypeAdapter(ResponsesParams)

TEXTS = st.text(min_size=1, max_size=20)
ARGUMENTS = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(), max_size=3)


@dataclass(frozen=True)
class Call:
    """A call and its result."""

    name: str
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True)
class Step:
    """A user's question and the model's answer, which may call tools."""

    question: str
    answer: str
    calls: tuple[Call, ...]


CALLS = st.builds(Call, st.sampled_from(["add", "now"]), ARGUMENTS, TEXTS)
STEPS = st.builds(Step, TEXTS, TEXTS, st.lists(CALLS, max_size=3).map(tuple))
CONVERSATIONS = st.lists(STEPS, min_size=1, max_size=4)


def name_calls(steps: Sequence[Step]) -> list[tuple[Step, list[tuple[str, Call]]]]:
    return [
        (step, [(f"t{place}_{number}", call) for number, call in enumerate(step.calls)])
        for place, step in enumerate(steps)
    ]


def tell_chat(system: str, steps: Sequence[Step]) -> bytes:
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    for step, calls in name_calls(steps):
        functions = [
            {
                "id": name,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for name, call in calls
        ]
        messages.append({"role": "user", "content": step.question})
        answer = {"role": "assistant", "content": step.answer}
        messages.append(answer | ({"tool_calls": functions} if functions else {}))
        messages += [{"role": "tool", "tool_call_id": name, "content": call.result} for name, call in calls]
    return json.dumps({"messages": messages}).encode()


def tell_messages(system: str, steps: Sequence[Step]) -> bytes:
    messages: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for step, calls in name_calls(steps):
        uses = [{"type": "tool_use", "id": name, "name": call.name, "input": call.arguments} for name, call in calls]
        messages.append({"role": "user", "content": [*results, {"type": "text", "text": step.question}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": step.answer}, *uses]})
        results = [{"type": "tool_result", "tool_use_id": name, "content": call.result} for name, call in calls]
    if results:
        messages.append({"role": "user", "content": results})
    return json.dumps({"max_tokens": 5, "system": system, "messages": messages}).encode()


def tell_responses(system: str, steps: Sequence[Step]) -> bytes:
    items: list[dict[str, Any]] = []
    for step, calls in name_calls(steps):
        items.append({"role": "user", "content": step.question})
        items.append({"role": "assistant", "content": [{"type": "output_text", "text": step.answer}]})
        items += [
            {
                "type": "function_call",
                "call_id": name,
                "name": call.name,
                "arguments": json.dumps(call.arguments),
            }
            for name, call in calls
        ]
        items += [{"type": "function_call_output", "call_id": name, "output": call.result} for name, call in calls]
    return json.dumps({"instructions": system, "input": items}).encode()


def meaning(request: hub.ChatRequest) -> list[tuple[Any, ...]]:
    """The words of a conversation, their speakers and their order, however they are spelt."""
    found: list[tuple[Any, ...]] = []
    for message in request.messages:
        match message:
            case hub.AssistantMessage(content=content, tool_calls=calls):
                read = [(call.id, call.function.name, json.loads(str(call.function.arguments))) for call in calls or ()]
                found.append(("assistant", content, read))
            case hub.ToolMessage(tool_call_id=name, content=content):
                found.append(("tool", name, content))
            case _:
                found.append((type(message).__name__, message.content))
    return found


@given(TEXTS, CONVERSATIONS)
def test_a_conversation_reads_the_same_from_every_surface(system: str, steps: list[Step]) -> None:
    expected = meaning(parse_chat_request(tell_chat(system, steps)))
    assert meaning(parse_messages_request(tell_messages(system, steps))) == expected
    assert meaning(read_responses_request(parse_responses(tell_responses(system, steps)), ClientTools())) == expected


@given(TEXTS, CONVERSATIONS)
def test_a_chat_keeps_its_meaning_through_anthropics_wire(system: str, steps: list[Step]) -> None:
    request = parse_chat_request(tell_chat(system, steps))
    wire = msgspec.json.encode(build_messages_request(request, "claude"))
    fields = {"max_tokens": 1, **json.loads(wire)}
    MESSAGES_ORACLE.validate_python(fields)
    assert meaning(parse_messages_request(json.dumps(fields).encode())) == meaning(request)


@given(TEXTS, CONVERSATIONS)
def test_messages_keep_their_meaning_through_openais_wire(system: str, steps: list[Step]) -> None:
    request = parse_messages_request(tell_messages(system, steps))
    wire = encode_chat_request(request, "gpt")
    CHAT_ORACLE.validate_json(wire)
    assert meaning(parse_chat_request(wire)) == meaning(request)


@given(TEXTS, CONVERSATIONS)
def test_a_conversation_keeps_its_meaning_through_the_responses_wire(system: str, steps: list[Step]) -> None:
    request = parse_messages_request(tell_messages(system, steps))
    wire = json.loads(msgspec.json.encode(build_responses_request(request, "gpt")))
    RESPONSES_ORACLE.validate_python(wire)
    again = read_responses_request(parse_responses(json.dumps(wire).encode()), ClientTools())
    assert meaning(again) == meaning(request)


@given(TEXTS, CONVERSATIONS)
def test_messages_are_the_same_turns_after_the_hub(system: str, steps: list[Step]) -> None:
    told = json.loads(tell_messages(system, steps))
    request = parse_messages_request(json.dumps(told).encode())
    again = json.loads(msgspec.json.encode(build_messages_request(request, "claude")))
    for turn in told["messages"]:
        for block in turn["content"]:
            if block["type"] == "tool_result":
                block["content"] = [{"type": "text", "text": block["content"]}]
    assert again["messages"] == told["messages"]
    assert again["system"] == [{"type": "text", "text": system}]
