"""Reasoning in LangChain's messages, kept and sent back: its OpenAI classes drop all that is not OpenAI's.

DeepSeek and Kimi want ``reasoning_content`` back with a turn that called tools, Claude its ``thinking_blocks``, Gemini
a call's ``extra_content`` with its thought signature. They stand in a message's ``additional_kwargs``, the last by the
call's id; the router leaves out what the model that serves a request does not read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

FIELDS = ("reasoning_content", "thinking_blocks")
"""What a message has besides its text."""

SIGNED_CALLS = "signed_tool_calls"
"""Where the calls' own additions stand, by the calls' ids."""


def read_reasoning(message: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is to be kept of an answer's message, or of a chunk's delta.

    Args:
        message: As it came over the wire.

    Returns:
        For ``additional_kwargs``; what chunks have adds up.
    """
    kept = {name: message[name] for name in FIELDS if message.get(name)}
    signed = {
        call["id"]: call["extra_content"]
        for call in message.get("tool_calls") or ()
        if call.get("id") and call.get("extra_content")
    }
    return {**kept, SIGNED_CALLS: signed} if signed else kept


def restore_reasoning(messages: Sequence[BaseMessage], payload: Sequence[dict[str, Any]]) -> None:
    """Put what was kept into a request's messages.

    Args:
        messages: LangChain's.
        payload: The same, one for one, as they are sent; they are changed.
    """
    for message, sent in zip(messages, payload, strict=True):
        if not isinstance(message, AIMessage):
            continue
        kept = message.additional_kwargs
        sent.update({name: kept[name] for name in FIELDS if kept.get(name) and name not in sent})
        signed = kept.get(SIGNED_CALLS) or {}
        for call in sent.get("tool_calls") or ():
            if call.get("id") in signed:
                call["extra_content"] = signed[call["id"]]
