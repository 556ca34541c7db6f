"""The HTTP connection on real sockets, under both event loops, against clients that mean harm."""

import asyncio
import json
import logging
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from plano_agents.http.server.connection import PIPELINED_BYTES
from plano_agents.http.server.limits import HttpLimits
from plano_agents.http.server.server import Server
from plano_agents.http.server.server_state import Member, ServerState
from tests.patience import PATIENCE_SECONDS

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
PATIENT = HttpLimits(header_seconds=30, body_seconds=30, send_seconds=30, keep_alive_seconds=30, max_header_bytes=2000)
HASTY = HttpLimits(header_seconds=0.3, body_seconds=0.3, send_seconds=0.3, keep_alive_seconds=0.3)
CALM = HttpLimits(header_seconds=1, body_seconds=1, send_seconds=1, keep_alive_seconds=1)
"""For who is slow and served all the same, on a busy machine too."""
GET = b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /%b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
SMUGGLED = GET % b"smuggled"
STEP = 4096
"""More than a body's least rate asks for at once, in bytes."""
LARGE = 16 * 1024 * 1024
"""What no buffer on the way holds, in bytes."""


@dataclass
class EchoServer:
    """A server on its own thread that echoes bodies and notes what it was handed."""

    limits: HttpLimits
    loop_factory: Callable[[], asyncio.AbstractEventLoop]
    scopes: list[Scope] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    failures: list[object] = field(default_factory=list)
    sent_bytes: int = 0
    happened: threading.Event = field(default_factory=threading.Event)
    """Set by the application: a send blocked, or the client left."""
    lost: threading.Event = field(default_factory=threading.Event)
    """Set when a connection has ended."""
    may_go_on: threading.Event = field(default_factory=threading.Event)
    """Waited for by the application on ``/wait`` and below ``/late``."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.scopes.append(scope)
        path = scope["path"]
        if path.startswith("/late"):
            await asyncio.to_thread(self.may_go_on.wait, PATIENCE_SECONDS)
        if path == "/stream":
            await self.stream(send)
            return
        if path.startswith("/large"):
            await self.send_large(send)
            if path == "/large/stream":
                self.ends.append([(await receive())["type"] for _ in range(2)][-1])
                self.happened.set()
            else:
                await send({"type": "http.response.body", "body": b""})
            return
        if path == "/begin":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        body = b"early" if path.endswith("/early") else await self.read(receive)
        if body is None or path == "/leave":
            self.ends.append((await receive())["type"] if body is not None else "http.disconnect")
            self.happened.set()
            return
        if path == "/wait":
            await asyncio.to_thread(self.may_go_on.wait, PATIENCE_SECONDS)
        answer = scope["raw_path"] + b" " + body
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        if path == "/late/early":
            self.happened.set()

    async def read(self, receive: Receive) -> bytes | None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += bytes(message["body"])
            if not message["more_body"]:
                return body
        return None

    async def stream(self, send: Send) -> None:
        """Send until a send blocks for longer than the client would be slow."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with suppress(TimeoutError):
            while True:
                piece = {"type": "http.response.body", "body": b"x" * 65_536, "more_body": True}
                await asyncio.wait_for(send(piece), 0.5)
                self.sent_bytes += 65_536
        self.happened.set()

    async def send_large(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * LARGE, "more_body": True})

    @contextmanager
    def running(self) -> Iterator[Self]:
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        lost, stop = self.lost, asyncio.Event()

        class Noting(ServerState):
            def leave(self, member: Member) -> None:
                super().leave(member)
                lost.set()

        async def serve() -> None:
            server = Server(self.app, Noting(self.limits))
            await server.start(listener)
            await stop.wait()
            await server.stop(1)

        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(lambda _, context: self.failures.append(context))
            thread = threading.Thread(target=runner.run, args=[serve()])
            thread.start()
            try:
                yield self
            finally:
                self.may_go_on.set()
                loop.call_soon_threadsafe(stop.set)
                thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
        assert self.failures == []

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.address, timeout=PATIENCE_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield connection

    def ask(self, data: bytes) -> bytes:
        """Send, and read until the server closes."""
        with self.connected() as connection:
            connection.sendall(data)
            return read_all(connection)

    def ask_byte_by_byte(self, data: bytes) -> bytes:
        with self.connected() as connection:
            with suppress(OSError):  # refused before the end
                for octet in data:
                    connection.send(bytes([octet]))
            return read_all(connection)

    def forget(self) -> Self:
        """Forget what was noted, once all that was begun has been."""
        self.lost.clear()
        with self.connected() as connection:
            connection.sendall(GET % b"")
            read_until(connection, b"/ ")
        assert self.lost.wait(PATIENCE_SECONDS)
        self.lost.clear()
        self.scopes.clear()
        self.ends.clear()
        self.happened.clear()
        self.may_go_on.clear()
        self.sent_bytes = 0
        return self

    @property
    def paths(self) -> list[str]:
        return [scope["path"] for scope in self.scopes]


