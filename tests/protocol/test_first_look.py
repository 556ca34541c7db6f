"""The first look at a 200, before the client gets a byte of it: an answer, an error, or nothing."""

import json

import pytest

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.first_look import (
    FoundError,
    Opening,
    OpeningLook,
    check_whole,
    judge_opening,
    may_be_events,
)
from plano_agents.protocol.form import Form
from tests.work import count_lines

PARTS = {Form.OPENAI_CHAT: "choices", Form.ANTHROPIC_MESSAGES: "content", Form.OPENAI_RESPONSES: "output"}
ERRORS: list[object] = [
    {"error": {"message": "boom"}},
    {"error": "boom"},
    {"object": "error", "message": "boom"},
    {"detail": "boom"},
    {"message": "boom", "code": 500},
    {"code": 1234, "msg": "boom"},
    {"success": False, "errors": [{"code": 7, "message": "boom"}]},
    {"base_resp": {"status_code": 1004, "status_msg": "boom"}, "choices": None},
    {"error": {"message": "boom", "code": "9" * 5_000}},
    [{"error": {"code": 503, "message": "boom"}}],
]
PRELUDES: dict[str, list[object]] = {
    "none": [],
    "chat": [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}],
    "messages": [{"type": "message_start", "message": {"content": []}}],
    "responses": [{"type": "response.created", "response": {"status": "in_progress", "error": None}}],
}


def write(*events: object) -> bytes:
    return b"".join(sse.encode_event(json.dumps(event).encode()) for event in events)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("form", PARTS)
def test_a_whole_answer_that_is_an_error_is_found(form: Form, error: object) -> None:
    found = check_whole(json.dumps(error).encode(), form)
    assert isinstance(found, FoundError)
    assert found.status >= 400


@pytest.mark.parametrize("body", ["{}", "true", '"error"', "", "<html>", '{"id": "x", "PART": null}', "null"])
@pytest.mark.parametrize("form", PARTS)
def test_a_whole_answer_without_what_every_answer_has_is_none(form: Form, body: str) -> None:
    with pytest.raises(UpstreamProtocolError):
        check_whole(body.replace("PART", PARTS[form]).encode(), form)


@pytest.mark.parametrize("form", [Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES])
def test_an_answer_may_say_nothing(form: Form) -> None:
    assert check_whole(json.dumps({"id": "x", PARTS[form]: []}).encode(), form) is None


@pytest.mark.parametrize("nothing", [None, {}, "", [], False])
@pytest.mark.parametrize("form", PARTS)
def test_an_empty_error_beside_an_answer_is_none(form: Form, nothing: object) -> None:
    body = json.dumps({"error": nothing, PARTS[form]: [{"x": 1}]}).encode()
    assert check_whole(body, form) is None


@pytest.mark.parametrize("error", ERRORS[:-1])
@pytest.mark.parametrize("prelude", PRELUDES)
def test_an_error_among_the_first_events_is_found(prelude: str, error: object) -> None:
    assert isinstance(judge_opening(write(*PRELUDES[prelude], error)), FoundError)


@pytest.mark.parametrize("beginning", [{"error": {"message": "boom"}}, {"choices": [{"delta": {"content": "word"}}]}])
def test_a_stream_is_judged_by_the_first_events_that_tell_whatever_comes_with_them(beginning: object) -> None:
    """Events that nobody may send, for they have too many lines, come in the same read."""
    too_long = b"data: x\n" * (sse.MAX_EVENT_LINES + 1) + b"\n"
    assert judge_opening(write(beginning) + too_long) == judge_opening(write(beginning))


def test_a_response_that_failed_at_once_is_an_error_of_its_own_status() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Slow down"}
    failed = {"type": "response.failed", "response": {"status": "failed", "error": error, "output": []}}
    found = judge_opening(write(*PRELUDES["responses"], failed))
    assert isinstance(found, FoundError)
    assert found.status == 429
    assert b"Slow down" in found.body


@pytest.mark.parametrize("events", [b"data: [DONE]\n\n", b": hi\n\n", b"data: hello\n\n", b"data: {}\n\n"])
def test_what_is_no_answers_event_says_nothing(events: bytes) -> None:
    assert judge_opening(events) is Opening.SILENT


@pytest.mark.parametrize(
    "begun", [b"data: {}", b"\r\n: wait", b"\xef\xbb\xbfevent: message_start", b"id: 1", b"retry: 9"]
)
def test_an_answer_may_be_events_from_its_first_byte_on(begun: bytes) -> None:
    assert all(may_be_events(begun[:size]) for size in range(len(begun) + 1))


@pytest.mark.parametrize("begun", [b"{", b'{"error"', b"<html>", b"dates", b"even more", b"\xef\xbbx"])
def test_other_answers_are_told_from_events_at_once(begun: bytes) -> None:
    assert not may_be_events(begun)


@pytest.mark.parametrize("error", ERRORS[:-1])
@pytest.mark.parametrize("prelude", PRELUDES)
def test_a_stream_is_judged_the_same_however_its_first_bytes_come(prelude: str, error: object) -> None:
    opening = write(*PRELUDES[prelude], error)
    look = OpeningLook()
    for end, byte in enumerate(opening, 1):
        assert look.take(bytes([byte])) == judge_opening(opening[:end])
    assert look.came == opening


def test_the_first_bytes_of_a_silent_stream_are_read_once_each() -> None:
    def feed(times: int) -> None:
        look = OpeningLook()
        for _ in range(times):
            assert look.take(b": wait\n\n") is Opening.SILENT

    assert count_lines(lambda: feed(400)) < 5 * count_lines(lambda: feed(100))
