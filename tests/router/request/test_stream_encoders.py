"""A stream of the client's own form on its way through: what its last bytes may be, and what is half an event."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import UpstreamProtocolError
from plano_agents.router.request.stream_encoders import SameStream
from plano_agents.router.request.surfaces import CHAT, MESSAGES, RESPONSES, SURFACES, Surface
from tests.router.conftest import CHUNKS

LAST = b'data: {"choices":[{"delta":{"content":"fox"},"finish_reason":"stop"}]}'
ENDS = [
    (CHAT, LAST),
    (MESSAGES, b'event: message_stop\ndata: {"type":"message_stop"}'),
    (RESPONSES, b'event: response.completed\ndata: {"type":"response.completed"}'),
]


def pass_on(surface: Surface, *pieces: bytes) -> bytes:
    """Everything that a client gets of a provider's stream that ended in order."""
    stream = SameStream(surface.end_mark, surface.encode_error_event)
    passed = b"".join([*map(stream.feed, pieces), stream.finish()])
    stream.close()
    return passed


@pytest.mark.parametrize(("surface", "last"), ENDS)
def test_an_end_in_the_middle_of_the_last_event_is_none_wherever_it_comes(surface: Surface, last: bytes) -> None:
    """A client's reader drops half an event, and takes the answer without it for whole."""
    for kept in range(len(last)):
        with pytest.raises(UpstreamProtocolError):
            pass_on(surface, CHUNKS[0], last[:kept])


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=repr)
@pytest.mark.parametrize(("surface", "last"), ENDS)
def test_a_last_event_without_its_blank_line_is_given_one(surface: Surface, last: bytes, end: bytes) -> None:
    assert pass_on(surface, CHUNKS[0], last + end) == CHUNKS[0] + last + end + b"\n\n"


@pytest.mark.parametrize("end", [b"", b"\n"], ids=repr)
def test_a_done_without_its_blank_line_is_an_end(end: bytes) -> None:
    assert pass_on(CHAT, CHUNKS[0], b"data: [DONE]" + end).endswith(b"data: [DONE]" + end + b"\n\n")


def test_half_an_event_after_the_finish_is_a_cut() -> None:
    with pytest.raises(UpstreamProtocolError):
        pass_on(CHAT, LAST + b"\n\n", b'data: {"usage":{"prompt')


@pytest.mark.parametrize("rest", [b"", b"\n", b": a comment", b"da"], ids=repr)
def test_what_is_no_event_after_the_finish_is_left_out(rest: bytes) -> None:
    assert pass_on(CHAT, LAST + b"\n\n", rest) == LAST + b"\n\n"


def test_an_error_event_never_stands_in_half_an_event() -> None:
    stream = SameStream(CHAT.end_mark, CHAT.encode_error_event)
    passed = stream.feed(CHUNKS[0] + b"data: ") + stream.finish()
    with pytest.raises(UpstreamProtocolError) as cut:
        stream.close()
    event = (passed + stream.break_off(cut.value)).split(b"\n\n")[1]
    assert "error" in json.loads(event.removeprefix(b"data: "))


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_a_responses_stream_may_leave_event_lines_out(kind: str) -> None:
    last = f'data: {{"type":"response.{kind}","response":{{"error":null}}}}\n\n'.encode()
    assert pass_on(RESPONSES, b'data: {"type":"response.created"}\n\n', last).endswith(last)


ERRORS = [
    (CHAT, b'data: {"error":{"message":"Busy"}}\n\n'),
    (CHAT, b'data: {"error": "Busy"}\n\n'),
    (MESSAGES, b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
    (MESSAGES, b'data: {"type": "error","error":{"type":"overloaded_error"}}\n\n'),
    (RESPONSES, b'event: error\ndata: {"type":"error","message":"Busy"}\n\n'),
    (RESPONSES, b'data: {"type":"error","message":"Busy"}\n\n'),
]


@pytest.mark.parametrize(("surface", "error"), ERRORS)
def test_after_the_providers_own_error_event_none_of_ours_follows(surface: Surface, error: bytes) -> None:
    stream = SameStream(surface.end_mark, surface.encode_error_event)
    assert stream.feed(CHUNKS[0] + error) == CHUNKS[0] + error
    stream.close()
    assert (stream.finished, stream.failed) == (True, True)


@pytest.mark.parametrize("text", [b'"error":null', b'"delta":{"content":"\\"error\\":{\\"type\\":\\"error\\"}"}'])
@pytest.mark.parametrize("surface", SURFACES)
def test_what_only_looks_like_an_error_is_none(surface: Surface, text: bytes) -> None:
    stream = SameStream(surface.end_mark, surface.encode_error_event)
    stream.feed(b"data: {" + text + b"}\n\n")
    assert (stream.finished, stream.failed) == (False, False)


_FRAGMENTS = st.sampled_from(
    [
        *(b'"error"', b'"finish_reason"', b'"usage"', b'"type"', b'"message_stop"', b"message_stop", b"[DONE]"),
        *(b":", b" ", b"\t", b"\n", b'"', b"{", b"}", b"null", b"data: ", b"data:", b"x", b"event: error"),
    ]
)


@pytest.mark.parametrize("surface", [CHAT, MESSAGES], ids=["chat", "messages"])
@given(fragments=st.lists(_FRAGMENTS, max_size=12))
def test_what_passes_unread_holds_no_end_and_no_usage(surface: Surface, fragments: list[bytes]) -> None:
    events = b"".join(fragments) + b"\n\n"
    encoder = SameStream(surface.end_mark, surface.encode_error_event)
    if encoder.passes(events):
        assert surface.end_mark.search(events) is None
        assert b'"usage"' not in events
        assert encoder.feed(events) == events
        assert not encoder.finished


@pytest.mark.parametrize("surface", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_a_plain_event_passes_unread_but_not_after_half_of_one(surface: Surface) -> None:
    encoder = SameStream(surface.end_mark, surface.encode_error_event)
    event = b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": null}]}\n\n'
    assert encoder.passes(event)
    encoder.feed(event[:9])
    assert not encoder.passes(event)
    assert not encoder.passes(event[:9])
