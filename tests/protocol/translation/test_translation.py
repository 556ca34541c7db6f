import json
from typing import Any

import pytest

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_responses import write_events
from plano_agents.protocol.sse import EventDecoder
from plano_agents.protocol.translation.translation import Translation, build_mirror, translate_request

THINKING = '{"type":"thinking","thinking":"I s\\u00e9e.","signature":"c2ln+/="}'
MESSAGE = (
    '{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[' + THINKING + ","
    '{"type":"text","text":"Hi"},{"type":"tool_use","id":"t1","name":"add","input":{"a": 1.10}}],'
    '"stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":5}}'
).encode()
COMPLETION = (
    b'{"id":"c","created":1,"model":"gpt","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hi"}}]}'
)
RESPONSE = (
    b'{"id":"resp_1","created_at":1,"model":"gpt","status":"completed","output":[{"type":"message","id":"msg_1",'
    b'"role":"assistant","content":[{"type":"output_text","text":"Hi"}]}]}'
)
ANSWERS = {
    Form.OPENAI_CHAT: COMPLETION,
    Form.ANTHROPIC_MESSAGES: MESSAGE,
    Form.OPENAI_RESPONSES: RESPONSE,
}
SAYING: dict[Form, dict[str, Any]] = {
    Form.OPENAI_CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    Form.ANTHROPIC_MESSAGES: {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]},
    Form.OPENAI_RESPONSES: {"input": "hi"},
}
PAIRS = [
    (Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES),
    (Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.OPENAI_CHAT),
    (Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES),
    (Form.OPENAI_CHAT, Form.OPENAI_RESPONSES),
    (Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES),
]
ERRORS = {
    Form.OPENAI_CHAT: b'{"error":{"message":"Slow down","type":"requests","param":null,"code":null}}',
    Form.ANTHROPIC_MESSAGES: b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}',
}
ERRORS[Form.OPENAI_RESPONSES] = ERRORS[Form.OPENAI_CHAT]


def open_(surface: Form, upstream: Form, **fields: object) -> Translation:
    body = json.dumps({"model": "asked-for", **SAYING[surface], **fields}).encode()
    return translate_request(surface, upstream, body, "served", created=7)


def said(surface: Form, body: bytes) -> str:
    """Read an answer's text as a client of its surface does."""
    reply: dict[str, Any] = json.loads(body)
    if surface is Form.OPENAI_CHAT:
        return str(reply["choices"][0]["message"]["content"])
    if surface is Form.ANTHROPIC_MESSAGES:
        return "".join(block.get("text", "") for block in reply["content"])
    return "".join(part["text"] for item in reply["output"] if item["type"] == "message" for part in item["content"])


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_a_request_reaches_each_upstream_under_its_own_model(surface: Form, upstream: Form) -> None:
    found = json.loads(open_(surface, upstream).request_body)
    conversation = found.get("messages") or found["input"]
    assert (found["model"], conversation[0]["role"]) == ("served", "user")


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_answer_comes_back_in_the_surfaces_form(surface: Form, upstream: Form) -> None:
    assert said(surface, open_(surface, upstream).encode_reply(ANSWERS[upstream])) == "Hi"


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_error_comes_back_in_the_surfaces_form(surface: Form, upstream: Form) -> None:
    found = json.loads(open_(surface, upstream).encode_error(ERRORS[upstream], 429))
    assert found["error"]["message"] == "Slow down"
    assert ("type" in found) is (surface is Form.ANTHROPIC_MESSAGES)


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_error_page_comes_back_in_the_surfaces_form(surface: Form, upstream: Form) -> None:
    assert "502" in json.loads(open_(surface, upstream).encode_error(b"<html>", 502))["error"]["message"]


