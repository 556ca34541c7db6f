"""Whatever value stands at whatever place, the answer is bytes or the sender's fault, never a crash."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import RequestError, UpstreamProtocolError
from plano_agents.protocol import anthropic_messages, openai_chat, openai_responses
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.exchange import Exchange, open_exchange

Path = tuple[str | int, ...]
Oddity = tuple[float, bytes]

ODD = [
    b"1e999",
    b"9" * 5_000,
    b"9" * 25,
    b"-1",
    b"0",
    b"1.5",
    b"NaN",
    b"true",
    b"null",
    b"",
    b'""',
    b'"x"',
    b'"\xff"',
    rb'"\ud800"',
    rb'"\udc00\ud800"',
    b"[]",
    b"[null]",
    b"{}",
    b'{"type":"x"}',
    b'{"\xff":1}',
    b"[" * 3_000 + b"]" * 3_000,
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
]
HUGE = [value for value in ODD if len(value) > 4_000 or value in {b"1e999", b'"\xff"', rb'"\ud800"'}]

SCHEMA = {"type": "object", "properties": {"a": {}}}
REQUESTS: dict[Form, Any] = {
    Form.OPENAI_CHAT: {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "developer", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": "https://x/i.png", "detail": "low"}},
                    {
                        "type": "file",
                        "file": {"filename": "f", "file_data": "data:text/plain;base64,aGk="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "c",
                "refusal": "r",
                "reasoning_content": "hm",
                "function_call": None,
                "tool_calls": [
                    {"id": "t", "type": "function", "function": {"name": "n", "arguments": '{"a":1}'}}
                ],
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
            },
            {"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "2"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "n", "parameters": SCHEMA, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "n"}},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        "stop": ["x"],
        "max_completion_tokens": 5,
        "temperature": 0.5,
        "reasoning_effort": "low",
        "n": 1,
        "logit_bias": {},
        "user": "u",
    },
    Form.ANTHROPIC_MESSAGES: {
        "model": "m",
        "max_tokens": 5,
        "stream": True,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
                    },
                    {
                        "type": "document",
                        "title": "t",
                        "source": {"type": "content", "content": [{"type": "text", "text": "x"}]},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "tool_use", "id": "t", "name": "n", "input": {"a": "b"}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "2", "is_error": True}],
            },
        ],
        "tools": [{"name": "n", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "n", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "metadata": {"user_id": "u"},
        "stop_sequences": ["x"],
        "temperature": 0.5,
        "mcp_servers": [],
    },
    Form.OPENAI_RESPONSES: {
        "model": "m",
        "stream": True,
        "instructions": "s",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "hi"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                ],
            },
            {"type": "reasoning", "summary": [{"text": "s"}], "encrypted_content": "plano.v1.W10="},
            {"type": "function_call", "call_id": "t", "name": "n", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t", "output": "2"},
        ],
        "tools": [{"type": "function", "name": "n", "parameters": SCHEMA}],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "n"}],
        },
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "max_output_tokens": 5,
        "truncation": "disabled",
    },
}
REPLIES: dict[Form, Any] = {
    Form.OPENAI_CHAT: {
        "id": "c",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "content": "Hi",
                    "refusal": "r",
                    "reasoning_content": "hm",
                    "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
                    "tool_calls": [{"id": "t", "function": {"name": "n", "arguments": '{"a":1}'}}],
                },
            }
        ],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 1,
            "total_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 1},
        },
    },
    Form.ANTHROPIC_MESSAGES: {
        "id": "m",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t", "name": "n", "input": {"a": "b"}},
        ],
        "stop_reason": "tool_use",
        "stop_details": {"explanation": "e"},
        "usage": {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 1},
    },
}
CALL = {"index": 0, "id": "t", "type": "function", "function": {"name": "n", "arguments": "{}"}}
STREAMS: dict[Form, Any] = {
    Form.OPENAI_CHAT: [
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]},
        {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]},
        {
            "id": "c",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
                        "tool_calls": [CALL],
                    },
                    "finish_reason": "tool_calls",
                }
            ],
        },
        {"id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    ],
    Form.ANTHROPIC_MESSAGES: [
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ],
}
PAIRS = [
    (Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES),
    (Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES),
]
SURFACES = {
    Form.OPENAI_CHAT: openai_chat,
    Form.ANTHROPIC_MESSAGES: anthropic_messages,
    Form.OPENAI_RESPONSES: openai_responses,
}
ODDITIES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(ODD)), max_size=3)


def list_places(value: object, path: Path = ()) -> Iterator[Path]:
    """Every place of a value, and in each mapping one that is new."""
    if path:
        yield path
    if isinstance(value, dict):
        yield (*path, "unknown")
        for key, inner in value.items():
            yield from list_places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from list_places(inner, (*path, index))


def put(value: Any, path: Path, marker: str) -> Any:
    """A copy with a marker in one place; unchanged where another oddity has taken it away."""
    if not path:
        return marker
    step, *rest = path
    if isinstance(value, dict):
        return {**value, step: put(value.get(str(step)), tuple(rest), marker)}
    if isinstance(value, list) and isinstance(step, int):
        return [*value[:step], put(value[step], tuple(rest), marker), *value[step + 1 :]]
    return value


def write(value: Any, oddities: list[tuple[Path, bytes]]) -> bytes:
    """JSON with odd values in some places, valid or not."""
    for number, (path, _) in enumerate(oddities):
        value = put(value, path, f"<odd {number}>")
    body = json.dumps(value).encode()
    for number, (_, odd) in enumerate(oddities):
        body = body.replace(f'"<odd {number}>"'.encode(), odd)
    return body


def place(value: Any, oddities: list[Oddity]) -> list[tuple[Path, bytes]]:
    places = list(list_places(value))
    return [(places[int(where * len(places))], odd) for where, odd in oddities]


def ask(surface: Form, upstream: Form, body: bytes) -> Exchange:
    return open_exchange(surface, upstream, body, "m", created=7)


def ask_well(surface: Form, upstream: Form) -> Exchange:
    return ask(surface, upstream, json.dumps(REQUESTS[surface]).encode())


def translate_stream(exchange: Exchange, events: list[Any], oddities: list[tuple[Path, bytes]]) -> None:
    translator = exchange.build_stream()
    for number, event in enumerate(events):
        own = [(path[1:], odd) for path, odd in oddities if path[0] == number]
        translator.feed(b"data: " + write(event, own) + b"\n\n")
    translator.finish()
    translator.close()


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_the_values_to_be_hurt_are_good_ones(surface: Form, upstream: Form) -> None:
    exchange = ask_well(surface, upstream)
    translate_stream(exchange, STREAMS[upstream], [])
    assert exchange.encode_reply(json.dumps(REPLIES[upstream]).encode())


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_request_with_an_odd_value_is_translated_or_a_client_error(
    surface: Form, upstream: Form, odd: bytes
) -> None:
    for path in list_places(REQUESTS[surface]):
        with contextlib.suppress(RequestError):
            ask(surface, upstream, write(REQUESTS[surface], [(path, odd)]))


@pytest.mark.parametrize("odd", HUGE, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_unknown_field_that_cannot_be_read_is_a_client_error(
    surface: Form, upstream: Form, odd: bytes
) -> None:
    with pytest.raises(RequestError):
        ask(surface, upstream, write(REQUESTS[surface], [(("unknown",), odd)]))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(oddities=ODDITIES)
def test_a_request_with_odd_values_is_translated_or_a_client_error(
    surface: Form, upstream: Form, oddities: list[Oddity]
) -> None:
    request = REQUESTS[surface]
    with contextlib.suppress(RequestError):
        ask(surface, upstream, write(request, place(request, oddities)))


@pytest.mark.parametrize("surface", SURFACES)
@given(oddities=ODDITIES)
def test_a_request_with_odd_values_is_addressed_or_a_client_error(
    surface: Form, oddities: list[Oddity]
) -> None:
    body = write(REQUESTS[surface], place(REQUESTS[surface], oddities))
    steps: tuple[Callable[[], object], ...] = (
        lambda: SURFACES[surface].parse_head(body),
        lambda: SURFACES[surface].replace_model(body, "m"),
    )
    for step in steps:
        with contextlib.suppress(RequestError):
            step()


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_answer_with_an_odd_value_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, odd: bytes
) -> None:
    exchange = ask_well(surface, upstream)
    for path in list_places(REPLIES[upstream]):
        with contextlib.suppress(UpstreamProtocolError):
            json.loads(exchange.encode_reply(write(REPLIES[upstream], [(path, odd)])))


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:12]))
@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_stream_with_an_odd_value_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, odd: bytes
) -> None:
    exchange = ask_well(surface, upstream)
    for path in list_places(STREAMS[upstream]):
        with contextlib.suppress(UpstreamProtocolError):
            translate_stream(exchange, STREAMS[upstream], [(path, odd)])


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
@given(oddities=ODDITIES)
def test_a_stream_with_odd_values_is_translated_or_the_upstreams_error(
    surface: Form, upstream: Form, oddities: list[Oddity]
) -> None:
    events = STREAMS[upstream]
    with contextlib.suppress(UpstreamProtocolError):
        translate_stream(ask_well(surface, upstream), events, place(events, oddities))
