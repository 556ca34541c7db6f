"""Requests and answers on any surface as messages in parts, by GenAI's conventions.

Shapes are those of ``gen-ai-input-messages.json`` and ``gen-ai-output-messages.json`` in
open-telemetry/semantic-conventions-genai. It is read for a trace only, so nothing here fails: what is no such request
or answer, or was cut, gives what could be read of it. Images, files and the like are named, not carried.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol import sse
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.calls import CallIds
from plano_agents.protocol.translation.chat_stream import ChatStreamReader
from plano_agents.protocol.translation.messages_stream_to_chat import MessagesStreamReader
from plano_agents.protocol.translation.stream import Reader
from plano_agents.protocol.translation.whole import join_chunks

Part = dict[str, Any]
Message = dict[str, Any]

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "incomplete": "length",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "tool_use": "tool_call",
    "refusal": "content_filter",
    "failed": "error",
}
"""The surfaces' reasons for finishing that the conventions spell otherwise."""


@dataclass(frozen=True, slots=True)
class Said:
    """The messages of a request."""

    messages: list[Message]
    """The conversation, in the order sent."""
    instructions: list[Part]
    """What stands beside it; the chat surface has none."""


def read_input(form: Form, body: bytes) -> Said:
    """Read what was asked.

    Args:
        form: The client's surface.
        body: Its request.
    """
    request = _decode(body)
    if form is Form.OPENAI_RESPONSES:
        given = request.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else _dicts(given)
        return Said([_read_item(item) for item in items], _read_parts(request.get("instructions")))
    messages = [_read_message(message) for message in _dicts(request.get("messages"))]
    return Said(messages, _read_parts(request.get("system")) if form is Form.ANTHROPIC_MESSAGES else [])


def read_output(form: Form, reply: bytes, *, streams: bool) -> list[Message]:
    """Read what was answered.

    Args:
        form: The client's surface.
        reply: The answer as the client got it, or its beginning.
        streams: Whether it is a stream's events.
    """
    if not streams:
        return _READERS[form](_decode(reply))
    return _STREAM_READERS[form](reply)


def encode_messages(messages: object) -> str:
    """Write messages, or parts, as a span carries them."""
    return msgspec.json.encode(messages).decode()


def _decode(text: bytes | str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except BAD_JSON:
        return {}
    return _dict(found)


def _dict(given: object) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _text(given: object) -> str:
    return given if isinstance(given, str) else ""


def _dicts(given: object) -> list[dict[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _read_message(message: Mapping[str, Any]) -> Message:
    """Read a message of the chat surface, or of Anthropic's."""
    role = str(message.get("role", ""))
    if role == "tool":
        answer = {
            "type": "tool_call_response",
            "id": message.get("tool_call_id"),
            "response": message.get("content"),
        }
        return {"role": role, "parts": [answer]}
    calls = [_read_call(call) for call in _dicts(message.get("tool_calls"))]
    thoughts = [{"type": "reasoning", "content": text} for text in [_text(message.get("reasoning_content"))] if text]
    return {"role": role, "parts": [*thoughts, *_read_parts(message.get("content")), *calls]}


def _read_call(call: Mapping[str, Any]) -> Part:
    function = _dict(call.get("function"))
    return _call(call.get("id"), function.get("name"), function.get("arguments"))


def _call(number: object, name: object, arguments: object) -> Part:
    given = _decode(arguments) or arguments if isinstance(arguments, str) else arguments
    return {"type": "tool_call", "id": number, "name": _text(name), "arguments": given}


def _read_parts(content: object) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    return [_read_part(part) for part in _dicts(content)]


def _read_part(part: Mapping[str, Any]) -> Part:
    """Read a content part of any surface; one that is not text is named alone."""
    match part.get("type"):
        case "text" | "input_text" | "output_text" | "refusal":
            return {"type": "text", "content": part.get("text") or part.get("refusal", "")}
        case "thinking" | "summary_text":
            return {"type": "reasoning", "content": part.get("thinking") or part.get("text", "")}
        case "tool_use":
            return _call(part.get("id"), part.get("name"), part.get("input"))
        case "tool_result":
            response = _read_parts(part.get("content"))
            return {"type": "tool_call_response", "id": part.get("tool_use_id"), "response": response}
        case kind:
            return {"type": str(kind)}


def _read_item(item: Mapping[str, Any]) -> Message:
    """Read an item of the responses surface, of its input or its output."""
    match item.get("type", "message"):
        case "message":
            return {"role": item.get("role", "assistant"), "parts": _read_parts(item.get("content"))}
        case "function_call":
            call = _call(item.get("call_id"), item.get("name"), item.get("arguments"))
            return {"role": "assistant", "parts": [call]}
        case "function_call_output":
            answer = {"type": "tool_call_response", "id": item.get("call_id"), "response": item.get("output")}
            return {"role": "tool", "parts": [answer]}
        case "reasoning":
            return {"role": "assistant", "parts": _read_parts(item.get("summary"))}
        case kind:
            return {"role": "assistant", "parts": [{"type": str(kind)}]}


def _finish(message: Message, reason: object) -> Message:
    return {**message, "finish_reason": _FINISH.get(str(reason), str(reason)) if reason else "error"}


def _read_chat(answer: Mapping[str, Any]) -> list[Message]:
    return [
        _finish(_read_message(_dict(choice.get("message"))), choice.get("finish_reason"))
        for choice in _dicts(answer.get("choices"))
    ]


def _read_messages(answer: Mapping[str, Any]) -> list[Message]:
    return [_finish(_read_message(answer), answer.get("stop_reason"))] if "content" in answer else []


def _read_responses(answer: Mapping[str, Any]) -> list[Message]:
    items = [_read_item(item) for item in _dicts(answer.get("output"))]
    parts = [part for item in items for part in item["parts"]]
    calls = any(part["type"] == "tool_call" for part in parts)
    reason = "tool_calls" if calls else answer.get("status")
    return [_finish({"role": "assistant", "parts": parts}, reason)] if parts else []


def _assemble(reader: Reader, events: bytes) -> list[Message]:
    """Put a stream of chat completions or of messages together, as far as it can be read."""
    chunks: list[openai.Chunk] = []
    with suppress(UpstreamProtocolError):
        chunks.extend(item for item in reader.feed(events) if isinstance(item, openai.Chunk))
    return _read_chat(_decode(msgspec.json.encode(join_chunks(chunks))))


def _assemble_responses(stream: bytes) -> list[Message]:
    """Read the last response: it holds the whole answer; of one that was cut, the text that came."""
    events = [_decode(event.data) for event in sse.decode_events(stream)]
    for event in reversed(events):
        whole = event.get("response")
        if isinstance(whole, dict) and (found := _read_responses(whole)):
            return found
    pieces = [event.get("delta") for event in events if event.get("type") == "response.output_text.delta"]
    return [_finish({"role": "assistant", "parts": _read_parts("".join(map(_text, pieces)))}, None)]


_READERS: Mapping[Form, Callable[[Mapping[str, Any]], list[Message]]] = {
    Form.OPENAI_CHAT: _read_chat,
    Form.ANTHROPIC_MESSAGES: _read_messages,
    Form.OPENAI_RESPONSES: _read_responses,
}
_STREAM_READERS: Mapping[Form, Callable[[bytes], list[Message]]] = {
    Form.OPENAI_CHAT: lambda events: _assemble(ChatStreamReader(), events),
    Form.ANTHROPIC_MESSAGES: lambda events: _assemble(MessagesStreamReader(CallIds(), created=0), events),
    Form.OPENAI_RESPONSES: _assemble_responses,
}