@pytest.mark.parametrize("include_usage", [True, False])
def test_only_a_chat_client_that_asked_gets_one_usage_chunk(include_usage: bool) -> None:  # noqa: FBT001 - a case
    events = [
        {"type": "message_start", "message": json.loads(MESSAGE)},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    translation = open_(
        Form.OPENAI_CHAT,
        Form.ANTHROPIC_MESSAGES,
        stream=True,
        stream_options={"include_usage": include_usage},
    )
    chunks = [json.loads(event.data) for event in EventDecoder().feed(translation.build_stream().feed(stream))[:-1]]
    assert sum(bool(chunk.get("usage")) for chunk in chunks) == include_usage


def test_a_responses_client_gives_thinking_back_byte_for_byte() -> None:
    first = open_(Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES)
    output = json.loads(first.encode_reply(MESSAGE))["output"]
    history = [{"role": "user", "content": "hi"}, *output]
    result = {"type": "function_call_output", "call_id": "t1", "output": "2"}
    second = open_(Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES, input=[*history, result])
    assert THINKING.encode() in second.request_body
    assert b'"input":{"a": 1.10}' in second.request_body


def test_a_chat_client_gives_thinking_back() -> None:
    first = open_(Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES)
    body = b'{"messages":[{"role":"user","content":"hi"},%s]}'
    message = first.encode_reply(MESSAGE).partition(b'"message":')[2].partition(b',"finish_reason"')[0]
    second = translate_request(
        Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, body % message, "served", created=7
    ).request_body
    assert THINKING.encode() in second


def test_a_compaction_of_responses_reaches_an_upstream_of_responses_as_a_request_for_a_summary() -> None:
    given = [{"role": "user", "content": "hi"}, {"type": "compaction_trigger"}]
    translation = open_(Form.OPENAI_RESPONSES, Form.OPENAI_RESPONSES, input=given)
    asked = json.loads(translation.request_body)["input"]
    assert [item["role"] for item in asked] == ["user", "user"]
    (item,) = json.loads(translation.encode_reply(RESPONSE))["output"]
    assert item["type"] == "compaction"


def test_a_prompt_is_not_in_the_repr() -> None:
    assert "hi" not in repr(open_(Form.OPENAI_RESPONSES, Form.OPENAI_CHAT, instructions="hi"))


@pytest.mark.parametrize(("surface", "upstream"), PAIRS)
def test_an_error_page_is_told_by_its_status(surface: Form, upstream: Form) -> None:
    error = json.loads(open_(surface, upstream).encode_error(b"<html>bad gateway</html>", 502))["error"]
    assert "502" in error["message"]


@pytest.mark.parametrize("surface", [Form.OPENAI_CHAT, Form.OPENAI_RESPONSES])
def test_too_long_a_prompt_has_openais_code(surface: Form) -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 5 > 4"}}'
    error = json.loads(open_(surface, Form.ANTHROPIC_MESSAGES).encode_error(body, 400))["error"]
    assert error["code"] == "context_length_exceeded"


def test_an_error_within_a_stream_is_known_in_a_compatible_servers_form() -> None:
    stream = open_(Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT, stream=True).build_stream()
    told = stream.feed(b'data: {"object":"error","message":"No template","type":"BadRequestError","code":400}\n\n')
    assert (b"No template" in told, stream.failed) == (True, True)


def stream(form: Form) -> bytes:
    """A form's answer as the events of a stream."""
    if form is Form.OPENAI_RESPONSES:
        return write_events(RESPONSE)
    return build_mirror(form, b"{}", created=7).convert(ANSWERS[form], streams=True)


def converters() -> list[Translation]:
    """An translation for each pair of forms, also for a form and itself."""
    mirrors = [build_mirror(form, b"{}", created=7) for form in (Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES)]
    return [*mirrors, *(open_(surface, upstream) for surface, upstream in PAIRS)]


@pytest.mark.parametrize("translation", converters(), ids=lambda each: f"{each.surface.name}-{each.upstream.name}")
def test_a_whole_answer_as_a_stream_and_back_is_the_same(translation: Translation) -> None:
    whole = ANSWERS[translation.upstream]
    asked = translation.convert(whole, streams=False)
    events = stream(translation.upstream)
    assert (
        said(translation.surface, translation.convert(events, streams=False))
        == said(translation.surface, asked)
        == "Hi"
    )
    if translation.surface is translation.upstream:
        assert json.loads(translation.convert(events, streams=False)) == json.loads(asked)
    assert sse.decode_events(translation.convert(whole, streams=True))
    assert translation.convert(events, streams=True) == translation.convert(events, streams=True)


@pytest.mark.parametrize("translation", converters(), ids=lambda each: f"{each.surface.name}-{each.upstream.name}")
def test_a_stream_that_was_cut_is_no_whole_answer(translation: Translation) -> None:
    events = stream(translation.upstream)
    first = events[: events.index(b"\n\n") + 2]
    with pytest.raises(UpstreamProtocolError):
        translation.convert(first, streams=False)