@pytest.fixture(params=LOOPS, scope="module")
def patient(request: pytest.FixtureRequest) -> Iterator[EchoServer]:
    """A server that never loses patience."""
    with EchoServer(PATIENT, LOOPS[request.param]).running() as server:
        yield server


@pytest.fixture(params=LOOPS, scope="module")
def impatient(request: pytest.FixtureRequest) -> Iterator[EchoServer]:
    """A server that soon loses patience."""
    with EchoServer(HASTY, LOOPS[request.param]).running() as server:
        yield server


@pytest.fixture(params=LOOPS)
def calm(request: pytest.FixtureRequest) -> Iterator[EchoServer]:
    """A server that loses patience, and not soon."""
    with EchoServer(CALM, LOOPS[request.param]).running() as server:
        yield server


@pytest.fixture
def echo(patient: EchoServer) -> EchoServer:
    """The patient server, with nothing noted."""
    return patient.forget()


@pytest.fixture
def hasty(impatient: EchoServer) -> EchoServer:
    """The impatient server, with nothing noted."""
    return impatient.forget()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a strict client reads it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> object:
        """The error's code, in OpenAI's form."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error["code"]


def parse(data: bytes) -> list[Answer]:
    """Parse whole answers of known length, and nothing else."""
    answers = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("ascii").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        assert len(rest) >= length
        answers.append(Answer(int(status), headers, rest[:length]))
        data = rest[length:]
    return answers


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes; fails when it does not."""
    data = b""
    while piece := connection.recv(65_536):
        data += piece
    return data


def read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = connection.recv(1)
        assert piece, data
        data += piece
    return data


def is_readable(connection: socket.socket, seconds: float) -> bool:
    return bool(select.select([connection], [], [], seconds)[0])


def drip(connection: socket.socket, data: bytes, seconds: float = 0.02) -> bytes:
    """Send the same bytes at intervals until the server answers, and read that."""
    while not is_readable(connection, seconds):
        connection.sendall(data)
    return read_all(connection)


def head(*lines: str, first: str = "POST / HTTP/1.1", host: str = "Host: h") -> bytes:
    return "\r\n".join([first, *([host] if host else []), *lines, "", ""]).encode("latin-1")


