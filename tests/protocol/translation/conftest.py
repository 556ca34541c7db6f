"""Streams of an OpenAI-compatible provider, for what is translated from them."""

import json
from typing import Any

import pytest


def _chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: object) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    whole = {"id": "c9", "object": "chat.completion.chunk", "created": 1, "model": "gpt", "choices": choices}
    return {**whole, **fields}


def _call(index: int, arguments: str, **fields: object) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": fields.pop("name")} if "name" in fields else {})}
    return {"index": index, "function": function, **fields}


@pytest.fixture
def chat_stream() -> bytes:
    """Reasoning, text, two interleaved calls, and usage."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "total_tokens": 105,
        "prompt_tokens_details": {"cached_tokens": 60},
    }
    chunks = [
        _chunk(prompt_filter_results=[]),
        _chunk({"role": "assistant", "content": None, "reasoning_content": "Let me "}),
        _chunk({"reasoning_content": "sée."}),
        _chunk({"content": "Só"}),
        _chunk({"content": ":"}),
        _chunk({"tool_calls": [_call(0, "", id="t1", type="function", name="add")]}),
        _chunk({"tool_calls": [_call(0, '{"a"'), _call(1, "", id="t2", type="function", name="now")]}),
        _chunk({"tool_calls": [_call(1, "{}")]}),
        _chunk({"tool_calls": [_call(0, ": 1}")]}),
        _chunk({}, "tool_calls"),
        _chunk(usage=usage),
    ]
    events = [json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks] + [b"[DONE]"]
    return b"".join(b"data: " + event + b"\n\n" for event in events)


@pytest.fixture
def refusal_stream() -> bytes:
    """A refusal, from a provider that gives neither usage nor an end mark."""
    chunks = [_chunk({"role": "assistant", "refusal": "No"}), _chunk({"refusal": "."}), _chunk({}, "stop")]
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


@pytest.fixture
def failing_stream() -> bytes:
    """An answer that the provider's own error ends."""
    error = {"error": {"message": "Slow down", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}
    events = [_chunk({"role": "assistant", "content": "Hi"}), error]
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
