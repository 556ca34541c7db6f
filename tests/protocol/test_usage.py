import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.form import Form
from plano_agents.protocol.usage import NO_TOKENS, Tokens, UsageMeter, read_sure_usage, read_usage

CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 20},
}
RESPONSES = {
    "input_tokens": 100,
    "output_tokens": 7,
    "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 20},
}
MESSAGES = {
    "input_tokens": 16,
    "output_tokens": 7,
    "cache_read_input_tokens": 64,
    "cache_creation_input_tokens": 20,
}


@pytest.mark.parametrize("usage", [CHAT, RESPONSES, MESSAGES])
def test_a_whole_answer_says_what_it_cost(usage: dict[str, object]) -> None:
    assert read_usage(json.dumps({"id": "x", "usage": usage}).encode()) == Tokens(100, 7, 64, 20)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"{}", b'{"usage": null}', b'{"usage": {}}', b'{"usage": 3}'),
        *(b'{"usage": {"prompt_tokens": "many"}}', b'{"usage": {"prompt_tokens": -5}}', b"\xff"),
        b'{"usage": {"prompt_tokens": 99999999999999999999}}',
    ],
)
def test_what_an_answer_does_not_say_counts_as_nothing(body: bytes) -> None:
    assert read_usage(body) == NO_TOKENS


PARTS = {Form.OPENAI_CHAT: "choices", Form.ANTHROPIC_MESSAGES: "content", Form.OPENAI_RESPONSES: "output"}
USAGE = '"usage": {"prompt_tokens": 100, "completion_tokens": 7}'


@pytest.mark.parametrize("form", PARTS)
@pytest.mark.parametrize("error", ["", '"error": null, '])
def test_an_answer_that_is_surely_one_says_what_it_cost(form: Form, error: str) -> None:
    body = f'{{{error}"{PARTS[form]}": [{{"type": "text"}}], {USAGE}}}'.encode()
    assert read_sure_usage(body, form) == Tokens(100, 7)


@pytest.mark.parametrize("form", PARTS)
@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", "null", "{}", '{"PART": null}', '{"PART": []}', '{"PART": "words"}', '{"PART": ["words"]}'),
        *('{"PART": [{}], "error": {}}', '{"PART": [{}], "error": "boom"}', '{"nested": {"PART": [{}]}}'),
        *('{"PART": [{}]', '{"PART": [{}], "usage": 3}', 'data: {"PART": [{}]}'),
    ],
)
def test_a_whole_answer_that_may_be_none_is_left_to_a_closer_look(form: Form, body: str) -> None:
    assert read_sure_usage(body.replace("PART", PARTS[form]).encode(), form) is None


def write(*events: object) -> list[bytes]:
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


@pytest.mark.parametrize(
    "events",
    [
        write({"choices": [{}], "usage": None}, {"choices": [{}], "usage": None}, {"choices": [], "usage": CHAT}),
        write({"choices": [{}]}, {"choices": [], "usage": CHAT}),
        write(
            {"type": "message_start", "message": {"usage": MESSAGES | {"output_tokens": 1}}},
            {"type": "content_block_delta", "delta": {"text": 'a "usage" of words'}},
            {"type": "message_delta", "usage": {"output_tokens": 7}},
        ),
        write(
            {"type": "message_start", "message": {"usage": MESSAGES | {"output_tokens": 1}}},
            {"type": "message_delta", "usage": {"output_tokens": 3}},
            {"type": "message_delta", "usage": {"output_tokens": 7}},
        ),
        write({"type": "response.created", "response": {"usage": None}}, {"response": {"usage": RESPONSES}}),
    ],
    ids=["chat", "chat, usage once", "messages", "messages, usage as it grows", "responses"],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_stream_says_what_it_cost(events: list[bytes], together: bool) -> None:  # noqa: FBT001 - parametrized
    meter = UsageMeter()
    for piece in [b"".join(events)] if together else events:
        meter.note(piece)
    assert meter.read() == Tokens(100, 7, 64, 20)


def test_a_stream_that_was_cut_counts_as_far_as_it_came() -> None:
    meter = UsageMeter()
    meter.note(write({"type": "message_start", "message": {"usage": MESSAGES | {"output_tokens": 1}}})[0])
    assert meter.read() == Tokens(100, 1, 64, 20)


@given(st.lists(st.binary(max_size=60).map(lambda data: b'data: {"usage"' + data + b"\n\n"), max_size=4))
def test_no_bytes_of_a_provider_break_it(pieces: list[bytes]) -> None:
    meter = UsageMeter()
    for piece in pieces:
        meter.note(piece)
    assert isinstance(meter.read(), Tokens)
