"""Replies as providers write them, on each of the three wires, whole and as a stream of events.

Written from the providers' API references, and independent of `plano_agents.protocol`: a fake that shared its encoders
would repeat its mistakes. The official SDKs read every form in the tests.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Wire = Literal["chat", "messages", "responses"]
"""OpenAI chat completions, Anthropic messages, OpenAI responses."""

_Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call of a tool."""

    name: str
    """The tool's name."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    """What it is called with."""
    id: str = "call_1"
    """What its result refers to."""
    kind: Literal["function", "custom", "tool_search"] = "function"
    """What is called, on responses: a function, a custom tool with the argument ``input`` as its text, or the client's
    search of tools. On other wires all are functions."""
    namespace: str | None = None
    """That of the tool, on responses."""

    @property
    def arguments_json(self) -> str:
        """The arguments as JSON."""
        return json.dumps(dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer, apart from the wire that it is written on."""

    text: str = ""
    """Its words; streamed one by one."""
    calls: Sequence[ToolCall] = ()
    """The tools that it calls."""
    model: str | None = None
    """The model that it names; None for the one that was asked for."""
    input_tokens: int = 10
    """What the prompt is said to have taken, cached tokens among them."""
    cached_tokens: int = 0
    """How many of these are said to come from the provider's cache."""
    output_tokens: int = 5
    """What the answer is said to have taken."""
    reasoning: str = ""
    """What it reasoned, as the provider encrypts it; given on responses alone."""
    id: str = "1"
    """What the answer's own id ends in. An agent may take two answers with one id for two parts of one."""

    @property
    def words(self) -> list[str]:
        """The text in the pieces that it is streamed in."""
        words = self.text.split(" ")
        return [f"{word} " for word in words[:-1]] + words[-1:] if self.text else []


def encode_reply(wire: Wire, reply: Reply, model: str) -> bytes:
    """Write a reply as one JSON body.

    Args:
        wire: The wire.
        reply: The answer.
        model: The model that was asked for.
    """
    build = {"chat": _build_chat, "messages": _build_message, "responses": _build_response}[wire]
    return json.dumps(build(reply, reply.model or model)).encode()


def encode_events(wire: Wire, reply: Reply, model: str, *, include_usage: bool = False) -> list[bytes]:
    """Write a reply as server-sent events, each with its blank line.

    Args:
        wire: The wire.
        reply: The answer.
        model: The model that was asked for.
        include_usage: Whether chat completions end with a chunk of usage (``stream_options``).
    """
    named = reply.model or model
    if wire == "chat":
        chunks = [f"data: {json.dumps(chunk)}\n\n" for chunk in _build_chunks(reply, named, include_usage)]
        return [chunk.encode() for chunk in [*chunks, "data: [DONE]\n\n"]]
    events = _build_message_events if wire == "messages" else _build_response_events
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events(reply, named)]


