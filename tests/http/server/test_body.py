"""Request bodies from bytes: of a known length, and in chunks."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import MalformedRequestError
from plano_agents.http.server.body import MAX_CHUNK_LINE_BYTES, MAX_CHUNKS, MAX_TRAILER_BYTES, build_body

CHUNKED = b'3;x="y"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n'
NEXT = b"GET / HTTP/1.1\r\n"


def read(*pieces: bytes, length: int | None = None) -> tuple[bytes, bytes]:
    """Read a body from pieces: it, and what is left behind it."""
    body, buffer, whole = build_body(length), bytearray(), b""
    for piece in pieces:
        buffer += piece
        whole += body.take(buffer)
    assert body.is_over
    return whole, bytes(buffer)


def test_a_body_of_a_known_length_ends_there() -> None:
    assert read(b"ab", b"c" + NEXT, length=3) == (b"abc", NEXT)


def test_an_empty_body_is_over_at_once() -> None:
    assert build_body(0).is_over


def test_a_body_is_not_over_before_its_end() -> None:
    body = build_body(3)
    assert body.take(bytearray(b"ab")) == b"ab"
    assert not body.is_over


def test_chunks_are_read_as_one_body_without_extensions_and_trailers() -> None:
    assert read(CHUNKED + NEXT) == (b"abc0123456789", NEXT)


def test_chunks_are_read_the_same_wherever_they_are_split() -> None:
    for cut in range(1, len(CHUNKED)):
        assert read(CHUNKED[:cut], CHUNKED[cut:] + NEXT) == (b"abc0123456789", NEXT), f"cut at byte {cut}"


def test_chunks_are_read_the_same_byte_by_byte() -> None:
    assert read(*(bytes([octet]) for octet in CHUNKED)) == (b"abc0123456789", b"")


@pytest.mark.parametrize(
    "framing",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\n\r\n",
        b"3\r\nabc\r\n0\r\n\n",
        b"3 \r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"-3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"3_0\r\nabc\r\n",
        b"\r\nabc\r\n",
        b";x\r\nabc\r\n",
        b"3;a\rb\r\nabc\r\n",
        b"3;a\x00b\r\nabc\r\n",
        b"g\r\nabc\r\n",
        b"1000000000000000\r\nabc\r\n",
        b"3;" + b"x" * MAX_CHUNK_LINE_BYTES,
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nname : x\r\n\r\n",
        b"0\r\na: b\n\r\n",
        b"0\r\na: b\r\n folded\r\n\r\n",
        b"0\r\na: " + b"b" * MAX_TRAILER_BYTES,
        b"0\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 9,
        b"0\r\n" + b"a: b\r\n" * 101,
    ],
)
def test_framing_that_could_be_read_in_two_ways_is_refused(framing: bytes) -> None:
    body = build_body(None)
    with pytest.raises(MalformedRequestError):
        body.take(bytearray(framing))


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"3", b"\r\n", b"\n", b"abc", b"0", b";", b"a: b"])).map(b"".join)
)
def test_any_bytes_are_chunks_or_refused(data: bytes) -> None:
    with suppress(MalformedRequestError):
        assert len(build_body(None).take(bytearray(data))) <= len(data)


@given(st.lists(st.binary(min_size=1, max_size=30)), st.data())
def test_any_body_comes_out_of_its_chunks_as_it_went_in(pieces: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(wire)))
    assert read(wire[:cut], wire[cut:]) == (b"".join(pieces), b"")


def test_a_body_in_more_chunks_than_anybody_needs_is_refused() -> None:
    """Each costs time in which no other client is served, and costs its sender nothing."""
    chunks = b"1\r\na\r\n" * MAX_CHUNKS
    assert read(chunks + b"0\r\n\r\n") == (b"a" * MAX_CHUNKS, b"")
    with pytest.raises(MalformedRequestError, match="Send larger ones"):
        build_body(None).take(bytearray(chunks + b"1\r\na\r\n"))
