"""Paths that an application serves directly, on real sockets beside ASGI."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from plano_agents import processes
from plano_agents.errors import BodyTooLargeError
from plano_agents.http.server.exchange import Exchange, Serve

HEADERS = {"content-type": "text/plain"}
POST = b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n"
CLOSE = b"Connection: close\r\n"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class App:
    """Serves ``/direct`` by a coroutine, and every other path as ASGI."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve

    def find_direct(self, path: str) -> Serve | None:
        return self.serve if path == "/direct/it" else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            await send({"type": "http.response.body", "body": b"asgi"})


@asynccontextmanager
async def connected(
    serve: Serve,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    listener = processes.bind("127.0.0.1", 0)
    async with processes.running([processes.Site(App(serve), listener)]):
        reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        try:
            yield reader, writer
        finally:
            writer.close()


async def talk(serve: Serve, request: bytes) -> bytes:
    async with connected(serve) as (reader, writer):
        writer.write(request)
        return await reader.read(-1)


async def echo(exchange: Exchange) -> None:
    exchange.answer(200, HEADERS, b"direct " + await exchange.read_body(100_000))


async def stream(exchange: Exchange) -> None:
    exchange.begin(200, HEADERS)
    exchange.write(b"one")
    exchange.write(b"two")
    exchange.end()


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (b"/direct/it", b"direct abc"),
        (b"/direct/it?a=b", b"direct abc"),
        (b"/direct%2Fit", b"direct abc"),
        (b"http://h/direct/it", b"direct abc"),
        (b"/direct", b"asgi"),
        (b"/direct/it/", b"asgi"),
    ],
)
async def test_a_path_is_served_directly_however_it_is_written_and_others_as_asgi(target: bytes, body: bytes) -> None:
    answer = await talk(echo, POST % (target, 3, CLOSE) + b"abc")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert answer.endswith(b"\r\n\r\n" + body)


async def test_a_body_is_read_the_same_wherever_it_is_split_and_however_it_is_framed() -> None:
    async with connected(echo) as (reader, writer):
        head = b"POST /direct/it HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        for octet in head + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n":
            writer.write(bytes([octet]))
            await writer.drain()
        assert (await reader.readuntil(b"direct abc")).startswith(b"HTTP/1.1 200 OK")


async def test_requests_on_one_connection_are_answered_in_order_direct_or_not() -> None:
    requests = [
        POST % (b"/direct/it", 1, b"") + b"1",
        POST % (b"/other", 0, b""),
        POST % (b"/direct/it", 1, CLOSE) + b"2",
    ]
    answer = await talk(echo, b"".join(requests))
    places = [answer.index(body) for body in (b"direct 1", b"asgi", b"direct 2")]
    assert places == sorted(places)


async def test_pieces_are_chunks_and_end_with_the_last_one() -> None:
    answer = await talk(stream, POST % (b"/direct/it", 0, CLOSE))
    assert answer.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_to_http_1_0_pieces_go_out_as_they_are_and_end_with_the_connection() -> None:
    """HTTP/1.0 has no chunks: RFC 9112, section 6.1."""

    async def serve(exchange: Exchange) -> None:
        exchange.begin(200, HEADERS)
        exchange.write(b"one")
        exchange.end(b"two")

    answer = await talk(serve, (POST % (b"/direct/it", 0, b"")).replace(b"HTTP/1.1", b"HTTP/1.0"))
    head, _, content = answer.partition(b"\r\n\r\n")
    assert (b"transfer-encoding" in head, b"\r\nconnection: close" in head, content) == (False, True, b"onetwo")


async def test_an_answer_that_is_left_without_its_end_breaks_the_connection() -> None:
    async def leave(exchange: Exchange) -> None:
        exchange.begin(200, HEADERS)
        exchange.write(b"one")

    answer = await talk(leave, POST % (b"/direct/it", 0, b""))
    assert answer.endswith(b"3\r\none\r\n")


