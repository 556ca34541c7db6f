"""A provider's head is read the same whether it is compared with those before it or parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.router.request.provider_head import LEARNT_FROM, MAX_PATTERNS, HeadReader

HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 29 Nov 2026 10:00:%02d GMT\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"x-ratelimit-remaining-requests: %d\r\nX-Request-Id: req_%d\r\nServer: 100%%\r\nCF-RAY: %d-FRA"
)
OWN = "application/json"


def write(number: int) -> bytes:
    return HEAD % ((number % 60,) + (number,) * 3)


def teach(reader: HeadReader) -> HeadReader:
    for number in range(LEARNT_FROM + 1):
        reader.read(write(number))
    return reader


TAUGHT = teach(HeadReader(OWN))


def test_heads_that_were_learnt_are_read_as_they_are() -> None:
    assert TAUGHT.read(write(1234)) == HeadReader(OWN).read(write(1234))
    assert TAUGHT.read(write(5)).passed == (
        b"x-request-id: req_5\r\nx-ratelimit-remaining-requests: 5\r\ncontent-type: application/json\r\n"
    )


@given(st.data())
def test_a_head_that_is_changed_anywhere_is_read_as_the_parser_reads_it(data: st.DataObject) -> None:
    head = write(data.draw(st.integers(0, 99)))
    at, cut = data.draw(st.integers(0, len(head))), data.draw(st.integers(0, 3))
    new = data.draw(
        st.sampled_from([b"", b" ", b"\t", b"%", b"x", b":", b"\xff", b"\r\nx-request-id: two", b"\r\na: b"])
    )
    changed = head[:at] + new + head[at + cut :]
    if b"\r" not in changed.replace(b"\r\n", b"") and b"\n" not in changed.replace(b"\r\n", b""):
        assert TAUGHT.read(changed) == HeadReader(OWN).read(changed)


@pytest.mark.parametrize(
    "line", [b"x-request-id: again", b"content-encoding: gzip", b"retry-after: 1\xff", b"retry-after:  2 ", b"a: %d"]
)
def test_another_line_is_learnt_too(line: bytes) -> None:
    reader = HeadReader(OWN)
    for number in range(3 * LEARNT_FROM):
        head = write(number) + b"\r\n" + line
        assert reader.read(head) == HeadReader(OWN).read(head)


def test_heads_that_are_never_the_same_are_not_learnt_for_ever() -> None:
    reader = teach(HeadReader(OWN))
    for number in range(4 * MAX_PATTERNS * LEARNT_FROM):
        head = write(number) + b"\r\nx-%d: 1" % (number // LEARNT_FROM)
        assert reader.read(head) == HeadReader(OWN).read(head)
