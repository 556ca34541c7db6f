"""Requests and answers of each surface, as GenAI's conventions write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.observe.spans.messages import encode_messages, read_input, read_output
from plano_agents.protocol.form import Form

CALL = {"type": "tool_call", "id": "c1", "name": "look_up", "arguments": {"city": "Oslo"}}
TEXT = {"type": "text", "content": "hello"}
THOUGHT = {"type": "reasoning", "content": "hm"}
ARGUMENTS = '{"city": "Oslo"}'


def encode(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


REQUESTS = {
    Form.OPENAI_CHAT: encode(
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "image_url"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "function": {"name": "look_up", "arguments": ARGUMENTS}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a city"},
        ]
    ),
    Form.ANTHROPIC_MESSAGES: encode(
        system="be brief",
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "image", "source": {}}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "c1", "name": "look_up", "input": {"city": "Oslo"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "a city"}]},
        ],
    ),
    Form.OPENAI_RESPONSES: encode(
        instructions="be brief",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "hello"}, {"type": "input_image"}]},
            {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": ARGUMENTS},
            {"type": "function_call_output", "call_id": "c1", "output": "a city"},
        ],
    ),
}


@pytest.mark.parametrize("form", Form)
def test_a_request_is_read_with_its_tool_calls_and_answers_and_images_are_named_alone(form: Form) -> None:
    said = read_input(form, REQUESTS[form])
    roles = [message["role"] for message in said.messages]
    parts = [message["parts"] for message in said.messages]
    brief = [{"type": "text", "content": "be brief"}]
    if form is Form.OPENAI_CHAT:
        assert (roles.pop(0), parts.pop(0), said.instructions) == ("system", brief, [])
    else:
        assert said.instructions == brief
    asked, called, answered = parts
    assert asked[0] == TEXT
    assert set(asked[1]) == {"type"}
    assert called == [CALL]
    assert (answered[0]["type"], answered[0]["id"]) == ("tool_call_response", "c1")
    assert "a city" in encode_messages(answered)
    assert roles[:2] == ["user", "assistant"]


def test_a_responses_request_may_be_text_alone() -> None:
    said = read_input(Form.OPENAI_RESPONSES, encode(input="hello"))
    assert said.messages == [{"role": "user", "parts": [TEXT]}]


REPLIES = {
    Form.OPENAI_CHAT: encode(
        choices=[
            {
                "message": {
                    "role": "assistant",
                    "content": "hello",
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "c1", "function": {"name": "look_up", "arguments": ARGUMENTS}}],
                },
                "finish_reason": "tool_calls",
            }
        ]
    ),
    Form.ANTHROPIC_MESSAGES: encode(
        role="assistant",
        content=[
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "hello"},
            {"type": "tool_use", "id": "c1", "name": "look_up", "input": {"city": "Oslo"}},
        ],
        stop_reason="tool_use",
    ),
    Form.OPENAI_RESPONSES: encode(
        status="completed",
        output=[
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
            {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": ARGUMENTS},
        ],
    ),
}

STREAMS = {
    Form.OPENAI_CHAT: stream(
        {"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "hm"}}]},
        {"choices": [{"index": 0, "delta": {"content": "hel"}}]},
        {"choices": [{"index": 0, "delta": {"content": "lo"}}]},
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "tool_calls": [
                            {"index": 0, "id": "c1", "function": {"name": "look_up", "arguments": '{"city"'}}
                        ]
                    },
                }
            ]
        },
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ': "Oslo"}'}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ),
    Form.ANTHROPIC_MESSAGES: stream(
        {"type": "message_start", "message": {"id": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "hel"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "lo"}},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "c1", "name": "look_up"},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": ARGUMENTS},
        },
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ),
    Form.OPENAI_RESPONSES: stream(
        {"type": "response.created", "response": {"status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "delta": "hello"},
        {"type": "response.completed", "response": json.loads(REPLIES[Form.OPENAI_RESPONSES])},
    ),
}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("form", Form)
def test_an_answer_is_read_whole_and_streamed_alike(form: Form, streams: bool) -> None:  # noqa: FBT001 - a parameter
    reply = (STREAMS if streams else REPLIES)[form]
    assert read_output(form, reply, streams=streams) == [
        {"role": "assistant", "parts": [THOUGHT, TEXT, CALL], "finish_reason": "tool_call"}
    ]


@pytest.mark.parametrize("form", Form)
def test_of_a_stream_that_was_cut_is_told_what_came(form: Form) -> None:
    events = STREAMS[form].split(b"\n\n")
    came = next(number for number, event in enumerate(events) if b"hel" in event)
    (message,) = read_output(form, b"\n\n".join(events[: came + 1]) + b"\n\n", streams=True)
    assert message["finish_reason"] == "error"
    assert message["parts"][-1]["content"] in {"hello", "hel"}


@given(
    st.sampled_from(Form),
    st.binary(max_size=64),
    st.booleans(),
)
def test_what_is_no_message_fails_nothing(form: Form, body: bytes, streams: bool) -> None:  # noqa: FBT001 - drawn
    read_input(form, body)
    read_output(form, body, streams=streams)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "messages",
                    "content",
                    "role",
                    "type",
                    "tool_calls",
                    "function",
                    "choices",
                    "message",
                    "delta",
                    "index",
                    "input",
                    "output",
                    "system",
                    "instructions",
                    "text",
                    "arguments",
                    "response",
                    "summary",
                    "content_block",
                    "partial_json",
                    "stop_reason",
                    "finish_reason",
                    "status",
                    "name",
                    "id",
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(Form), st.lists(JSON, max_size=4))
def test_json_of_any_other_shape_fails_nothing(form: Form, bodies: list[Any]) -> None:
    events = b"".join(b"data: %s\n\n" % json.dumps(body).encode() for body in bodies)
    encode_messages(read_output(form, events, streams=True))
    for body in bodies:
        text = json.dumps(body).encode()
        said = read_input(form, text)
        encode_messages([*said.messages, *said.instructions, *read_output(form, text, streams=False)])
