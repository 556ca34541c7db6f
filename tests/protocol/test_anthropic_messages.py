import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import (
    AuthenticationError,
    BodyTooLargeError,
    PlanoError,
    RequestError,
    UpstreamTimeoutError,
)
from plano_agents.protocol.anthropic_messages import (
    encode_error,
    encode_error_event,
    leave_out_foreign,
    parse_head,
)
from plano_agents.protocol.decoding import address, split_fields
from plano_agents.routing.text import read_conversation

UNSIGNED = {"type": "thinking", "thinking": "hm", "signature": ""}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}


def address_to(body: bytes, model_id: str) -> bytes:
    return address(leave_out_foreign(split_fields(body)), model_id)


def replace(*content: object) -> list[dict[str, object]]:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}]
    found: list[dict[str, object]] = json.loads(
        address_to(json.dumps({"model": "a", "messages": messages}).encode(), "b")
    )["messages"]
    return found


def test_a_head_reads_what_was_said_and_passes_over_tool_results() -> None:
    messages = [
        {"role": "user", "content": "one"},
        {
            "role": "assistant",
            "content": [
                SIGNED,
                {"type": "text", "text": "two"},
                {"type": "tool_use", "id": "t", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "secret"}]},
    ]
    body = {"model": "m", "stream": True, "system": "secret", "max_tokens": 5, "messages": messages}
    head = parse_head(json.dumps(body).encode())
    assert (head.model, head.stream, [said.text for said in read_conversation(head.messages)]) == (
        "m",
        True,
        ["one", "two"],
    )


def test_replacing_the_model_leaves_other_values_byte_for_byte() -> None:
    body = b'{"model":"a","routing_preferences":[],"messages":[{"role":"user","content":"\\u00e9  \\/"}]}'
    assert address_to(body, "b") == b'{"model":"b","messages":[{"role":"user","content":"\\u00e9  \\/"}]}'


def test_unsigned_thinking_is_left_out_and_signed_thinking_is_not() -> None:
    text = {"type": "text", "text": "Hi"}
    assert replace(UNSIGNED, SIGNED, text)[1]["content"] == [SIGNED, text]


def test_a_turn_of_unsigned_thinking_alone_is_left_out() -> None:
    assert [message["role"] for message in replace(UNSIGNED)] == ["user"]


def test_text_that_speaks_of_an_empty_signature_stays() -> None:
    text = {"type": "text", "text": '{"signature": ""}'}
    use = {"type": "tool_use", "id": "t", "name": "n", "input": {"signature": ""}}
    assert replace(text, use)[1]["content"] == [text, use]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RequestError("x"), "invalid_request_error"),
        (AuthenticationError("x"), "authentication_error"),
        (BodyTooLargeError("x"), "request_too_large"),
        (UpstreamTimeoutError("x"), "timeout_error"),
        (PlanoError("x"), "api_error"),
    ],
)
def test_an_error_has_anthropics_form_and_type(error: PlanoError, kind: str) -> None:
    assert json.loads(encode_error(error)) == {"type": "error", "error": {"type": kind, "message": "x"}}


def test_an_error_event_is_named_error() -> None:
    assert encode_error_event(RequestError("x")).startswith(b'event: error\ndata: {"type":"error"')


@given(st.binary())
def test_any_bytes_parse_or_are_a_client_error(body: bytes) -> None:
    for read in (parse_head, lambda data: address_to(data, "m")):
        with contextlib.suppress(RequestError):
            read(body)
