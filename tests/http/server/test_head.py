"""Request heads from bytes: what they are read as, and what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import HeadTooLargeError, MalformedRequestError, RequestError
from plano_agents.http.server.head import MAX_HEADERS, HeadReader, RequestHead

GOOD = b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\nContent-Length: 3\r\n\r\n"


def read(data: bytes, max_bytes: int = 65_536) -> RequestHead:
    head = HeadReader(max_bytes).take(bytearray(data))
    assert head is not None
    return head


def with_header(*lines: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET / HTTP/{version}", "Host: h", *lines, "", ""]).encode("latin-1")


def test_a_head_is_read_and_what_follows_it_is_left() -> None:
    buffer = bytearray(GOOD + b"abc")
    assert HeadReader(100).take(buffer) == RequestHead(
        method="POST",
        target="/a?b=c",
        http_version="1.1",
        headers=[("host", "h"), ("x-y", "z"), ("content-length", "3")],
        content_length=3,
        keep_alive=True,
        expects_continue=False,
    )
    assert buffer == b"abc"


def test_a_head_is_read_the_same_wherever_it_is_split() -> None:
    for cut in range(1, len(GOOD)):
        reader = HeadReader(100)
        buffer = bytearray(GOOD[:cut])
        assert reader.take(buffer) is None, f"cut at byte {cut}"
        buffer += GOOD[cut:]
        assert reader.take(buffer) == read(GOOD), f"cut at byte {cut}"


def test_a_connections_heads_are_judged_alike_whether_their_lines_were_seen_before_or_not() -> None:
    reader = HeadReader(65_536)
    assert [reader.take(bytearray(GOOD)) for _ in range(3)] == [read(GOOD)] * 3
    with pytest.raises(MalformedRequestError, match="two 'host'"):
        reader.take(bytearray(GOOD.replace(b"\r\n\r\n", b"\r\nHost: h\r\n\r\n")))


def test_what_a_connection_remembers_of_lines_is_bounded() -> None:
    reader = HeadReader(65_536)
    for number in range(1000):
        reader.take(bytearray(with_header(f"x-{number}: {'y' * (number % 700)}")))
    assert sum(map(len, reader._lines_seen.headers)) <= 32 * 1024


@pytest.mark.parametrize("length", [0, 1, 65_536, 999_999_999_999_999_999])
def test_a_content_length_is_the_bodys(length: int) -> None:
    assert read(with_header(f"Content-Length: {length}")).content_length == length


@pytest.mark.parametrize("value", ["chunked", "Chunked", " chunked\t"])
def test_a_chunked_body_has_no_length(value: str) -> None:
    assert read(with_header(f"Transfer-Encoding:{value}")).content_length is None


@pytest.mark.parametrize(
    ("lines", "version", "keep_alive"),
    [
        ([], "1.1", True),
        (["Connection: close"], "1.1", False),
        (["Connection: keep-alive", "connection: x, Close"], "1.1", False),
        (["Connection: keep-alive"], "1.0", False),
    ],
)
def test_a_connection_is_kept_as_the_client_says(lines: list[str], version: str, keep_alive: bool) -> None:  # noqa: FBT001 - parametrized
    assert read(with_header(*lines, version=version)).keep_alive is keep_alive


def test_fields_for_this_hop_are_dropped() -> None:
    head = read(
        with_header(
            "Connection: keep-alive, Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
            "Content-Length: 2",
            "Keep-Alive: 5",
            "Proxy-Authorization: x",
            "TE: trailers",
            "Trailer: x",
            "Upgrade: h2c",
            "X-Kept: 1",
        )
    )
    assert head.headers == [("host", "h"), ("content-length", "2"), ("x-kept", "1")]


@pytest.mark.parametrize("name", ["x-forwarded-for", "x-tenant", "authorization", "content-type"])
def test_connection_takes_away_nothing_that_a_proxy_may_have_added(name: str) -> None:
    head = read(with_header(f"Connection: close, {name}", f"{name}: 1"))
    assert head.headers == [("host", "h"), (name, "1")]


@pytest.mark.parametrize(
    ("lines", "version", "expects"),
    [
        (["Expect: 100-Continue", "Content-Length: 1"], "1.1", True),
        (["Expect: 100-continue", "Transfer-Encoding: chunked"], "1.1", True),
        (["Expect: 100-continue"], "1.1", False),
        (["Expect: 100-continue", "Content-Length: 1"], "1.0", False),
        (["Expect: other", "Content-Length: 1"], "1.1", False),
    ],
)
def test_a_100_is_due_only_where_the_client_waits_for_it(
    lines: list[str],
    version: str,
    expects: bool,  # noqa: FBT001 - parametrized
) -> None:
    assert read(with_header(*lines, version=version)).expects_continue is expects


@pytest.mark.parametrize(
    ("target", "read_as"),
    [("http://h/a?b", "/a?b"), ("HTTP://H", "/"), ("https://h?b", "/?b"), ("//h/a", "//h/a")],
)
def test_a_url_on_the_host_is_read_as_its_path(target: str, read_as: str) -> None:
    assert read(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()).target == read_as


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1:80", "[::1]:8080", "a_b-c.d:"])
def test_a_host_may_be_a_name_or_an_address_with_a_port(host: str) -> None:
    assert read(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).headers == [("host", host)]


def test_http_1_0_needs_no_host() -> None:
    assert read(b"GET / HTTP/1.0\r\n\r\n").headers == []


def test_empty_lines_before_a_request_are_skipped_however_they_are_split() -> None:
    reader, buffer = HeadReader(100), bytearray()
    for octet in b"\r\n\r\n" + GOOD[:-1]:
        buffer.append(octet)
        assert reader.take(buffer) is None
    buffer += GOOD[-1:]
    assert reader.take(buffer) == read(GOOD)


def test_a_head_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert read(GOOD, len(GOOD))
    with pytest.raises(HeadTooLargeError, match=f"longer than {len(GOOD) - 1} bytes"):
        read(GOOD, len(GOOD) - 1)


def test_a_head_that_has_no_end_is_refused_at_the_limit() -> None:
    with pytest.raises(HeadTooLargeError):
        HeadReader(100).take(bytearray(b"GET /" + b"a" * 96))


def test_there_may_be_a_hundred_headers_and_no_more() -> None:
    lines = ["a: b"] * (MAX_HEADERS - 1)
    assert len(read(with_header(*lines)).headers) == MAX_HEADERS
    with pytest.raises(HeadTooLargeError, match="more than 100 headers"):
        read(with_header(*lines, "a: b"))


@pytest.mark.parametrize("beginning", [b"\x16\x03\x01", b" ", b"get", b"\x00", b"\r\r", b"GET / HTTP/1.1\n", b"\n"])
def test_what_can_be_no_head_is_refused_before_its_end(beginning: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        HeadReader(100).take(bytearray(beginning))


@given(
    st.binary(max_size=80) | st.lists(st.sampled_from([*GOOD.split(b" "), b"\r\n", b"\n", b":", b"\x00"])).map(b"".join)
)
def test_any_bytes_are_a_head_or_none_yet_or_refused_and_never_repeated(data: bytes) -> None:
    try:
        head = HeadReader(100).take(bytearray(data))
    except RequestError as refusal:
        error: RequestError | None = refusal
    else:
        error = None
        assert head is None or head.target.startswith("/")
    assert error is None or error.status_code in {400, 431}
    assert error is None or re.fullmatch(r"[\w ./,:'\"<>()-]+", error.message)


token = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
value = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)


@given(st.lists(st.tuples(token.map("x-".__add__), value), max_size=10))
def test_any_headers_that_may_be_are_handed_on_in_order(headers: list[tuple[str, str]]) -> None:
    head = read(with_header(*(f"{name}: {value}" for name, value in headers)))
    assert head.headers[1:] == [(name.lower(), value.strip(" \t")) for name, value in headers]
