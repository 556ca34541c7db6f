"""Every row of the table, on both wires: what goes up is what the provider's pages say that it takes."""

import json
from typing import Any

import pytest

from plano_agents.protocol.form import Form
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, fit, sent
from tests.providers.fit.providers import TARGETS, check

USER = {"role": "user", "content": "hi"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
LONG_NAME = "mcp__plugin_context_engine_server__search_the_documentation_of_packages_v2"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def chat_loop(call_id: str = "functions.f:0", name: str = "f", **more: object) -> dict[str, Any]:
    """A tool loop of a chat client, twice with the same id."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    turn = [
        {"role": "assistant", "content": "\n\n", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "ok"},
    ]
    tool = {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
    return {"messages": [USER, *turn, *turn, {"role": "user", "content": "go on"}], "tools": [tool], **more}


def messages_loop(call_id: str = "functions.f:0", name: str = "f", **more: object) -> dict[str, Any]:
    """The same of a messages client."""
    turn = [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "\n\n"},
                {"type": "tool_use", "id": call_id, "name": name, "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call_id, "content": "ok"},
                {"type": "text", "text": "<system-reminder>Stay on task.</system-reminder>"},
            ],
        },
    ]
    return {
        "messages": [USER, *turn, *turn],
        "tools": [{"name": name, "input_schema": SCHEMA}],
        "max_tokens": 9,
        **more,
    }


def chat(*messages: object, **more: object) -> dict[str, Any]:
    return {"messages": list(messages) or [USER], **more}


def messages(*turns: object, **more: object) -> dict[str, Any]:
    return {"messages": list(turns) or [USER], "max_tokens": 100, **more}


def responses_loop(call_id: str = "functions.f:0", name: str = "f", **more: object) -> dict[str, Any]:
    """The loop of a responses client, with an instruction after it."""
    turn = [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"},
        {"type": "function_call_output", "call_id": call_id, "output": "ok"},
    ]
    tools = [{"type": "function", "name": name, "parameters": SCHEMA}]
    later = {"role": "developer", "content": "Briefly."}
    return {
        "input": [USER, *turn, *turn, later, {"role": "user", "content": "go on"}],
        "tools": tools,
        **more,
    }


def responses(**more: object) -> dict[str, Any]:
    return {"input": [USER], **more}


def image(surface: Form) -> dict[str, object]:
    if surface is CHAT:
        return {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}}
    return {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG}}


SCHEMAS: dict[str, Any] = {
    "empty": {},
    "untyped": {"properties": {"a": {"type": "string"}}},
    "alternatives": {**SCHEMA, "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]},
    "reference": {"$ref": "#/$defs/X", "$defs": {"X": SCHEMA}},
    "bounded": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}},
    "nested": {"type": "object", "properties": {"o": {"type": "object", "properties": {"n": {"enum": [1]}}}}},
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
}

REQUESTS: dict[str, tuple[Form, dict[str, Any]]] = {
    "chat: a loop with ids of another provider": (CHAT, chat_loop()),
    "messages: a loop with ids of another provider": (MESSAGES, messages_loop()),
    "chat: ids of 70 characters": (CHAT, chat_loop("c" * 70)),
    "messages: Anthropic's ids": (
        MESSAGES,
        {**(loop := messages_loop("toolu_01AbCdEfGh")), "messages": loop["messages"][:3]},
    ),
    "chat: a long name, chosen": (
        CHAT,
        chat_loop(name=LONG_NAME, tool_choice={"type": "function", "function": {"name": LONG_NAME}}),
    ),
    "messages: a long name, chosen": (
        MESSAGES,
        messages_loop(name=LONG_NAME, tool_choice={"type": "tool", "name": LONG_NAME}),
    ),
    "chat: a name with a dot": (CHAT, chat_loop(name="server.tool")),
    "chat: a high limit": (CHAT, chat(max_tokens=1_000_000)),
    "messages: a high limit": (MESSAGES, messages(max_tokens=1_000_000)),
    "chat: no limit": (CHAT, chat()),
    "chat: both limits": (CHAT, chat(max_tokens=5, max_completion_tokens=6)),
    "chat: sampling": (CHAT, chat(temperature=1.7, top_p=0.9, presence_penalty=0.5, seed=1)),
    "messages: sampling": (MESSAGES, messages(temperature=0.5, top_p=0.9, top_k=5)),
    "chat: stops": (CHAT, chat(stop=["\n", "a", "b", "c", "d"])),
    "messages: stops": (MESSAGES, messages(stop_sequences=[" ", "a", "b", "c", "d", "e"])),
    "chat: a blank stop": (CHAT, chat(stop="\n")),
    "chat: a long user": (
        CHAT,
        chat(user="u" * 300, safety_identifier="s" * 300, prompt_cache_key="k" * 300),
    ),
    "messages: a long user": (MESSAGES, messages(metadata={"user_id": "u" * 300})),
    "chat: OpenAI's own fields": (
        CHAT,
        chat(store=False, metadata={"a": "b"}, service_tier="auto", verbosity="low"),
    ),
    "chat: a developer within": (
        CHAT,
        chat(
            {"role": "developer", "content": "You help."},
            USER,
            {"role": "developer", "content": "Briefly."},
            USER,
        ),
    ),
    "messages: a system turn within": (
        MESSAGES,
        messages(
            USER,
            {"role": "assistant", "content": "yes"},
            USER,
            {"role": "system", "content": "Briefly."},
            system="You help.",
        ),
    ),
    "messages: effort of a system turn": (
        MESSAGES,
        messages(
            USER,
            {"role": "system", "content": "Briefly.", "output_config": {"effort": "medium"}},
            {"role": "assistant", "content": "yes"},
            USER,
            {"role": "system", "content": [], "output_config": {"effort": "low"}},
        ),
    ),
    "chat: the assistant first": (CHAT, chat({"role": "assistant", "content": "Hello."}, USER)),
    "messages: the assistant first": (MESSAGES, messages({"role": "assistant", "content": "Hello."}, USER)),
    "chat: the assistant last": (CHAT, chat(USER, {"role": "assistant", "content": "So:"})),
    "messages: the assistant last": (MESSAGES, messages(USER, {"role": "assistant", "content": "So:"})),
    "chat: blank text": (CHAT, chat(USER, {"role": "assistant", "content": " "}, USER)),
    "messages: blank text": (
        MESSAGES,
        messages(
            {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "\n"}]},
            system=[{"type": "text", "text": " "}],
        ),
    ),
    "chat: an image of another type": (CHAT, chat({"role": "user", "content": [image(CHAT)]})),
    "messages: an image of another type": (
        MESSAGES,
        messages({"role": "user", "content": [image(MESSAGES)]}),
    ),
    "messages: thinking by a budget": (
        MESSAGES,
        messages(max_tokens=5_000, thinking={"type": "enabled", "budget_tokens": 2_000}, temperature=0.5),
    ),
    "messages: a budget above the limit": (
        MESSAGES,
        messages(max_tokens=200_000, thinking={"type": "enabled", "budget_tokens": 150_000}),
    ),
    "messages: adaptive thinking": (
        MESSAGES,
        messages(max_tokens=20_000, thinking={"type": "adaptive"}, top_p=0.5),
    ),
    **{
        f"messages: thinking {kind} beside effort {effort}": (
            MESSAGES,
            messages(max_tokens=20_000, thinking={"type": kind}, output_config={"effort": effort}),
        )
        for kind in ("disabled", "between_tools")
        for effort in ("low", "max")
    },
    "messages: tools that change within the conversation": (
        MESSAGES,
        messages(
            USER,
            {
                "role": "system",
                "content": [
                    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "later"}},
                    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}},
                ],
                "clear_at": "next_user_message",
            },
            {"role": "assistant", "content": "Yes."},
            USER,
            {"role": "system", "content": "Briefly."},
            tools=[
                {"name": "f", "input_schema": SCHEMA},
                {"name": "later", "input_schema": SCHEMA, "defer_loading": True},
            ],
        ),
    ),
    "messages: thinking shown as updates": (
        MESSAGES,
        messages(max_tokens=20_000, thinking={"type": "adaptive", "display": "updates"}),
    ),
    "responses: a loop with ids of another provider": (RESPONSES, responses_loop()),
    "responses: ids of 70 characters": (RESPONSES, responses_loop("c" * 70)),
    "responses: a long name, chosen": (
        RESPONSES,
        responses_loop(name=LONG_NAME, tool_choice={"type": "function", "name": LONG_NAME}),
    ),
    "responses: a name with a dot": (RESPONSES, responses_loop(name="server.tool")),
    "responses: a high limit": (RESPONSES, responses(max_output_tokens=1_000_000)),
    "responses: sampling": (RESPONSES, responses(temperature=1.7, top_p=0.9)),
    "responses: a long user": (
        RESPONSES,
        responses(user="u" * 300, safety_identifier="s" * 300, prompt_cache_key="k" * 300),
    ),
    "responses: OpenAI's own fields": (
        RESPONSES,
        responses(store=False, metadata={"a": "b"}, service_tier="auto", truncation="auto", max_tool_calls=2),
    ),
    "responses: the assistant first": (
        RESPONSES,
        {"input": [{"role": "assistant", "content": "Hello."}, USER]},
    ),
    "responses: the assistant last": (RESPONSES, {"input": [USER, {"role": "assistant", "content": "So:"}]}),
    "responses: blank text": (RESPONSES, {"input": [USER, {"role": "assistant", "content": " "}, USER]}),
    "responses: an image of another type": (
        RESPONSES,
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": f"data:image/jpg;base64,{PNG}"}],
                }
            ]
        },
    ),
    "responses: streamed": (RESPONSES, responses(stream=True)),
    **{
        f"responses: effort {effort}": (RESPONSES, responses(reasoning={"effort": effort}))
        for effort in ("none", "minimal", "low", "high", "xhigh", "max")
    },
    "chat: streamed": (CHAT, chat(stream=True, stream_options={"include_usage": True})),
    "messages: streamed": (MESSAGES, messages(stream=True)),
    **{
        f"chat: effort {effort}": (CHAT, chat(reasoning_effort=effort))
        for effort in ("none", "minimal", "low", "high", "xhigh", "max")
    },
    **{
        f"messages: effort {effort}": (
            MESSAGES,
            messages(max_tokens=20_000, output_config={"effort": effort}),
        )
        for effort in ("low", "high", "xhigh", "max")
    },
    **{
        f"chat: a tool's schema, {name}, strict={strict}": (
            CHAT,
            chat(tools=[{"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}]),
        )
        for name, schema in SCHEMAS.items()
        for strict in (True, False)
    },
    **{
        f"messages: a tool's schema, {name}, strict={strict}": (
            MESSAGES,
            messages(tools=[{"name": "f", "input_schema": schema, "strict": strict}]),
        )
        for name, schema in SCHEMAS.items()
        for strict in (True, False)
    },
    **{
        f"chat: an answer's schema, {name}": (
            CHAT,
            chat(
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": schema, "strict": True},
                }
            ),
        )
        for name, schema in SCHEMAS.items()
    },
    **{
        f"responses: a tool's schema, {name}, strict={strict}": (
            RESPONSES,
            responses(tools=[{"type": "function", "name": "f", "parameters": schema, "strict": strict}]),
        )
        for name, schema in SCHEMAS.items()
        for strict in (True, False)
    },
    **{
        f"responses: an answer's schema, {name}": (
            RESPONSES,
            responses(text={"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}}),
        )
        for name, schema in SCHEMAS.items()
    },
    **{
        f"messages: an answer's schema, {name}": (
            MESSAGES,
            messages(output_config={"format": {"type": "json_schema", "schema": schema}}),
        )
        for name, schema in SCHEMAS.items()
    },
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", REQUESTS)
def test_what_was_fitted_is_taken(case: str, target: str) -> None:
    surface, body = REQUESTS[case]
    check(target, sent(surface, target, body))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", REQUESTS)
def test_what_was_fitted_needs_no_more(case: str, target: str) -> None:
    """A second fitting of what goes up changes nothing: rules do not work against each other."""
    surface, body = REQUESTS[case]
    once = sent(surface, target, body)
    wire = RESPONSES if "input" in once else MESSAGES if target.startswith("anthropic/") else CHAT
    again = fit(wire, target, once)
    assert json.loads(again.body) == once
    assert again.adjustments == ()


TURN_EFFORTS = [
    USER,
    {"role": "system", "content": "Environment", "output_config": {"effort": "medium"}},
    {"role": "assistant", "content": "hello"},
    {"role": "system", "content": [], "output_config": {"effort": "max"}},
    USER,
]


def test_a_turns_effort_becomes_the_requests_where_a_model_takes_none_within_the_conversation() -> None:
    body = messages(*TURN_EFFORTS, output_config={"effort": "low"})
    found = sent(MESSAGES, "anthropic/claude-opus-4-5", body)
    check("anthropic/claude-opus-4-5", found)
    assert found["output_config"] == {"effort": "high"}


def test_a_turns_effort_stays_where_a_model_takes_it() -> None:
    found = sent(MESSAGES, "anthropic/claude-opus-5-5", messages(*TURN_EFFORTS[:2]))
    assert found["messages"] == TURN_EFFORTS[:2]
