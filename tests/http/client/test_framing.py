"""The framing of answers: read by RFC 9112, however their bytes are split, and refused where it is unclear."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plano_agents.errors import UpstreamError, UpstreamProtocolError
from plano_agents.http.client import UpstreamResponse
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, chunks_of, connect, read_stream, request_to
from tests.router.conftest import COMPLETE, COMPLETION

Answer = Callable[[UpstreamExchange], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = b"content-length: 4\r\n\r\nbody"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"


def send(*pieces: bytes, close: bool = False) -> Answer:
    """Answer with these bytes."""

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.send(*pieces)
        if close:
            exchange.close()

    return answer


GOOD = {
    "sized": OK + SIZED,
    "chunked": OK + CHUNKED,
    "chunked in upper case": OK + CHUNKED.replace(b"chunked", b"CHUNKED"),
    "with trailers": OK + CHUNKED[:-2] + b"x-check: 1\r\nx-more: 2\r\n\r\n",
    "with chunk extensions": OK + CHUNKED.replace(b"4\r\n", b'4;a=b;c="d"\r\n'),
    "after interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    + OK
    + SIZED,
    "without a reason": b"HTTP/1.1 200\r\n" + SIZED,
    "in HTTP/1.0, kept alive": b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n" + SIZED,
    "with white space": OK + b"content-length: \t 4 \t\r\n\r\nbody",
    "after empty lines": b"\r\n\r\n" + OK + SIZED,
}


@pytest.mark.parametrize("answer", GOOD.values(), ids=GOOD)
async def test_an_answer_is_read_to_its_end_and_its_connection_is_used_again(answer: bytes) -> None:
    async with FakeUpstream(send(answer)) as provider, connect() as upstream:
        assert [await ask(upstream, provider.url) for _ in range(2)] == [(200, b"body")] * 2
        assert await read_stream(upstream, provider.url) == b"body"
    assert provider.connections == 1


LAST = {
    "until the connection's end": OK + b"\r\nbody",
    "in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + SIZED,
    "in HTTP/1.0 until the connection's end": b"HTTP/1.0 200 OK\r\n\r\nbody",
    "told to be the last": OK + b"connection: close\r\n" + SIZED,
    "with something after it": OK + SIZED + b"HTTP/1.1 200 OK\r\n" + SIZED,
    "with garbage after it": OK + SIZED + b"garbage",
}


@pytest.mark.parametrize("read", [ask, read_stream])
@pytest.mark.parametrize("answer", LAST.values(), ids=LAST)
async def test_an_answer_that_is_the_last_of_its_connection_is_read_whole(
    answer: bytes, read: Callable[..., Awaitable[object]]
) -> None:
    async with FakeUpstream(send(answer, close=True)) as provider, connect() as upstream:
        for _ in range(2):
            assert await read(upstream, provider.url) in (b"body", (200, b"body"))
    assert provider.connections == 2


async def test_what_follows_an_answer_is_nobodys_answer() -> None:
    """A second answer to one request must not meet the next request."""
    surplus = OK + SIZED + OK + SIZED.replace(b"body", b"evil")
    async with FakeUpstream(send(surplus), COMPLETE) as provider, connect() as upstream:
        assert await ask(upstream, provider.url) == (200, b"body")
        assert await ask(upstream, provider.url) == (200, COMPLETION)
    assert provider.connections == 2


ENDS = {"sized": (SIZED[:-4], b"body"), "chunked": (CHUNKED[:30], CHUNKED[30:])}


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("head", "body"), ENDS.values(), ids=ENDS)
async def test_an_answer_ends_at_once_whatever_comes_with_its_end(
    head: bytes,
    body: bytes,
    is_streamed: bool,  # noqa: FBT001 - parametrized
) -> None:
    """Its reader waits already, and is not left to wait for a time-out."""
    waits = asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.send(OK + head)
        await waits.wait()
        await exchange.send(body + b"5\r\nmore!\r\n")
        await exchange.gone()

    async with (
        FakeUpstream(answer) as provider,
        connect() as upstream,
        await upstream.send(request_to(provider.url)) as response,
    ):
        coming = asyncio.ensure_future(_join(response) if is_streamed else response.read())
        await asyncio.sleep(0)
        waits.set()
        assert await coming == b"body"


async def _join(response: UpstreamResponse) -> bytes:
    return b"".join([chunk async for chunk in chunks_of(response)])


async def test_what_comes_while_nothing_was_asked_ends_the_connection() -> None:
    told, left = asyncio.Event(), asyncio.Event()

    async def answer_and_go_on(exchange: UpstreamExchange) -> None:
        await exchange.answer(COMPLETION)
        await told.wait()
        await exchange.send(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await exchange.gone()
        left.set()

    async with FakeUpstream(answer_and_go_on, COMPLETE) as provider, connect() as upstream:
        await ask(upstream, provider.url)
        told.set()
        await left.wait()
        assert await ask(upstream, provider.url) == (200, COMPLETION)
    assert provider.connections == 2


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_that_has_no_body_by_its_status_has_none(status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\n".encode()
    async with FakeUpstream(send(answer)) as provider, connect() as upstream:
        assert [await ask(upstream, provider.url) for _ in range(2)] == [(int(status[:3]), b"")] * 2
    assert provider.connections == 1


BAD = {
    "two lengths": b"content-length: 4\r\ncontent-length: 4\r\n\r\nbody",
    "two lengths in one": b"content-length: 4, 4\r\n\r\nbody",
    "a signed length": b"content-length: +4\r\n\r\nbody",
    "a length that is none": b"content-length: four\r\n\r\nbody",
    "an endless length": b"content-length: 99999999999999999999\r\n\r\nbody",
    "a length and chunks": b"content-length: 4\r\n" + CHUNKED,
    "chunks and a length": b"transfer-encoding: chunked\r\n" + SIZED,
    "another encoding": CHUNKED.replace(b"chunked", b"gzip"),
    "another encoding below": CHUNKED.replace(b"chunked", b"gzip, chunked"),
    "another encoding above": CHUNKED.replace(b"chunked", b"chunked, gzip"),
    "two encodings": b"transfer-encoding: chunked\r\n" + CHUNKED,
    "a hidden encoding": CHUNKED.replace(b"chunked", b"xchunked"),
    "a folded header": b"x: y\r\n z\r\n" + SIZED,
    "a space before the colon": b"content-length : 4\r\n\r\nbody",
    "a header without a colon": b"header\r\n" + SIZED,
    "a header without a name": b": x\r\n" + SIZED,
    "a bare line feed": b"x: y\n" + SIZED,
    "a bare carriage return": b"x: y\rz\r\n" + SIZED,
    "a NUL": b"x: \0\r\n" + SIZED,
    "a length among the trailers": CHUNKED[:-2] + b"content-length: 9\r\n\r\n",
    "a chunk size with a sign": CHUNKED.replace(b"4\r\n", b"+4\r\n"),
    "a chunk size with 0x": CHUNKED.replace(b"4\r\n", b"0x4\r\n"),
    "a chunk size and a space": CHUNKED.replace(b"4\r\n", b"4 \r\n"),
    "a chunk line with a bare line feed": CHUNKED.replace(b"4\r\n", b"4\n"),
    "a chunk longer than it said": CHUNKED.replace(b"body", b"bodyandmore"),
}
BAD = {name: OK + answer for name, answer in BAD.items()} | {
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED,
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n" + SIZED,
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n" + SIZED,
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n" + SIZED,
    "another protocol of that form": b"RTSP/1.0 200 OK\r\n" + SIZED,
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "another protocol's offer": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n" + SIZED,
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n" + SIZED,
    "nothing but line feeds": b"HTTP/1.1 200 OK\ncontent-length: 4\n\nbody",
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
async def test_an_answer_that_could_be_read_in_two_ways_is_refused(answer: bytes) -> None:
    async with FakeUpstream(send(answer)) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError, match=rf"^{provider.url} gave an answer that is not HTTP"):
            await read_stream(upstream, provider.url)


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n"], ids=["final", "interim"])
async def test_a_head_without_an_end_is_refused(before: bytes) -> None:
    async def go_on(exchange: UpstreamExchange) -> None:
        await exchange.send(before or OK)
        while True:
            await exchange.send(b"x-filler: %b\r\n" % (b"x" * 1000))

    async with FakeUpstream(go_on) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError, match="65536 bytes of headers"):
            await ask(upstream, provider.url)


async def test_trailers_without_an_end_are_refused() -> None:
    async def go_on(exchange: UpstreamExchange) -> None:
        await exchange.send(OK, CHUNKED[:-2])
        while True:
            await exchange.send(b"x-filler: %b\r\n" % (b"x" * 1000))

    async with FakeUpstream(go_on) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError, match="headers or trailers"):
            await read_stream(upstream, provider.url)


async def test_a_trailer_is_no_header() -> None:
    answer = OK + CHUNKED[:-2] + b"retry-after: 5\r\n\r\n"
    async with FakeUpstream(send(answer)) as provider, connect() as upstream:
        async with await upstream.send(request_to(provider.url)) as response:
            await response.read()
        assert "retry-after" not in response.headers


async def test_headers_are_found_in_any_case_and_the_first_of_a_name_counts() -> None:
    lines = b"Content-Type: text/x;\tq=\xe9 \r\nX-Twice: 1\r\nx-twice: 2\r\nx-empty:\r\n"
    async with FakeUpstream(send(OK, lines, SIZED)) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(request_to(provider.url)) as response:
            await response.read()
    headers = response.headers
    assert headers == {"content-type": "text/x;\tq=é", "x-twice": "1", "x-empty": "", "content-length": "4"}
    assert headers["CONTENT-type"] == headers.get("Content-Type") == "text/x;\tq=é"
    assert "X-TWICE" in headers
    assert headers.get("absent") is None


bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
cuts = st.lists(st.floats(0, 1), max_size=12)


def frame(body: Sequence[bytes], kind: str) -> bytes:
    whole = b"".join(body)
    if kind == "sized":
        return b"%bcontent-length: %d\r\n\r\n%b" % (OK, len(whole), whole)
    if kind == "until the end":
        return b"%b\r\n%b" % (OK, whole)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body)
    return b"%btransfer-encoding: chunked\r\n\r\n%b0\r\n\r\n" % (OK, chunks)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=bodies, at=cuts, kind=st.sampled_from(["sized", "chunked", "until the end"]), streamed=st.booleans())
async def test_an_answer_is_the_same_however_its_bytes_are_split(
    body: list[bytes],
    at: list[float],
    kind: str,
    streamed: bool,  # noqa: FBT001 - drawn
) -> None:
    answer = frame(body, kind)
    places = sorted({0, len(answer), *(int(place * len(answer)) for place in at)})
    pieces = [answer[start:end] for start, end in itertools.pairwise(places)]

    async def send_in_pieces(exchange: UpstreamExchange) -> None:
        for piece in pieces:
            await exchange.send(piece)
            await asyncio.sleep(0)
        if kind == "until the end":
            exchange.close()

    async with FakeUpstream(send_in_pieces) as provider, connect() as upstream:
        if streamed:
            assert await read_stream(upstream, provider.url) == b"".join(body)
        else:
            assert await ask(upstream, provider.url) == (200, b"".join(body))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=bodies,
    kept=st.floats(0, 1, exclude_max=True),
    kind=st.sampled_from(["sized", "chunked"]),
    streamed=st.booleans(),
)
async def test_an_answer_cut_anywhere_is_an_error(
    body: list[bytes],
    kept: float,
    kind: str,
    streamed: bool,  # noqa: FBT001 - drawn
) -> None:
    answer = frame(body, kind)
    async with (
        FakeUpstream(send(answer[: int(kept * len(answer))], close=True)) as provider,
        connect() as upstream,
    ):
        with pytest.raises(UpstreamError):
            await (read_stream if streamed else ask)(upstream, provider.url)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(noise=st.binary(max_size=200), after=st.sampled_from([b"", OK, OK + CHUNKED[:28]]))
async def test_noise_is_an_error_or_an_answer_and_nothing_else(noise: bytes, after: bytes) -> None:
    async with FakeUpstream(send(after, noise, close=True)) as provider, connect() as upstream:
        try:
            status, _ = await ask(upstream, provider.url, first_byte_seconds=5)
        except UpstreamError:
            return
        assert after
        assert status == 200
