"""Heads that are compared with one that was parsed, in place of being parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import PlanoError
from plano_agents.http.server.head import HeadReader, RequestHead
from plano_agents.http.server.template import MAX_PATTERN_BYTES, PATTERN_AFTER, Blanks, Template, build_template

BLANKS = Blanks({"x-model-affinity"}, {"traceparent", "baggage"})
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nX-Model-Affinity: a-1\r\nAccept: */*\r\n"
    b"traceparent:00-1-1-01\r\nBaggage: a=b, c=d\r\nContent-Length: 12\r\n\r\n"
)
MAX_BYTES = 65_536


def parse(block: bytes) -> RequestHead:
    head = HeadReader(MAX_BYTES).take(bytearray(block))
    assert head is not None
    return head


def build(block: bytes = HEAD, *, is_used: bool = False) -> Template:
    template = build_template(block, parse(block), BLANKS)
    assert template is not None
    for _ in range(PATTERN_AFTER if is_used else 0):
        assert template.fill(block, MAX_BYTES) is not None
    return template


USED, NEW = build(is_used=True), build()


def read(template: Template, data: bytes) -> RequestHead | None:
    filled = template.fill(data, MAX_BYTES)
    return template.read(filled.values) if filled is not None else None


def test_a_head_that_differs_in_its_blanks_is_read_as_the_parser_reads_it() -> None:
    other = HEAD.replace(b"a-1", b"a-long-one!").replace(b": 12", b": 7000").replace(b"00-1-1-01", b"00-2-2-00")
    other = other.replace(b"a=b, c=d", b"k=" + b"v" * 3_000 + b' , l=w;x="y z"')
    filled = build().fill(other + b"{body", MAX_BYTES)
    assert filled is not None
    assert (filled.end, filled.length) == (len(other), 7000)
    assert build().read(filled.values) == parse(other)


@given(st.data())
def test_whatever_is_changed_is_read_as_the_parser_reads_it_or_not_at_all(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(HEAD)))
    cut = data.draw(st.integers(0, 4))
    new = data.draw(
        st.sampled_from([b"", b" ", b"\t", b"\r\n", b"\n", b"\r", b":", b"0", b"1", b"\x00", b"\xff", b"a: b\r\n"])
    )
    changed = HEAD[:at] + new + HEAD[at + cut :]
    head = read(NEW, changed)
    assert read(USED, changed) == head
    if head is not None:
        assert head == parse(changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"a-1", b""),
        (b"a-1", b"a 1"),
        (b"a-1", b"a-1 "),
        (b"a-1", b"a" * 257),
        (b"a-1", b"\xe9"),
        (b"c=d", b"c=d "),
        (b"c=d", b"c=\td"),
        (b"a=b, c=d", b""),
        (b"c=d", b"\xe9"),
        (b"c=d", b"c\rd"),
        (b"a-1\r\n", b"a-1\r\nX-Model-Affinity: b\r\n"),
        (b": 12", b": +12"),
        (b": 12", b": 0"),
        (b": 12", b": 12\r\nContent-Length: 12"),
        (b"Accept", b"accept"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"POST", b"\r\nPOST"),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_a_head_that_differs_elsewhere_is_left_to_the_parser(old: bytes, new: bytes) -> None:
    assert read(NEW, HEAD.replace(old, new, 1)) is None
    assert read(USED, HEAD.replace(old, new, 1)) is None


def test_a_head_that_is_too_long_is_left_to_the_parser() -> None:
    for template in (NEW, USED):
        assert template.fill(HEAD, len(HEAD)) is not None
        assert template.fill(HEAD, len(HEAD) - 1) is None


@pytest.mark.parametrize("size", [MAX_PATTERN_BYTES // 2, 2 * MAX_PATTERN_BYTES])
def test_a_long_head_gets_no_pattern(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold up all requests while it is made."""
    made: list[tuple[bytes, ...]] = []
    monkeypatch.setattr("plano_agents.http.server.template._compile", lambda pieces, _: made.append(pieces))
    block = HEAD.replace(b"Accept: */*", b"Accept: " + b"a" * size)
    template = build(block, is_used=True)
    assert template.fill(block, MAX_BYTES) is not None
    assert bool(made) == (size < MAX_PATTERN_BYTES)


@pytest.mark.parametrize("block", [HEAD[: HEAD.index(b"Content")] + b"\r\n", HEAD.replace(b": 12", b": 0")])
def test_a_head_without_a_body_has_no_template(block: bytes) -> None:
    assert build_template(block, parse(block), BLANKS) is None


def test_a_header_that_came_twice_is_no_blank() -> None:
    twice = HEAD.replace(b"Accept: */*", b"X-Model-Affinity: a-1")
    assert build(twice).names == ("traceparent", "baggage", "content-length")


@given(st.lists(st.sampled_from([b"GET / HTTP/1.1\r\n", b"\r\n", HEAD, b"x: y\r\n", b"a-2"]), max_size=4))
def test_no_bytes_break_the_comparison(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    head = read(NEW, data)
    assert read(USED, data) == head
    if head is not None:
        try:
            assert head == parse(data)
        except PlanoError:
            pytest.fail("The parser refuses what was read by comparison.")
