"""Anthropic's messages answers: a body, or a stream of events."""

from collections.abc import Iterator, Mapping, Sequence

from plano_agents.simulator.conversation import ToolCall
from plano_agents.simulator.wire.anthropic.thinking import sign_thought
from plano_agents.simulator.wire.events import Event, encode_json, split_fragments
from plano_agents.simulator.wire.exchange import Answer

_STOP = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
}


def encode_anthropic_answer(answer: Answer) -> bytes:
    """Write the plain answer."""
    content: list[dict[str, object]] = []
    if answer.thought is not None:
        signature = sign_thought(answer.model, answer.thought)
        content.append({"type": "thinking", "thinking": answer.thought, "signature": signature})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    content += [_build_call(call) | {"input": call.arguments} for call in answer.calls]
    return encode_json(
        _build_message(answer, content, _build_usage(answer, answer.completion_tokens))
        | {"stop_reason": _STOP[answer.finish], "stop_sequence": answer.stop_sequence}
    )


def encode_anthropic_events(answer: Answer) -> Iterator[Event]:
    """Write the answer as a stream."""
    yield _event("message_start", {"message": _build_message(answer, [], _build_usage(answer, 1))})
    index = 0
    if answer.thought is not None:
        yield from _encode_thought(answer)
        index += 1
    if answer.text:
        yield _start(index, {"type": "text", "text": ""})
        yield _event("ping", {})
        for text, tokens in split_fragments(answer.text):
            yield _delta(index, {"type": "text_delta", "text": text}, tokens)
        yield _event("content_block_stop", {"index": index})
        index += 1
    for at, call in enumerate(answer.calls, index):
        yield _start(at, _build_call(call))
        yield _delta(at, {"type": "input_json_delta", "partial_json": ""}, 1)
        for part, tokens in split_fragments(call.arguments_json):
            yield _delta(at, {"type": "input_json_delta", "partial_json": part}, tokens)
        yield _event("content_block_stop", {"index": at})
    delta = {"stop_reason": _STOP[answer.finish], "stop_sequence": answer.stop_sequence}
    yield _event("message_delta", {"delta": delta, "usage": _build_usage(answer, answer.completion_tokens)})
    yield _event("message_stop", {})


def _encode_thought(answer: Answer) -> Iterator[Event]:
    thought = answer.thought or ""
    yield _start(0, {"type": "thinking", "thinking": "", "signature": ""})
    for text, tokens in split_fragments(thought):
        yield _delta(0, {"type": "thinking_delta", "thinking": text}, tokens)
    hidden = 0 if thought else answer.thought_tokens  # what is not shown takes its time too
    yield _delta(0, {"type": "signature_delta", "signature": sign_thought(answer.model, thought)}, hidden)
    yield _event("content_block_stop", {"index": 0})


def encode_anthropic_models(models: Sequence[str]) -> bytes:
    """Write the list of models."""
    data = [
        {"type": "model", "id": model, "display_name": model, "created_at": "1970-01-01T00:00:00Z"} for model in models
    ]
    ends = {"first_id": models[0] if models else None, "last_id": models[-1] if models else None}
    return encode_json({"data": data, "has_more": False, **ends})


def _event(name: str, fields: Mapping[str, object], tokens: int = 0) -> Event:
    data = encode_json({"type": name, **fields})
    return Event(b"event: " + name.encode() + b"\ndata: " + data + b"\n\n", tokens)


def _start(index: int, block: Mapping[str, object]) -> Event:
    return _event("content_block_start", {"index": index, "content_block": block})


def _delta(index: int, delta: Mapping[str, object], tokens: int) -> Event:
    return _event("content_block_delta", {"index": index, "delta": delta}, tokens)


def _build_call(call: ToolCall) -> dict[str, object]:
    return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}}


def _build_message(answer: Answer, content: list[dict[str, object]], usage: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _build_usage(answer: Answer, output_tokens: int) -> dict[str, object]:
    prompt = answer.prompt
    details = {"output_tokens_details": {"thinking_tokens": min(answer.thought_tokens, output_tokens)}}
    return {
        "input_tokens": prompt.total - prompt.cached - prompt.written,
        "cache_creation_input_tokens": prompt.written,
        "cache_read_input_tokens": prompt.cached,
        "output_tokens": output_tokens,
        **(details if answer.thought is not None else {}),
    }
