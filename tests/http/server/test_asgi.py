"""Any ASGI application behind the bridge: its messages, its mistakes, its end."""

import asyncio
import json
import logging

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_agents.http.server.connection import PIPELINED_BYTES
from plano_agents.http.server.exchange import HELD_BYTES
from tests.http.server.scripted_connection import (
    Client,
    Server,
    answer_asgi,
    build_head,
    clocked,
    read_asgi,
    settle,
)

GET = b"%b / HTTP/%b\r\nHost: h\r\n\r\n"
Headers = list[tuple[bytes, bytes]]


def start(status: int = 200, headers: Headers | None = None) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers or []}


def body(piece: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def build_app(*messages: Message) -> ASGIApp:
    """An application that sends these and returns."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def ask(app: ASGIApp, method: bytes = b"GET", version: bytes = b"1.1") -> Client:
    client = Server(asgi=app).connect()
    client.send(GET % (method, version))
    await settle()
    return client


def split(client: Client) -> tuple[bytes, bytes]:
    head, _, content = bytes(client.unread).partition(b"\r\n\r\n")
    return head, content


@clocked
async def test_an_answer_without_a_length_is_sent_in_chunks() -> None:
    head, content = split(await ask(build_app(start(), body(b"one", more=True), body(b"two"))))
    assert b"\r\ntransfer-encoding: chunked" in head
    assert content == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@clocked
async def test_a_client_of_http_1_0_gets_no_chunks_and_the_answers_end_by_the_connections() -> None:
    client = await ask(build_app(start(), body(b"one", more=True), body(b"two")), version=b"1.0")
    head, content = split(client)
    assert (b"chunked" in head, content, client.is_over) == (False, b"onetwo", True)


@clocked
async def test_of_an_answer_to_head_only_the_head_is_sent() -> None:
    client = await ask(build_app(start(200, [(b"content-length", b"3")]), body(b"one")), b"HEAD")
    head, content = split(client)
    assert head.endswith(b"content-length: 3")
    assert (content, client.is_over) == (b"", False)


@pytest.mark.parametrize("status", [204, 304])
@clocked
async def test_a_status_without_a_body_says_nothing_of_one(status: int) -> None:
    head, content = split(await ask(build_app(start(status), body())))
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length" not in head
    assert b"transfer-encoding" not in head
    assert content == b""


@clocked
async def test_headers_that_repeat_are_all_sent() -> None:
    cookies = [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")]
    head, _ = split(await ask(build_app(start(200, cookies), body())))
    assert b"\r\nset-cookie: a=1\r\nset-cookie: b=2" in head


@clocked
async def test_an_application_may_end_the_connection_with_its_answer() -> None:
    client = await ask(build_app(start(200, [(b"connection", b"close")]), body()))
    assert split(client)[0].count(b"connection: close") == 1
    assert client.is_over


@pytest.mark.parametrize("header", [(b"x", b"a\r\nb: c"), (b"x y", b"a"), (b"x", b"a\nb")])
@clocked
async def test_a_header_that_would_break_its_line_is_answered_500_and_not_written(
    header: tuple[bytes, bytes],
) -> None:
    head, _ = split(await ask(build_app(start(200, [header]), body())))
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"x" not in head.partition(b"date")[0]


@pytest.mark.parametrize("lengths", [[b"1", b"2"], [b"1", b"1"], [b"+1"], [b"-1"], [b"1_0"], [b"1, 1"]], ids=str)
@clocked
async def test_a_length_that_two_readers_could_read_differently_is_answered_500(lengths: list[bytes]) -> None:
    headers = [(b"content-length", length) for length in lengths]
    head, _ = split(await ask(build_app(start(200, headers), body(b"1"))))
    assert head.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize("status", [100, 101, 103])
@clocked
async def test_a_status_that_is_no_answers_is_answered_500(status: int) -> None:
    head, _ = split(await ask(build_app(start(status), body())))
    assert head.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], b"content-length: 1"),
        ([(b"transfer-encoding", b"gzip")], b"transfer-encoding: chunked"),
    ],
)
@clocked
async def test_the_server_frames_an_answer_whatever_its_application_says_of_that(
    headers: Headers, framing: bytes
) -> None:
    head, content = split(await ask(build_app(start(200, headers), body(b"1"))))
    assert [line for line in head.split(b"\r\n") if line.startswith((b"content-l", b"transfer"))] == [framing]
    assert content == (b"1" if framing.startswith(b"content") else b"1\r\n1\r\n0\r\n\r\n")


@pytest.mark.parametrize("pieces", [[b"12"], [b"1234"], [b"12", b""]], ids=["short", "long", "in pieces"])
@clocked
async def test_a_body_of_another_length_than_was_said_breaks_the_connection(pieces: list[bytes]) -> None:
    messages = [body(piece, more=True) for piece in pieces[:-1]] + [body(pieces[-1])]
    client = await ask(build_app(start(200, [(b"content-length", b"3")]), *messages))
    assert len(split(client)[1]) < 3
    assert client.is_over


@clocked
async def test_an_application_that_fails_is_answered_500_and_told_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("canary")

    client = await ask(fail)
    assert client.is_over
    status, headers, content = client.take_answer()
    assert (status, headers["connection"]) == (500, "close")
    assert b"canary" not in content
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Serving GET: unexpected ValueError at ")
    assert "canary" not in line


@clocked
async def test_what_is_raised_after_the_whole_answer_is_not_told_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Starlette raises an exception on that a handler has answered and logged."""

    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer_asgi(send, b"told")
        raise ValueError

    assert (await ask(fail)).take_answer()[2] == b"told"
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


@clocked
async def test_an_application_that_returns_without_an_answer_is_answered_500() -> None:
    assert (await ask(build_app())).take_answer()[0] == 500


@pytest.mark.parametrize(
    ("messages", "beginning"),
    [
        ([body(b"x")], b"HTTP/1.1 500 "),
        ([start(), start()], b"HTTP/1.1 200 "),
        ([start(), body(), body()], b"HTTP/1.1 200 "),
    ],
    ids=["body first", "two starts", "after the end"],
)
@clocked
async def test_messages_out_of_turn_fail_in_the_application(messages: list[Message], beginning: bytes) -> None:
    raised: list[Exception] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await build_app(*messages)(scope, receive, send)
        except RuntimeError as error:
            raised.append(error)
            raise

    assert split(await ask(app))[0].startswith(beginning)
    assert "out of turn" in str(raised[0])


@clocked
async def test_an_answer_that_is_left_without_its_end_breaks_the_connection() -> None:
    client = await ask(build_app(start(), body(b"one", more=True)))
    assert split(client)[1] == b"3\r\none\r\n"
    assert client.is_over


@pytest.mark.parametrize("size", [0, 2 * HELD_BYTES])
@clocked
async def test_all_who_wait_for_the_clients_leaving_are_told(size: int) -> None:
    told: list[str] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await read_asgi(receive)

        async def wait() -> None:
            told.append((await receive())["type"])

        await asyncio.gather(wait(), wait())

    client = Server(asgi=app).connect()
    client.send(build_head("/", size) + b"x" * size)
    await settle()
    assert not client.flow.read_paused  # else its leaving would go unnoticed
    client.leave()
    await settle()
    assert told == ["http.disconnect"] * 2


@clocked
async def test_who_still_waits_is_told_of_the_answers_end() -> None:
    told: list[str] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        async def wait() -> None:
            told.append((await receive())["type"])

        await receive()
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        await answer_asgi(send, b"")
        await waiting

    await ask(app)
    assert told == ["http.disconnect"]


@clocked
async def test_a_body_that_is_not_read_is_not_taken_beyond_what_is_held() -> None:
    go_on = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await answer_asgi(send, await read_asgi(receive) or b"")

    client = Server(asgi=app).connect()
    client.send(build_head("/", 2 * HELD_BYTES) + b"x" * (HELD_BYTES + 1))
    assert client.flow.read_paused
    go_on.set()
    await settle()
    assert not client.flow.read_paused


def cancel(server: Server) -> None:
    for task in server.server_state.tasks:
        task.cancel()


@pytest.mark.parametrize(("messages", "status"), [([], 503), ([start(201)], 201)], ids=["before", "within"])
@clocked
async def test_a_server_that_stops_answers_503_where_no_answer_has_begun(messages: list[Message], status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await build_app(*messages)(scope, receive, send)
        await asyncio.Event().wait()

    server = Server(asgi=app)
    client = server.connect()
    client.send(GET % (b"GET", b"1.1"))
    await settle()
    cancel(server)
    await settle()
    assert client.is_over
    answered, _, content = client.take_answer()
    assert answered == status
    assert not content or json.loads(content)["error"]["code"] == "shutting_down"


@clocked
async def test_a_request_sees_what_the_lifespan_left_and_not_what_other_requests_do() -> None:
    seen: list[dict[str, object]] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(dict(scope["state"]))
        scope["state"]["mine"] = True
        await answer_asgi(send, b"")

    server = Server(asgi=app)
    server.handlers.bridge.state["pool"] = "there"
    client = server.connect()
    client.send(2 * (GET % (b"GET", b"1.1")))
    await settle()
    assert seen == 2 * [{"pool": "there"}]


@clocked
async def test_a_flood_behind_a_request_is_not_read_however_often_its_application_looks_for_its_client() -> None:
    look = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await read_asgi(receive)
        await look.wait()
        for _ in range(3):
            looking = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            looking.cancel()

    client = Server(asgi=app).connect()
    client.send(build_head("/", 0) + b"x" * (PIPELINED_BYTES + 1))
    look.set()
    await settle()
    assert client.flow.read_paused