async def test_a_bug_breaks_the_connection_and_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.read_body(1000)
        raise ValueError("prompt-canary")

    assert await talk(fail, POST % (b"/direct/it", 0, b"")) == b""
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ValueError" in caplog.text
    assert "prompt-canary" not in caplog.text


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb"])
async def test_a_header_that_would_break_its_line_is_not_written(value: str) -> None:
    async def split(exchange: Exchange) -> None:
        exchange.answer(200, {"x-given": value}, b"")

    assert await talk(split, POST % (b"/direct/it", 0, b"")) == b""


@pytest.mark.parametrize("framing", [b"Content-Length: 11\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nb\r\n"])
async def test_a_body_over_the_limit_is_refused_by_its_claim_or_once_it_is_there(framing: bytes) -> None:
    async def read(exchange: Exchange) -> None:
        try:
            await exchange.read_body(10, way_out="Raise this_apps_limit.")
        except BodyTooLargeError as error:
            exchange.answer(413, HEADERS, error.message.encode())

    request = b"POST /direct/it HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + framing + b"x" * 11
    answer = await talk(read, request)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b" Raise this_apps_limit.")


async def test_a_client_that_waits_for_100_gets_it_when_the_body_is_read() -> None:
    async with connected(echo) as (reader, writer):
        writer.write(POST % (b"/direct/it", 2, b"Expect: 100-continue\r\n"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert await reader.readuntil(b"direct ok")


@pytest.mark.parametrize("begun", [False, True])
async def test_a_client_that_leaves_ends_the_work_at_once(begun: bool) -> None:  # noqa: FBT001 - parametrized
    started, ended = asyncio.Event(), asyncio.Event()
    seen: list[bool] = []

    async def wait(exchange: Exchange) -> None:
        if begun:
            exchange.begin(200, HEADERS)
            exchange.write(b"one")
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(exchange.disconnected)
            ended.set()

    async with connected(wait) as (_, writer):
        writer.write(POST % (b"/direct/it", 0, b""))
        await started.wait()
        writer.close()
        await ended.wait()
    assert seen == [True]


async def test_a_client_that_leaves_within_its_body_ends_the_work() -> None:
    ended = asyncio.Event()

    async def read(exchange: Exchange) -> None:
        try:
            await exchange.read_body(1000)
        finally:
            ended.set()

    async with connected(read) as (_, writer):
        writer.write(POST % (b"/direct/it", 5, b"") + b"a")
        await writer.drain()
        writer.close()
        await ended.wait()


async def test_a_server_that_stops_cancels_what_is_not_done_in_time_and_the_client_is_still_there() -> None:
    started = asyncio.Event()
    seen: list[bool] = []

    async def wait(exchange: Exchange) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(exchange.disconnected)
            exchange.answer(503, HEADERS, b"stopping")

    listener = processes.bind("127.0.0.1", 0)
    async with processes.running([processes.Site(App(wait), listener, grace_seconds=0.01)]):
        reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        writer.write(POST % (b"/direct/it", 0, b""))
        await started.wait()
    assert (await reader.read(-1)).endswith(b"stopping")
    assert seen == [False]
    writer.close()


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    blocked, drained = asyncio.Event(), asyncio.Event()

    async def flood(exchange: Exchange) -> None:
        exchange.begin(200, HEADERS)
        exchange.write(b"x")
        while not exchange.is_paused:
            exchange.write(b"x" * 65_536)
            await asyncio.sleep(0)
        blocked.set()
        await exchange.drain()
        drained.set()
        exchange.end()

    async with connected(flood) as (reader, writer):
        writer.write(POST % (b"/direct/it", 0, CLOSE))
        await blocked.wait()
        assert not drained.is_set()
        assert (await reader.read(-1)).endswith(b"0\r\n\r\n")
    assert drained.is_set()


async def test_a_head_alone_answers_a_head_request() -> None:
    answer = await talk(echo, b"HEAD /direct/it HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"content-length: 7\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
