import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.sse import Event, EventDecoder, encode_event
from tests.work import count_lines

STREAM = (
    b"event: ping\r\ndata: {}\r\n\r\n: a comment\ndata: one\ndata:two\n\nid: 7\n\ndata: \xc3\xa9\r\rdata: [DONE]\n\n"
)
EVENTS = [Event(b"{}", "ping"), Event(b"one\ntwo"), Event("é".encode()), Event(b"[DONE]")]


def decode(*chunks: bytes) -> list[Event]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def test_line_ends_of_all_three_kinds_are_read() -> None:
    assert decode(STREAM) == EVENTS


def test_a_stream_cut_at_any_byte_gives_the_same_events() -> None:
    for cut in range(len(STREAM) + 1):
        assert decode(STREAM[:cut], STREAM[cut:]) == EVENTS, f"cut at byte {cut}"


def test_a_stream_that_comes_byte_by_byte_gives_the_same_events() -> None:
    assert decode(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == EVENTS


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decode(b"\xef", b"\xbb\xbfdata: x\n\n") == [Event(b"x")]


def test_an_event_without_its_blank_line_is_no_event() -> None:
    assert decode(b"data: x\n") == []


def test_an_event_over_the_limit_is_an_error() -> None:
    decoder = EventDecoder()
    with pytest.raises(UpstreamProtocolError, match="over 33554432 bytes"):
        decoder.feed(b"data: " + b"x" * (sse.MAX_EVENT_BYTES + 1))


@given(st.lists(st.binary(min_size=1).filter(lambda data: not set(data) & {10, 13}), max_size=5), st.data())
def test_what_is_encoded_is_decoded(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode_event(payload, "message") for payload in payloads)
    cut = data.draw(st.integers(0, len(stream)))
    assert decode(stream[:cut], stream[cut:]) == [Event(payload) for payload in payloads]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_any_number_of_blank_lines_is_as_much_work_as_one(end: bytes) -> None:
    def count(blank_lines: int) -> int:
        stream = b"data: a" + end * blank_lines + b"data: b" + end * 2
        return count_lines(lambda: EventDecoder().feed(stream + b":"))

    assert count(100_000) == count(3)


@given(
    chunks=st.lists(
        st.sampled_from(
            [
                *(b"data: a\n\n", b"event: x\ndata: a\n\n", b"data: a\ndata: b\n\n", b"event: x\n: c\ndata: a\n\n"),
                *(
                    b"event:  x\ndata:  a\n\n",
                    b"event: \ndata: \n\n",
                    b"event: x\n\n",
                    b": c\n",
                    b"data: a\r\n\n",
                    b"\n\n",
                ),
                *(
                    b"\xef\xbb\xbfdata: a\n\n",
                    b"id: 1\ndata: a\n\n",
                    b"event: x\n",
                    b"data: a\n",
                    b"event: \xff\ndata: a\n\n",
                ),
            ]
        ),
        max_size=5,
    )
)
def test_chunks_that_are_events_give_the_same_events_as_all_at_once(chunks: list[bytes]) -> None:
    decoder = sse.EventDecoder()
    assert [event for chunk in chunks for event in decoder.feed(chunk)] == sse.EventDecoder().feed(b"".join(chunks))


@pytest.mark.parametrize("before", [b"", b"data: 1", b"data: 1\n", b"data: 1\n\n"])
def test_many_blank_lines_are_cut_once(before: bytes) -> None:
    chunk = before + b"\n" * 50_000
    pieces = list(sse.cut(chunk))
    assert len(pieces) <= 2
    assert decode(*pieces) == decode(chunk)