REFUSED = {
    "length and chunks": head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunks and length": head("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
    "two equal lengths": head("Content-Length: 0", "Content-Length: 0"),
    "two lengths": head("Content-Length: 0", "Content-Length: 9"),
    "a list of lengths": head("Content-Length: 0, 0"),
    "negative length": head("Content-Length: -1"),
    "length with a plus": head("Content-Length: +1"),
    "length in hexadecimal": head("Content-Length: 0x1"),
    "length with a space": head("Content-Length: 1 1"),
    "length with an underscore": head("Content-Length: 1_0"),
    "no length in the header": head("Content-Length:"),
    "length in other digits": head("Content-Length: \u00b2"),
    "length too long": head("Content-Length: 9999999999999999999"),
    "gzip, chunked": head("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "chunked twice": head("Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "two encodings": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "xchunked": head("Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "identity": head("Transfer-Encoding: identity"),
    "no encoding in the header": head("Transfer-Encoding:"),
    "chunked with a vertical tab": head("Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "chunks in HTTP/1.0": head("Transfer-Encoding: chunked", first="POST / HTTP/1.0") + b"0\r\n\r\n",
    "no host": head(host=""),
    "two hosts": head("Host: h"),
    "two hosts in HTTP/1.0": head("Host: h", first="GET / HTTP/1.0"),
    "empty host": head(host="Host:"),
    "host with a path": head(host="Host: h/x"),
    "host with a user": head(host="Host: u@h"),
    "list of hosts": head(host="Host: a,b"),
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: h\r\n\r\n",
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: h\r\n\n",
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: h\n\n",
    "bare CR after a header": b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
    "CR in a value": head("X: a\rb"),
    "NUL in a value": head("X: a\x00b"),
    "space before the colon": head("Content-Length : 5"),
    "tab before the colon": head("Content-Length\t: 5"),
    "folded line": head("X: a", " b"),
    "folded line by a tab": head("X: a", "\tTransfer-Encoding: chunked"),
    "folded first line": b"GET / HTTP/1.1\r\n Host: h\r\nHost: h\r\n\r\n",
    "header without a colon": head("X"),
    "header without a name": head(": x"),
    "parenthesis in a name": head("X(: y"),
    "umlaut in a name": head("X\u00e4: y"),
    "NUL in a name": head("X\x00: y"),
    "lower-case method": head(first="get / HTTP/1.1"),
    "junk": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": head(first="GET /"),
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": head(first="GET / HTTP/1.2"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower-case version": head(first="GET / http/1.1"),
    "two spaces": head(first="GET  / HTTP/1.1"),
    "tab for a space": head(first="GET\t/ HTTP/1.1"),
    "space in the target": head(first="GET /a b HTTP/1.1"),
    "fragment": head(first="GET /a#b HTTP/1.1"),
    "umlaut in the target": head(first="GET /\u00e4 HTTP/1.1"),
    "relative target": head(first="GET a HTTP/1.1"),
    "asterisk": head(first="OPTIONS * HTTP/1.1"),
    "another host's URL": head(first="GET http://other/ HTTP/1.1"),
    "another port's URL": head(first="GET http://h:81/ HTTP/1.1"),
    "URL with a user": head(first="GET http://u@h/ HTTP/1.1"),
    "another scheme": head(first="GET ftp://h/ HTTP/1.1"),
    "authority": head(first="CONNECT h:443 HTTP/1.1"),
    "authority with another method": head(first="GET h:443 HTTP/1.1"),
    "bare LF first": b"\n" + head(),
    "bare CR first": b"\r" + head(),
    "chunk with a bare LF": CHUNKED + b"1\nx\r\n0\r\n\r\n",
    "chunk data with a bare LF": CHUNKED + b"1\r\nx\n0\r\n\r\n",
    "last chunk with a bare LF": CHUNKED + b"0\n\r\n",
    "trailers with a bare LF": CHUNKED + b"0\r\n\n",
    "chunk that is longer than it says": CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
    "chunk size with a plus": CHUNKED + b"+1\r\nx\r\n0\r\n\r\n",
    "chunk size with 0x": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "chunk size with a space": CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    "chunk size too long": CHUNKED + b"f" * 17 + b"\r\n",
    "chunk without a size": CHUNKED + b"\r\nx\r\n",
    "chunk extension with a bare CR": CHUNKED + b"1;a\rb\r\nx\r\n0\r\n\r\n",
    "chunk extension too long": CHUNKED + b"1;" + b"a" * 300 + b"\r\nx\r\n0\r\n\r\n",
    "trailer with a space before the colon": CHUNKED + b"0\r\nX : y\r\n\r\n",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_request_with_two_readings_is_refused_and_nothing_behind_it_is_read(echo: EchoServer, data: bytes) -> None:
    (answer,) = parse(echo.ask(data + SMUGGLED))
    assert (answer.status, answer.code, answer.headers["connection"]) == (400, "malformed_request", "close")
    assert "/smuggled" not in echo.paths


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_request_with_two_readings_is_refused_byte_by_byte_too(echo: EchoServer, data: bytes) -> None:
    (answer,) = parse(echo.ask_byte_by_byte(data + SMUGGLED))
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert "/smuggled" not in echo.paths


@pytest.mark.parametrize(
    "data",
    [
        head("X: " + "y" * 2000),
        b"GET /" + b"a" * 2000,
        head(*["X: y"] * 101),
    ],
    ids=["header", "unfinished", "headers"],
)
def test_a_head_over_the_limits_is_refused_as_too_large(echo: EchoServer, data: bytes) -> None:
    (answer,) = parse(echo.ask(data + SMUGGLED))
    assert (answer.status, answer.code) == (431, "header_too_large")
    assert echo.scopes == []


def test_a_websocket_handshake_is_answered_426_and_nothing_behind_it_is_read(echo: EchoServer) -> None:
    """Codex tries a WebSocket first, and falls back to plain HTTP after a 426 alone."""
    handshake = head("Connection: Upgrade", "Upgrade: websocket", first="GET /v1/responses HTTP/1.1")
    (answer,) = parse(echo.ask(handshake + SMUGGLED))
    assert (answer.status, answer.code) == (426, "upgrade_refused")
    assert answer.headers["upgrade"] == "HTTP/1.1"
    assert echo.scopes == []


def test_a_refusal_is_logged_in_one_line_at_debug_without_what_was_sent(
    echo: EchoServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (answer,) = parse(echo.ask(b"GET /canary HTTP/1.1\r\nHost: h\r\ncanary : canary\r\n\r\n"))
    lines = [record for record in caplog.records if record.name.startswith("plano_agents")]
    assert [(line.levelname, line.getMessage()) for line in lines] == [
        ("DEBUG", "Refused a request: malformed_request")
    ]
    assert b"canary" not in answer.body


def test_a_client_that_is_still_sending_when_it_is_refused_gets_the_answer_not_a_reset(
    echo: EchoServer,
) -> None:
    with echo.connected() as connection:
        connection.sendall(head("Content-Length: x") + b"x" * 500_000)
        assert parse(read_all(connection))[0].status == 400


@pytest.mark.parametrize("beginning", [b"G", b"GET / HTTP/1.1\r\nHost: h\r\nX: ", b"\r"])
def test_a_head_that_is_never_finished_times_out(hasty: EchoServer, beginning: bytes) -> None:
    (answer,) = parse(hasty.ask(beginning))
    assert (answer.status, answer.code, answer.headers["connection"]) == (408, "request_timeout", "close")


def test_a_head_that_comes_drop_by_drop_times_out(hasty: EchoServer) -> None:
    with hasty.connected() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert parse(drip(connection, b"y"))[0].status == 408


def test_a_connection_on_which_nothing_comes_is_closed(hasty: EchoServer) -> None:
    assert hasty.ask(b"") == b""


def test_a_connection_that_is_idle_after_an_answer_is_closed(hasty: EchoServer) -> None:
    assert [answer.status for answer in parse(hasty.ask(GET % b""))] == [200]


def test_a_second_head_that_is_never_finished_times_out(hasty: EchoServer) -> None:
    assert [answer.status for answer in parse(hasty.ask(GET % b"" + b"GET"))] == [200, 408]


@pytest.mark.parametrize("data", [POST % (b"leave", 9) + b"x", CHUNKED, CHUNKED + b"5\r\nx"])
def test_a_body_that_stalls_times_out_and_the_application_is_told(hasty: EchoServer, data: bytes) -> None:
    (answer,) = parse(hasty.ask(data))
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert hasty.happened.wait(PATIENCE_SECONDS)
    assert hasty.ends == ["http.disconnect"]


@pytest.mark.parametrize("drop", [b"x", b""], ids=["body", "nothing"])
def test_a_body_that_comes_drop_by_drop_times_out(hasty: EchoServer, drop: bytes) -> None:
    with hasty.connected() as connection:
        connection.sendall(POST % (b"", STEP))
        assert parse(drip(connection, drop))[0].status == 408


def test_chunk_framing_is_no_progress(hasty: EchoServer) -> None:
    with hasty.connected() as connection:
        connection.sendall(CHUNKED)
        assert parse(drip(connection, b"1;" + b"a" * 200 + b"\r\nx\r\n", 0.05))[0].status == 408


def test_a_slow_body_that_keeps_moving_is_taken(calm: EchoServer) -> None:
    steps = 12
    with calm.connected() as connection:
        connection.sendall(POST % (b"", steps * STEP))
        for _ in range(steps):
            assert not is_readable(connection, CALM.body_seconds / 8)
            connection.sendall(b"x" * STEP)
        (answer,) = parse(read_all(connection))
    assert (answer.status, answer.body) == (200, b"/ " + b"x" * steps * STEP)


def test_a_client_is_not_too_slow_while_the_application_does_not_read(calm: EchoServer) -> None:
    body = b"x" * 1_000_000
    with calm.connected() as connection:
        connection.sendall(POST % (b"late", len(body)) + body[:200_000])
        assert not is_readable(connection, 1.5 * CALM.body_seconds)
        calm.may_go_on.set()
        connection.sendall(body[200_000:])
        (answer,) = parse(read_all(connection))
    assert answer.body == b"/late " + body


def test_a_body_that_stalls_after_its_answer_began_cuts_it(hasty: EchoServer) -> None:
    answer = hasty.ask(POST % (b"begin", 9))
    assert answer.endswith(b"begun\r\n")
    assert b"408" not in answer


def test_a_body_that_stalls_after_its_answer_is_only_closed(hasty: EchoServer) -> None:
    (answer,) = parse(hasty.ask(POST % (b"early", 9) + b"x"))
    assert answer.status == 200


def test_what_is_left_of_a_body_after_its_answer_is_not_taken_for_ever(hasty: EchoServer) -> None:
    with hasty.connected() as connection:
        connection.sendall(POST % (b"early", 10**9))
        read_until(connection, b"early early")
        with suppress(ConnectionError):
            assert drip(connection, b"x" * STEP) == b""


def test_an_application_that_answers_after_the_time_is_up_is_not_heard(
    hasty: EchoServer, caplog: pytest.LogCaptureFixture
) -> None:
    with hasty.connected() as connection:
        connection.sendall(POST % (b"late/early", 9) + b"x")
        assert [answer.status for answer in parse(read_all(connection))] == [408]
        hasty.may_go_on.set()
        assert hasty.happened.wait(PATIENCE_SECONDS)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_what_is_left_of_a_body_after_its_answer_is_discarded_and_the_next_request_served(
    echo: EchoServer,
) -> None:
    with echo.connected() as connection:
        connection.sendall(POST % (b"early", 300_000) + b"x" * 100_000)
        read_until(connection, b"early early")
        connection.sendall(b"x" * 200_000 + GET % b"next")
        read_until(connection, b"/next ")
    assert echo.paths == ["/early", "/next"]


def test_pipelined_requests_are_answered_in_order_and_the_error_comes_last(echo: EchoServer) -> None:
    data = POST % (b"1", 3) + b"abc" + GET % b"2" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + GET % b"4"
    answers = parse(echo.ask(data + head(host="") + SMUGGLED))
    assert [answer.body for answer in answers[:4]] == [b"/1 abc", b"/2 ", b"/ ok", b"/4 "]
    assert [answer.status for answer in answers[4:]] == [400]


def test_empty_lines_between_requests_are_skipped(echo: EchoServer) -> None:
    with echo.connected() as connection:
        for number in (b"1", b"2"):
            connection.sendall(GET % number + b"\r\n\r\n")
            read_until(connection, b"/%b " % number)


def test_empty_lines_keep_no_idle_connection_open(hasty: EchoServer) -> None:
    with hasty.connected() as connection, suppress(ConnectionResetError):
        assert drip(connection, b"\r\n") == b""


def test_an_error_waits_for_the_answer_before_it(echo: EchoServer) -> None:
    with echo.connected() as connection:
        connection.sendall(GET % b"wait" + head(host=""))
        assert not is_readable(connection, 0.1)
        echo.may_go_on.set()
        assert [answer.status for answer in parse(read_all(connection))] == [200, 400]


def test_requests_split_at_every_byte_are_read_the_same(echo: EchoServer) -> None:
    data = POST % (b"1", 3) + b"abc" + CHUNKED + b"2;x\r\nok\r\n0\r\nT: t\r\n\r\n"
    last = b"GET /3?q=%41 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answers = parse(echo.ask_byte_by_byte(data + last))
    assert [answer.body for answer in answers] == [b"/1 abc", b"/ ok", b"/3 "]


def test_a_flood_of_pipelined_requests_is_not_read_while_one_is_answered(echo: EchoServer) -> None:
    flood = memoryview(GET % b"x" * 200_000)
    sent = 0
    with echo.connected() as connection:
        connection.sendall(GET % b"wait")
        connection.setblocking(False)
        while sent < len(flood) and select.select([], [connection], [], 0.5)[1]:
            sent += connection.send(flood[sent:])
        assert PIPELINED_BYTES < sent < len(flood)
        assert echo.paths == ["/wait"]


def test_the_application_sees_a_request_as_asgi_has_it(echo: EchoServer) -> None:
    lines = [
        "X-One: a",
        "x-one: b ",
        "Connection: keep-alive, x-mine",
        "X-Mine: c",
        "TE: trailers",
        "Expect: x",
    ]
    echo.ask(head(*lines, first="PATCH /a%20b%2Fc?d=%20e HTTP/1.0"))
    (scope,) = echo.scopes
    # What only Connection names stays: it may be a proxy's, and a client must not take it away.
    assert scope["headers"] == [
        *((b"host", b"h"), (b"x-one", b"a"), (b"x-one", b"b"), (b"x-mine", b"c"), (b"expect", b"x"))
    ]
    seen = {key: scope[key] for key in ("method", "path", "raw_path", "query_string", "http_version", "scheme")}
    assert seen == {
        "method": "PATCH",
        "path": "/a b/c",
        "raw_path": b"/a%20b%2Fc",
        "query_string": b"d=%20e",
        "http_version": "1.0",
        "scheme": "http",
    }


def test_trailers_are_not_handed_on_as_headers(echo: EchoServer) -> None:
    with echo.connected() as connection:
        connection.sendall(CHUNKED + b"2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n")
        read_until(connection, b"/ ok")
    assert [name for name, _ in echo.scopes[0]["headers"]] == [b"host"]


def test_a_url_on_the_host_is_served_as_its_path(echo: EchoServer) -> None:
    (answer,) = parse(echo.ask(head("Connection: close", first="GET http://H/a?b HTTP/1.1")))
    assert answer.body == b"/a "


def test_an_offer_to_upgrade_is_declined_and_the_body_kept(echo: EchoServer) -> None:
    """Java's client makes this offer with every first request."""
    lines = ["Connection: Upgrade, HTTP2-Settings, close", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA"]
    (answer,) = parse(echo.ask(head(*lines, "Content-Length: 2") + b"ok"))
    assert answer.body == b"/ ok"
    assert [name for name, _ in echo.scopes[0]["headers"]] == [b"host", b"content-length"]


EXPECTING = b"POST /%b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"


def test_a_client_that_waits_for_100_gets_it_when_the_application_reads(calm: EchoServer) -> None:
    with calm.connected() as connection:
        connection.sendall(EXPECTING % b"late")
        assert not is_readable(connection, 1.5 * CALM.body_seconds)
        calm.may_go_on.set()
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert not is_readable(connection, 0.5 * CALM.body_seconds)
        connection.sendall(b"ok")
        (answer,) = parse(read_all(connection))
    assert answer.body == b"/late ok"


def test_a_client_that_waits_for_100_and_is_answered_instead_has_its_connection_closed(
    echo: EchoServer,
) -> None:
    """It may send the body or not: what comes next would have two readings."""
    (answer,) = parse(echo.ask(EXPECTING % b"early"))
    assert answer.body == b"/early early"


def test_a_client_that_does_not_wait_for_100_gets_none(echo: EchoServer) -> None:
    with echo.connected() as connection:
        connection.sendall(EXPECTING % b"" + b"ok")
        assert read_until(connection, b"/ ok").startswith(b"HTTP/1.1 200")


def test_a_client_that_stops_reading_blocks_the_applications_send(echo: EchoServer) -> None:
    with echo.connected() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall(GET % b"stream")
        assert echo.happened.wait(PATIENCE_SECONDS)
    assert echo.sent_bytes < 16 * 1024 * 1024


def test_a_client_that_takes_nothing_of_its_answer_is_cut_off_and_the_application_is_told(
    hasty: EchoServer,
) -> None:
    with hasty.connected() as connection:
        connection.sendall(GET % b"large/stream")
        assert hasty.happened.wait(PATIENCE_SECONDS)
        assert hasty.ends == ["http.disconnect"]
        assert hasty.lost.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_a_client_that_takes_nothing_of_its_whole_answer_is_cut_off(hasty: EchoServer, header: bytes) -> None:
    with hasty.connected() as connection:
        connection.sendall((GET % b"large")[:-2] + header + b"\r\n")
        assert hasty.lost.wait(PATIENCE_SECONDS)


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(calm: EchoServer) -> None:
    with calm.connected() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall((GET % b"large")[:-2] + b"Connection: close\r\n\r\n")
        size = 0
        for _ in range(6):
            assert not calm.lost.wait(CALM.send_seconds / 4)
            size += len(connection.recv(LARGE // 64, socket.MSG_WAITALL))
        size += len(read_all(connection))
    assert size > LARGE


def test_a_client_that_leaves_is_reported(echo: EchoServer) -> None:
    with echo.connected() as connection:
        connection.sendall(GET % b"leave")
    assert echo.happened.wait(PATIENCE_SECONDS)
    assert echo.ends == ["http.disconnect"]


def test_a_server_that_stops_closes_idle_connections() -> None:
    with EchoServer(PATIENT, uvloop.new_event_loop).running() as server:
        idle = socket.create_connection(server.address, timeout=PATIENCE_SECONDS)
        idle.sendall(GET % b"")
        read_until(idle, b"/ ")
    with idle:
        assert idle.recv(1) == b""


FRAGMENTS = [
    *REFUSED.values(),
    GET % b"",
    POST % (b"", 3),
    POST % (b"early", 3),
    EXPECTING % b"",
    EXPECTING % b"early",
    CHUNKED,
    b"abc",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\x00",
]
ENDLESS = HttpLimits(header_seconds=0.03, body_seconds=0.03, send_seconds=0.03, keep_alive_seconds=0.03)


@pytest.fixture(params=LOOPS, scope="module")
def fuzzed(request: pytest.FixtureRequest) -> Iterator[EchoServer]:
    with EchoServer(ENDLESS, LOOPS[request.param]).running() as server:
        yield server


@settings(max_examples=60)
@given(data=st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=20), max_size=6))
def test_any_bytes_get_whole_answers_and_a_closed_connection(fuzzed: EchoServer, data: list[bytes]) -> None:
    with fuzzed.connected() as connection:
        with suppress(OSError):
            for piece in data:
                connection.sendall(piece)
        answers = read_all(connection).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert {answer.status for answer in parse(answers)} <= {200, 400, 408, 431}
    assert fuzzed.failures == []
