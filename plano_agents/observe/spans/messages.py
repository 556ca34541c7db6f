"""Requests and answers on any surface as messages in parts, by GenAI's conventions.

Shapes are those of ``gen-ai-input-messages.json`` and ``gen-ai-output-messages.json`` in
open-telemetry/semantic-conventions-genai. It is read for a trace only, so nothing here fails: what is no such request
or answer, or was cut, gives what could be read of it. Images, files and the like are named, not carried.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from plano_agents.protocol import sse
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.form import Form

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
    return _STREAM_READERS[form]([_decode(event.data) for event in sse.decode_events(reply)])


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
    thoughts = [
        {"type": "reasoning", "content": text} for text in [_text(message.get("reasoning_content"))] if text
    ]
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


@dataclass(slots=True)
class _Assembly:
    """A message that comes in pieces."""

    text: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    finish: object = None

    def add_call(self, index: object, number: object, name: object, arguments: object) -> None:
        call = self.calls.setdefault(str(index), {"id": None, "name": "", "arguments": []})
        call["id"] = number or call["id"]
        call["name"] = name or call["name"]
        call["arguments"].append(_text(arguments))

    def build(self) -> Message:
        said = [("reasoning", "".join(self.thoughts)), ("text", "".join(self.text))]
        parts = [{"type": kind, "content": text} for kind, text in said if text]
        calls = [_call(call["id"], call["name"], "".join(call["arguments"])) for call in self.calls.values()]
        return _finish({"role": "assistant", "parts": [*parts, *calls]}, self.finish)


def _assemble_chat(events: Iterable[Mapping[str, Any]]) -> list[Message]:
    choices: dict[str, _Assembly] = {}
    for choice in _list_choices(events):
        one = choices.setdefault(str(choice.get("index", 0)), _Assembly())
        delta = _dict(choice.get("delta"))
        one.text.append(_text(delta.get("content")))
        one.thoughts.append(_text(delta.get("reasoning_content")))
        for call in _dicts(delta.get("tool_calls")):
            function = _dict(call.get("function"))
            one.add_call(
                call.get("index", 0), call.get("id"), function.get("name"), function.get("arguments")
            )
        one.finish = choice.get("finish_reason") or one.finish
    return [one.build() for one in choices.values()]


def _list_choices(events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for event in events:
        yield from _dicts(event.get("choices"))


def _assemble_messages(events: Iterable[Mapping[str, Any]]) -> list[Message]:
    one = _Assembly()
    for event in events:
        delta = _dict(event.get("delta"))
        index = event.get("index", 0)
        match event.get("type"):
            case "content_block_start":
                block = _dict(event.get("content_block"))
                if block.get("type") == "tool_use":
                    one.add_call(index, block.get("id"), block.get("name"), "")
            case "content_block_delta" if "partial_json" in delta:
                one.add_call(index, None, None, delta["partial_json"])
            case "content_block_delta":
                one.text.append(_text(delta.get("text")))
                one.thoughts.append(_text(delta.get("thinking")))
            case "message_delta":
                one.finish = delta.get("stop_reason") or one.finish
    return [one.build()]


def _assemble_responses(events: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Read the last response: it holds the whole answer; of one that was cut, the text that came."""
    events = list(events)
    for event in reversed(events):
        whole = event.get("response")
        if isinstance(whole, dict) and (found := _read_responses(whole)):
            return found
    pieces = [event.get("delta") for event in events if event.get("type") == "response.output_text.delta"]
    return [_Assembly(text=[*map(_text, pieces)]).build()]


_READERS: Mapping[Form, Callable[[Mapping[str, Any]], list[Message]]] = {
    Form.OPENAI_CHAT: _read_chat,
    Form.ANTHROPIC_MESSAGES: _read_messages,
    Form.OPENAI_RESPONSES: _read_responses,
}
_STREAM_READERS: Mapping[Form, Callable[[Iterable[Mapping[str, Any]]], list[Message]]] = {
    Form.OPENAI_CHAT: _assemble_chat,
    Form.ANTHROPIC_MESSAGES: _assemble_messages,
    Form.OPENAI_RESPONSES: _assemble_responses,
}
