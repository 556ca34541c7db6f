"""Whatever bytes come, the answer is the sender's fault told as an error of ours, never a crash."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plano_agents.errors import RequestError, UpstreamProtocolError
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.exchange import Exchange, open_exchange

TOOL_SCHEMA = {"type": "object", "properties": {"a": {}}}
REQUESTS: dict[Form, dict[str, Any]] = {
    Form.OPENAI_CHAT: {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "t", "type": "function", "function": {"name": "n", "arguments": '{"a":1}'}}
                ],
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
            },
            {"role": "tool", "tool_call_id": "t", "content": "2"},
        ],
        "tools": [{"type": "function", "function": {"name": "n", "parameters": TOOL_SCHEMA}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    Form.ANTHROPIC_MESSAGES: {
        "max_tokens": 5,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": "b"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "2"}]},
        ],
        "tools": [{"name": "n", "input_schema": TOOL_SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    Form.OPENAI_RESPONSES: {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "plano.v1.W10="},
            {"type": "function_call", "call_id": "t", "name": "n", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t", "output": "2"},
        ],
        "tools": [{"type": "function", "name": "n", "parameters": TOOL_SCHEMA}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": TOOL_SCHEMA}},
        "metadata": {"a": "b"},
    },
}
REPLIES = {
    Form.OPENAI_CHAT: {
        "id": "c",
        "model": "m",
        "choices": [
            {
                "finish_reason": "tool_calls",
                "message": {
                    "content": "Hi",
                    "tool_calls": [{"id": "t", "function": {"name": "n", "arguments": '{"a":1}'}}],
                },
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    Form.ANTHROPIC_MESSAGES: {
        "id": "m",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {"a": "b"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}
PAIRS = [
    (Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES),
    (Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES),
]
DAMAGE = st.tuples(
    st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4) | st.sampled_from([b"\xff", b"null"])
)


def damage(body: bytes, where: float, size: int, put: bytes) -> bytes:
    start = int(where * len(body))
    return body[:start] + put + body[start + size :]


def ask(surface: Form, upstream: Form, body: bytes) -> Exchange:
    return open_exchange(surface, upstream, body, "m", created=7)


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(hurt=DAMAGE)
def test_a_damaged_request_is_translated_or_a_client_error(
    surface: Form, upstream: Form, hurt: tuple[float, int, bytes]
) -> None:
    with contextlib.suppress(RequestError):
        ask(surface, upstream, damage(json.dumps(REQUESTS[surface]).encode(), *hurt))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_request_of_bytes_that_are_no_text_is_a_client_error(surface: Form, upstream: Form) -> None:
    body = json.dumps(REQUESTS[surface]).encode()
    for place in range(len(body)):
        with contextlib.suppress(RequestError):
            ask(surface, upstream, damage(body, place / len(body), 1, b"\xff"))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(hurt=DAMAGE)
@example(hurt=(0.5, 1, b"\xff"))
def test_a_damaged_answer_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, hurt: tuple[float, int, bytes]
) -> None:
    exchange = ask(surface, upstream, json.dumps(REQUESTS[surface]).encode())
    with contextlib.suppress(UpstreamProtocolError):
        exchange.encode_reply(damage(json.dumps(REPLIES[upstream]).encode(), *hurt))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_answer_of_bytes_that_are_no_text_is_the_upstreams_error(surface: Form, upstream: Form) -> None:
    exchange = ask(surface, upstream, json.dumps(REQUESTS[surface]).encode())
    body = json.dumps(REPLIES[upstream]).encode()
    for place in range(len(body)):
        with contextlib.suppress(UpstreamProtocolError):
            exchange.encode_reply(damage(body, place / len(body), 1, b"\xff"))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(st.lists(st.binary(max_size=20).map(lambda data: b"data: " + data + b"\n\n"), max_size=3))
def test_a_stream_of_any_bytes_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, chunks: list[bytes]
) -> None:
    translator = ask(surface, upstream, json.dumps(REQUESTS[surface]).encode()).build_stream()
    with contextlib.suppress(UpstreamProtocolError):
        for chunk in chunks:
            translator.feed(chunk)
        translator.finish()
        translator.close()