def encode_error(wire: Wire | None, status: int, message: str) -> bytes:
    """Write an error in the form of a wire; in OpenAI's where there is none."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
    kinds |= {429: "rate_limit_error", 529: "overloaded_error"}
    error: _Fields = {"type": kinds.get(status, "api_error"), "message": message}
    if wire == "messages":
        return json.dumps({"type": "error", "error": error, "request_id": "req_fake"}).encode()
    return json.dumps({"error": error | {"param": None, "code": None}}).encode()


# OpenAI chat completions


def _build_chat(reply: Reply, model: str) -> _Fields:
    message: _Fields = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.calls:
        message["tool_calls"] = [_build_call(call) for call in reply.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _find_finish(reply)}
    return _frame_chat(reply, "chat.completion", model, [choice]) | {"usage": _build_chat_usage(reply)}


def _build_chunks(reply: Reply, model: str, include_usage: bool) -> Iterator[_Fields]:  # noqa: FBT001
    def chunk(delta: _Fields, finish: str | None = None) -> _Fields:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _frame_chat(reply, "chat.completion.chunk", model, [choice])

    yield chunk({"role": "assistant", "content": "" if reply.text else None})
    for word in reply.words:
        yield chunk({"content": word})
    for index, call in enumerate(reply.calls):
        begun = _build_call(call) | {"index": index, "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [begun]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": call.arguments_json}}]})
    yield chunk({}, _find_finish(reply))
    if include_usage:
        yield _frame_chat(reply, "chat.completion.chunk", model, []) | {"usage": _build_chat_usage(reply)}


def _frame_chat(reply: Reply, kind: str, model: str, choices: list[_Fields]) -> _Fields:
    return {"id": f"chatcmpl-{reply.id}", "object": kind, "created": 1, "model": model, "choices": choices}


def _build_call(call: ToolCall) -> _Fields:
    function = {"name": call.name, "arguments": call.arguments_json}
    return {"id": call.id, "type": "function", "function": function}


def _find_finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _build_chat_usage(reply: Reply) -> _Fields:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }


# Anthropic messages


def _build_message(reply: Reply, model: str) -> _Fields:
    content: list[_Fields] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)} for call in reply.calls
    ]
    usage = {
        "input_tokens": reply.input_tokens - reply.cached_tokens,
        "cache_read_input_tokens": reply.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": reply.output_tokens,
    }
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if reply.calls else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def _build_message_events(reply: Reply, model: str) -> Iterator[_Fields]:
    whole = _build_message(reply, model)
    begun = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(whole["content"]):
        is_text = block["type"] == "text"
        empty: _Fields = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        deltas: list[_Fields] = (
            [{"type": "text_delta", "text": word} for word in reply.words]
            if is_text
            else [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        )
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": reply.output_tokens}}
    yield {"type": "message_stop"}


# OpenAI responses


def _build_response(reply: Reply, model: str) -> _Fields:
    output = [_build_reasoning_item(reply)] if reply.reasoning else []
    output += [_build_text_item(reply)] if reply.text else []
    output += [_build_call_item(call, index) for index, call in enumerate(reply.calls)]
    usage = {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": reply.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def _build_reasoning_item(reply: Reply) -> _Fields:
    return {"id": f"rs_{reply.id}", "type": "reasoning", "summary": [], "encrypted_content": reply.reasoning}


def _build_text_item(reply: Reply) -> _Fields:
    part = {"type": "output_text", "text": reply.text, "annotations": []}
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _build_call_item(call: ToolCall, index: int) -> _Fields:
    called: _Fields = {"call_id": call.id, "status": "completed"}
    if call.kind == "tool_search":
        item = {"id": f"tsc_{index + 1}", "type": "tool_search_call", "execution": "client"}
        return item | called | {"arguments": dict(call.arguments)}
    called |= {"name": call.name} | ({"namespace": call.namespace} if call.namespace else {})
    if call.kind == "custom":
        return {"id": f"ctc_{index + 1}", "type": "custom_tool_call", "input": call.arguments["input"]} | called
    return {"id": f"fc_{index + 1}", "type": "function_call", "arguments": call.arguments_json} | called


def _build_response_events(reply: Reply, model: str) -> Iterator[_Fields]:
    whole = _build_response(reply, model)
    started = whole | {"status": "in_progress", "output": [], "usage": None}
    number = iter(range(10_000))

    def event(kind: str, **fields: object) -> _Fields:
        return {"type": kind, "sequence_number": next(number), **fields}

    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    for index, item in enumerate(whole["output"]):
        begun, write = _GROWING.get(item["type"], ({}, None))
        yield event("response.output_item.added", output_index=index, item={**item, "status": "in_progress", **begun})
        if write is not None:
            yield from write(event, reply, item, index)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=whole)


def _build_text_events(event: Callable[..., _Fields], reply: Reply, item: _Fields, index: int) -> Iterator[_Fields]:
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    yield event("response.content_part.added", **place, part=part | {"text": ""})
    for word in reply.words:
        yield event("response.output_text.delta", **place, delta=word, logprobs=[])
    yield event("response.output_text.done", **place, text=reply.text, logprobs=[])
    yield event("response.content_part.done", **place, part=part)


def _build_arguments_events(
    event: Callable[..., _Fields], _reply: Reply, item: _Fields, index: int
) -> Iterator[_Fields]:
    place = {"item_id": item["id"], "output_index": index}
    yield event("response.function_call_arguments.delta", **place, delta=item["arguments"])
    yield event("response.function_call_arguments.done", **place, name=item["name"], arguments=item["arguments"])


def _build_input_events(event: Callable[..., _Fields], _reply: Reply, item: _Fields, index: int) -> Iterator[_Fields]:
    place = {"item_id": item["id"], "output_index": index}
    yield event("response.custom_tool_call_input.delta", **place, delta=item["input"])
    yield event("response.custom_tool_call_input.done", **place, input=item["input"])


_GROWING: Mapping[str, tuple[_Fields, Callable[..., Iterator[_Fields]]]] = {
    "message": ({"content": []}, _build_text_events),
    "function_call": ({"arguments": ""}, _build_arguments_events),
    "custom_tool_call": ({"input": ""}, _build_input_events),
}
"""Items that are streamed: how they begin, and the events of what follows."""
