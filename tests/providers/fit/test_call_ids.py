"""Ids of calls that a server left out, or gave twice: each call has one of its own, and its result has the same."""

from itertools import pairwise
from typing import Any

import pytest

from plano_agents.protocol.form import Form
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, sent
from tests.providers.fit.providers import check
from tests.providers.fit.test_rows import USER

TARGETS = (
    "anthropic/claude-sonnet-4-6",
    "openai/gpt-4o",
    "mistral/mistral-large-latest",
    "deepseek/deepseek-v4-flash",
)
ODD_IDS: list[tuple[Form, str | None]] = [
    *((form, call_id) for form in (CHAT, MESSAGES, RESPONSES) for call_id in ("call_0", "toolu_01", "")),
    *((form, None) for form in (CHAT, MESSAGES)),
]


def chat_calls(call_id: str | None) -> dict[str, Any]:
    """Two calls of one step with the same id, and such a step once more."""
    call: dict[str, Any] = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    results = [{"role": "tool", "tool_call_id": call_id, "content": text} for text in ("one", "two")]
    step = [{"role": "assistant", "content": None, "tool_calls": [call, call]}, *results]
    return {"messages": [USER, *step, *step]}


def messages_calls(call_id: str | None) -> dict[str, Any]:
    call: dict[str, Any] = {"type": "tool_use", "id": call_id, "name": "f", "input": {}}
    results = [{"type": "tool_result", "tool_use_id": call_id, "content": text} for text in ("one", "two")]
    step = [{"role": "assistant", "content": [call, call]}, {"role": "user", "content": results}]
    return {"messages": [USER, *step, *step], "max_tokens": 9}


def responses_calls(call_id: str | None) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}
    results = [{"type": "function_call_output", "call_id": call_id, "output": text} for text in ("one", "two")]
    return {"input": [USER, call, call, *results, call, call, *results]}


CLIENTS = {CHAT: chat_calls, MESSAGES: messages_calls, RESPONSES: responses_calls}


def pair(form: Form, body: dict[str, Any]) -> list[tuple[str, str]]:
    """List the ids of calls with what answers each, in order."""
    calls: list[str] = []
    said: dict[str, list[str]] = {}
    for message in body["input" if form is RESPONSES else "messages"]:
        blocks = message["content"] if form is MESSAGES else [message]
        for block in blocks if isinstance(blocks, list) else []:
            kind = block.get("type") or block.get("role")
            if kind in {"tool_use", "function_call"}:
                calls.append(block.get("call_id") or block["id"])
            elif kind == "assistant":
                calls += [call["id"] for call in block.get("tool_calls") or ()]
            elif kind in {"tool", "tool_result", "function_call_output"}:
                name = next(name for name in ("tool_call_id", "tool_use_id", "call_id") if name in block)
                content = block.get("content", block.get("output"))
                said.setdefault(block[name], []).append(content if isinstance(content, str) else content[0]["text"])
    return [(call, said[call].pop(0)) for call in calls]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("surface", "call_id"), ODD_IDS)
def test_calls_that_share_an_id_are_answered_in_order(surface: Form, target: str, call_id: str | None) -> None:
    body = sent(surface, target, CLIENTS[surface](call_id))
    wire = RESPONSES if "input" in body else MESSAGES if target.startswith("anthropic") else CHAT
    if wire is not RESPONSES:
        check(target, body)
    pairs = pair(wire, body)
    assert [text for _, text in pairs] == ["one", "two", "one", "two"]
    assert all(one != other for (one, _), (other, _) in pairwise(pairs))


@pytest.mark.parametrize("target", ["openai/gpt-5.5", "chatgpt/gpt-5", "xai/grok-4"])
def test_a_responses_call_id_has_at_most_64_characters(target: str) -> None:
    """OpenAI's 400 ``string_above_max_length``; the results find their calls, and ids that fit stay."""
    call_id, fits = "toolu_" + "x" * 80, "call_" + "y" * 59
    body = {"input": [USER, *(item for each in (call_id, fits) for item in responses_calls(each)["input"][1:4:2])]}
    found = sent(RESPONSES, target, body)
    ids = [item["call_id"] for item in found["input"][1:]]
    assert ids[0] == ids[1] != call_id
    assert ids[2:] == [fits, fits]
    assert all(len(each) <= 64 for each in ids)


def test_a_call_without_an_id_is_translated() -> None:
    body = chat_calls(None)
    for message in body["messages"]:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls") or ():
            call.pop("id", None)
    check("anthropic/claude-sonnet-4-6", sent(CHAT, "anthropic/claude-sonnet-4-6", body))


@pytest.mark.parametrize("call_id", ["", None])
@pytest.mark.parametrize("model", ["gemini/gemini-2.5-flash", "vllm/qwen3.8"])
def test_a_server_that_takes_any_id_gets_one(model: str, call_id: str | None) -> None:
    body = sent(CHAT, model, chat_calls(call_id), **({"interface": "openai"} if "vllm" in model else {}))
    assert all(call for call, _ in pair(CHAT, body))
