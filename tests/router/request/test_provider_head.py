"""A provider's head is read the same whether it is compared with those before it or parsed."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.http.client.response_head import FramingError, check_framing
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
    "line",
    [
        b"x-request-id: again",
        b"content-encoding: gzip",
        b"retry-after: 1\xff",
        b"retry-after:  2 ",
        b"a: %d",
        b"x-ratelimit-%d: 5%",
    ],
)
def test_another_line_is_learnt_too(line: bytes) -> None:
    reader = HeadReader(OWN)
    for number in range(3 * LEARNT_FROM):
        head = write(number) + b"\r\n" + line
        assert reader.read(head) == HeadReader(OWN).read(head)


def test_a_name_may_hold_a_percent_sign_whatever_its_values() -> None:
    reader = HeadReader(OWN)
    for number in range(2 * LEARNT_FROM):
        head = write(number) + b"\r\nx-ratelimit-%%s-left: %d" % number
        assert reader.read(head) == HeadReader(OWN).read(head)


def test_heads_that_are_never_the_same_are_not_learnt_for_ever() -> None:
    reader = teach(HeadReader(OWN))
    for number in range(4 * MAX_PATTERNS * LEARNT_FROM):
        head = write(number) + b"\r\nx-%d: 1" % (number // LEARNT_FROM)
        assert reader.read(head) == HeadReader(OWN).read(head)


OK = b"HTTP/1.1 200 OK"
BODY = b'{"choices": []}'
LENGTH = b"\r\ncontent-length: %d" % len(BODY)


def parse(data: bytes) -> tuple[bytes, int, bool, bool] | None:
    """An answer's body, status, whether it is complete and whether another may follow, as the connection parses it."""

    class Answer:
        def __init__(self) -> None:
            self.pieces: list[bytes] = []
            self.ends = 0
            self.on_body = self.pieces.append

        def on_headers_complete(self) -> None:
            self.keeps_alive = parser.should_keep_alive()

        def on_message_complete(self) -> None:
            self.ends += 1

    answer = Answer()
    parser = httptools.HttpResponseParser(answer)
    try:
        parser.feed_data(data)
        check_framing(data.partition(b"\r\n\r\n")[0])
    except (httptools.HttpParserError, httptools.HttpParserUpgrade, FramingError):
        return None
    return b"".join(answer.pieces), parser.get_status_code(), answer.ends == 1, answer.keeps_alive


def teach_whole(more: bytes = LENGTH, begins: bytes = OK) -> HeadReader:
    reader = HeadReader(OWN)
    for number in range(LEARNT_FROM):
        reader.read(write(number).replace(OK, begins) + more)
    return reader


WHOLE = teach_whole().whole


@given(st.data())
def test_an_answer_that_need_not_be_parsed_is_as_the_parser_reads_it(data: st.DataObject) -> None:
    assert WHOLE is not None
    answer = write(data.draw(st.integers(0, 99))) + LENGTH + b"\r\n\r\n" + BODY
    at, cut = data.draw(st.integers(0, len(answer))), data.draw(st.integers(0, 3))
    inserts = [
        b"",
        b" ",
        b"\t",
        b"x",
        b"0",
        b"\x00",
        b"\x7f",
        b"\xff",
        b"\r",
        b"\n",
        b"\r\ncontent-length: 1",
        b"\r\n\r\n",
    ]
    changed = answer[:at] + data.draw(st.sampled_from(inserts)) + answer[at + cut :]
    found = WHOLE.match(changed)
    if found is not None and len(changed) == found.end() + int(found["length"]):
        assert parse(changed) == (changed[found.end() :], 200, True, True)
        assert WHOLE.fill(found) == HeadReader(OWN).read(found[0].removesuffix(b"\r\n\r\n"))
    else:
        assert changed != answer


@pytest.mark.parametrize(
    ("more", "begins"),
    [
        (b"", OK),
        (b"\r\ntransfer-encoding: chunked", OK),
        (LENGTH + b"\r\ntransfer-encoding: chunked", OK),
        (LENGTH + LENGTH, OK),
        (LENGTH + b"\r\nconnection: close", OK),
        (LENGTH + b"\r\nconnection: upgrade\r\nupgrade: h2c", OK),
        (LENGTH + b"\r\ncontent-encoding: gzip", OK),
        (LENGTH, b"HTTP/1.0 200 OK"),
        (LENGTH, b"HTTP/1.1 429 Too Many Requests"),
    ],
)
def test_an_answer_is_parsed_that_may_be_framed_otherwise(more: bytes, begins: bytes) -> None:
    assert teach_whole(more, begins).whole is None


def test_a_kept_connection_is_no_reason_to_parse() -> None:
    assert teach_whole(LENGTH + b"\r\nConnection: Keep-Alive").whole is not None
