"""One conversation, as each surface writes it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from plano_agents.router.request.surfaces import CHAT, MESSAGES, RESPONSES, Surface

SCHEMA = {"type": "object", "properties": {}}
CALL_ID = "call_1"


class Said(NamedTuple):
    """One step of a conversation."""

    role: str
    """``user``, ``assistant``, ``call`` (the model calls its tool) or ``result`` (the tool's answer)."""
    text: str = ""


def user(text: str) -> Said:
    return Said("user", text)


CALLED = (Said("call"), Said("result", "18 degrees"))
"""One round of a tool loop."""


def write(surface: Surface, *steps: Said, system: str = "Be brief.", tool: str = "look_up") -> bytes:
    """Write a request that ends with the conversation's last step."""
    return json.dumps(_WRITERS[surface](steps, system, tool)).encode()


def _write_chat(steps: Sequence[Said], system: str, tool: str) -> Mapping[str, Any]:
    call = {"id": CALL_ID, "type": "function", "function": {"name": tool, "arguments": "{}"}}
    shapes: Mapping[str, Callable[[str], dict[str, Any]]] = {
        "user": lambda text: {"role": "user", "content": text},
        "assistant": lambda text: {"role": "assistant", "content": text},
        "call": lambda _: {"role": "assistant", "content": None, "tool_calls": [call]},
        "result": lambda text: {"role": "tool", "tool_call_id": CALL_ID, "content": text},
    }
    return {
        "messages": [{"role": "system", "content": system}, *(shapes[role](text) for role, text in steps)],
        "tools": [{"type": "function", "function": {"name": tool, "parameters": SCHEMA}}],
    }


def _write_messages(steps: Sequence[Said], system: str, tool: str) -> Mapping[str, Any]:
    call = {"type": "tool_use", "id": CALL_ID, "name": tool, "input": {}}
    result = {"type": "tool_result", "tool_use_id": CALL_ID}
    shapes: Mapping[str, Callable[[str], dict[str, Any]]] = {
        "user": lambda text: {"role": "user", "content": [{"type": "text", "text": text}]},
        "assistant": lambda text: {"role": "assistant", "content": text},
        "call": lambda _: {"role": "assistant", "content": [call]},
        "result": lambda text: {"role": "user", "content": [{**result, "content": text}]},
    }
    return {
        "max_tokens": 9,
        "system": system,
        "messages": [shapes[role](text) for role, text in steps],
        "tools": [{"name": tool, "input_schema": SCHEMA}],
    }


def _write_responses(steps: Sequence[Said], system: str, tool: str) -> Mapping[str, Any]:
    call = {"type": "function_call", "call_id": CALL_ID, "name": tool, "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": CALL_ID}
    shapes: Mapping[str, Callable[[str], dict[str, Any]]] = {
        "user": lambda text: {"role": "user", "content": text},
        "assistant": lambda text: {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text}],
        },
        "call": lambda _: call,
        "result": lambda text: {**result, "output": text},
    }
    return {
        "instructions": system,
        "input": [shapes[role](text) for role, text in steps],
        "tools": [{"type": "function", "name": tool, "parameters": SCHEMA}],
    }


_WRITERS: Mapping[Surface, Callable[[Sequence[Said], str, str], Mapping[str, Any]]] = {
    CHAT: _write_chat,
    MESSAGES: _write_messages,
    RESPONSES: _write_responses,
}
