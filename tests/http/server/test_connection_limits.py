"""Limits on all connections' buffers and on their clients' slowness, by a clock that tests move."""

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from starlette.types import Receive, Scope, Send

from plano_agents.errors import PlanoError
from plano_agents.http.server.budget import SMALL_BYTES, BufferBudget
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.limits import HttpLimits
from tests.http.server.scripted_connection import (
    HIGH_WATER,
    Client,
    ClockLoop,
    Server,
    answer_asgi,
    build_head,
    clocked,
    pass_time,
    read_asgi,
    settle,
)

LIMIT = 1_000_000
LARGE = 400_000
RATE = HttpLimits().min_bytes_per_second


async def echo(exchange: Exchange) -> None:
    """Answer with the body, and with an error in a form of its own."""
    try:
        exchange.answer(200, {}, await exchange.read_body(10 * LIMIT))
    except PlanoError as error:
        retry = {} if error.retry_after_seconds is None else {"retry-after": str(error.retry_after_seconds)}
        exchange.answer(error.status_code, retry, f"own form: {error.code}".encode())


async def echo_asgi(_scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_asgi(receive)
    if body is not None:
        await answer_asgi(send, body)


def build_server() -> Server:
    return Server(echo, echo_asgi, budget=BufferBudget(LIMIT))


async def begin(server: Server, path: str = "/direct", size: int = LARGE) -> Client:
    """Send all of a body but its last byte."""
    client = server.connect()
    client.send(build_head(path, size))
    client.send(b"x" * (size - 1))
    await settle()
    return client


@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_unfinished_bodies_beyond_the_budget_are_refused_and_the_others_served(path: str) -> None:
    server = build_server()
    clients = [await begin(server, path) for _ in range(4)]
    assert server.budget.held == 2 * (LARGE - 1)
    for refused in clients[2:]:
        status, headers, _ = refused.take_answer()
        assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
    for served in clients[:2]:
        served.send(b"x")
        await settle()
        assert served.take_answer()[2] == b"x" * LARGE
    assert server.budget.held == 0


@clocked
async def test_an_application_that_is_served_directly_writes_the_refusal_itself() -> None:
    server = build_server()
    body = [await begin(server) for _ in range(3)][-1].take_answer()[2]
    assert (body, server.refused) == (b"own form: overloaded", [])


@clocked
async def test_of_an_asgi_application_the_connection_writes_the_refusal_and_counts_it() -> None:
    server = build_server()
    body = [await begin(server, "/asgi") for _ in range(3)][-1].take_answer()[2]
    assert json.loads(body)["error"]["code"] == "overloaded"
    assert server.refused == ["overloaded"]


@clocked
async def test_what_a_refused_client_still_sends_is_dropped_for_a_moment_and_then_its_connection_closed() -> None:
    server = build_server()
    refused = [await begin(server) for _ in range(3)][-1]
    refused.send(b"x" * LARGE)
    assert not refused.is_lost
    refused.take_answer()
    await pass_time(1.1)
    assert refused.is_lost
    assert server.budget.held == 2 * (LARGE - 1)


@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_a_small_body_is_served_however_much_is_buffered_for_others(path: str) -> None:
    server = build_server()
    server.budget.held = LIMIT
    client = await begin(server, path, SMALL_BYTES)
    client.reads = True
    client.send(b"x")
    await settle()
    assert client.take_answer()[0] == 200


@clocked
async def test_a_whole_answer_that_its_client_may_not_take_is_refused_where_there_is_no_room() -> None:
    server = build_server()
    for _ in range(3):
        client = await begin(server)
        client.send(b"x")
        await settle()
    kept, _, refused = server.clients
    assert server.budget.held > 2 * LARGE
    assert refused.take_answer()[::2] == (503, b"own form: overloaded")
    assert kept.take_answer()[::2] == (200, b"x" * LARGE)
    assert LARGE < server.budget.held < 2 * LARGE


async def write_piece(exchange: Exchange) -> None:
    exchange.begin(200, {})
    exchange.write(b"x" * LARGE)
    await exchange.drain()
    exchange.end()


async def send_large(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answer_asgi(send, b"x" * LARGE)


@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_an_answer_that_cannot_be_taken_back_is_cut_where_it_is_not_read_and_there_is_no_room(
    path: str,
) -> None:
    server = Server(write_piece, send_large, budget=BufferBudget(LIMIT))
    for _ in range(3):
        server.connect().send(build_head(path, 0))
        await settle()
    assert [client.is_lost for client in server.clients] == [False, False, True]
    assert server.refused == ["overloaded"]
    assert LARGE < server.budget.held < LIMIT


@clocked
async def test_an_answer_that_waits_counts_whole_until_all_of_it_is_taken() -> None:
    server = Server(write_piece, budget=BufferBudget(LIMIT))
    client = server.connect()
    client.send(build_head("/direct", 0))
    await settle()
    held = server.budget.held
    client.take(LARGE // 2)
    assert server.budget.held == held > LARGE
    client.take(LARGE)
    assert server.budget.held == 0


@pytest.mark.parametrize(("rate", "status"), [(RATE - 100, 408), (RATE + 100, 200)])
@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_a_body_has_to_come_at_the_least_rate(path: str, rate: int, status: int) -> None:
    server = build_server()
    client = server.connect()
    client.reads = True
    client.send(build_head(path, 100 * rate))
    for _ in range(100):
        client.send(b"x" * rate)
        await pass_time(1)
    assert client.take_answer()[0] == status


@pytest.mark.parametrize(("rate", "whole"), [(RATE - 100, False), (RATE + 100, True)])
@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_an_answer_has_to_be_taken_at_the_least_rate(path: str, rate: int, whole: bool) -> None:  # noqa: FBT001 - parametrized
    server = Server(write_piece, send_large)
    client = server.connect()
    client.send(build_head(path, 0))
    await settle()
    for _ in range(LARGE // rate + 2):
        client.take(rate)
        await pass_time(1)
    assert (len(client.taken) > LARGE) == whole


@clocked
async def test_what_waits_may_pause_for_a_while_before_its_rate_is_judged() -> None:
    server = Server(write_piece)
    client = server.connect()
    client.send(build_head("/direct", 0))
    await pass_time(59)
    client.take(60 * RATE)
    await pass_time(2)
    assert not client.is_lost


@pytest.mark.parametrize("beginning", [b"", b"5\r\n"])
@clocked
async def test_a_body_that_is_malformed_is_refused_in_the_applications_form(beginning: bytes) -> None:
    server = build_server()
    client = server.connect()
    client.send(build_head("/direct", None) + beginning)
    await settle()
    client.send(b"12345junk\r\n")
    await settle()
    assert client.take_answer()[::2] == (400, b"own form: malformed_request")


@clocked
async def test_a_body_that_is_malformed_before_the_application_reads_is_refused_in_its_form() -> None:
    server = build_server()
    client = server.connect()
    client.send(build_head("/direct", None) + b"junk\r\n")
    await settle()
    assert client.take_answer()[::2] == (400, b"own form: malformed_request")


@clocked
async def test_a_refused_application_that_does_not_answer_holds_no_connection() -> None:
    async def sleep(_exchange: Exchange) -> None:
        await asyncio.Event().wait()

    server = Server(sleep)
    client = server.connect()
    client.send(build_head("/direct", None) + b"junk\r\n")
    await pass_time(1.1)
    assert client.is_lost


async def serve_as_told(exchange: Exchange) -> None:
    """Do as the path says, to a body that may not be read, or that is refused."""
    how = exchange.head.target.rpartition("/")[2]
    try:
        body = b"x" * LARGE if how == "early" else await exchange.read_body(10 * LIMIT)
        await exchange.drain()
        if how == "wait":
            await asyncio.Event().wait()
        if how == "break":
            exchange.begin(200, {})
            exchange.write(b"x" * LARGE)
        else:
            exchange.answer(200, {}, body)
    except PlanoError as error:
        exchange.answer(error.status_code, {}, error.code.encode())


async def serve_asgi_as_told(scope: Scope, receive: Receive, send: Send) -> None:
    how = scope["path"].rpartition("/")[2]
    if how == "early":
        await answer_asgi(send, b"x" * LARGE)
        return
    body = await read_asgi(receive)
    if how == "wait":
        await receive()
    elif how == "break":
        headers = [(b"content-length", b"%d" % (2 * LARGE))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * LARGE, "more_body": True})
    elif body is not None:
        await answer_asgi(send, body)


PATHS = [f"/{kind}/{how}" for kind in ("direct", "asgi") for how in ("echo", "early", "wait", "break")]
SIZES = st.sampled_from([0, 10, SMALL_BYTES, SMALL_BYTES + 1, LARGE, LIMIT])


class Endings(RuleBasedStateMachine):
    """Requests that begin, go on and end in any way, on up to five connections."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=ClockLoop)
        self.server = Server(serve_as_told, serve_asgi_as_told, budget=BufferBudget(LIMIT))

    def run(self, act: Callable[[], object], seconds: float = 0.0) -> None:
        async def acting() -> None:
            act()
            await pass_time(seconds)

        self.runner.run(acting())

    @property
    def live(self) -> list[Client]:
        return [client for client in self.server.clients if not client.is_lost]

    def choose(self, data: st.DataObject) -> Client:
        return data.draw(st.sampled_from(self.live))

    @precondition(lambda self: len(self.live) < 5)
    @rule(path=st.sampled_from(PATHS), size=SIZES, chunked=st.booleans())
    def begin(self, path: str, size: int, chunked: bool) -> None:  # noqa: FBT001 - drawn
        head = build_head(path, None if chunked else size)
        self.run(lambda: self.server.connect().send(head))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), size=SIZES, chunked=st.booleans())
    def send(self, data: st.DataObject, size: int, chunked: bool) -> None:  # noqa: FBT001 - drawn
        piece = b"x" * size
        client = self.choose(data)
        self.run(lambda: client.send(b"%x\r\n%b\r\n" % (size, piece) if chunked else piece))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), path=st.sampled_from(PATHS), size=SIZES)
    def ask_again(self, data: st.DataObject, path: str, size: int) -> None:
        client = self.choose(data)
        self.run(lambda: client.send(build_head(path, size) + b"x" * size))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), size=SIZES)
    def take(self, data: st.DataObject, size: int) -> None:
        client = self.choose(data)
        self.run(lambda: client.take(size))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.run(self.choose(data).leave)

    @rule(seconds=st.sampled_from([0.5, 1.5, 16, 61]))
    def wait(self, seconds: float) -> None:
        self.run(lambda: None, seconds)

    @invariant()
    def what_is_held_is_what_the_connections_hold(self) -> None:
        flows = [client.flow for client in self.server.clients]
        assert self.server.budget.held == sum(flow.body.size + flow.answer.size for flow in flows)

    @invariant()
    def bodies_keep_within_the_limit(self) -> None:
        assert sum(client.flow.body.size for client in self.server.clients) <= LIMIT

    @invariant()
    def an_answer_counts_as_long_as_it_waits(self) -> None:
        for client in self.live:
            small = 2 * HIGH_WATER  # what may wait uncounted, and an error that joins what waits
            assert client.flow.answer.size >= len(client.unread) - small

    def teardown(self) -> None:
        for client in self.live:
            self.run(client.leave)
        assert self.server.budget.held == 0
        self.runner.close()


Endings.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_every_byte_is_given_back_however_requests_end = Endings.TestCase


async def swallow(exchange: Exchange) -> None:
    await exchange.read_body(10 * LIMIT)
    exchange.answer(200, {}, b"")


async def swallow_asgi(_scope: Scope, receive: Receive, send: Send) -> None:
    await read_asgi(receive)
    await answer_asgi(send, b"")


@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_a_body_is_given_back_with_its_answer_although_the_connection_stays(path: str) -> None:
    server = Server(swallow, swallow_asgi, budget=BufferBudget(LIMIT))
    client = await begin(server, path)
    assert server.budget.held == LARGE - 1
    client.send(b"x")
    await settle()
    assert (server.budget.held, client.is_lost) == (0, False)


@pytest.mark.parametrize("path", ["/direct", "/asgi"])
@clocked
async def test_what_had_come_of_a_body_that_is_refused_is_given_back_at_once(path: str) -> None:
    server = build_server()
    client = server.connect()
    client.send(build_head(path, 2 * LIMIT))
    client.send(b"x" * LARGE)
    await settle()
    assert server.budget.held == LARGE
    client.send(b"x" * LIMIT)
    assert (server.budget.held, client.is_lost) == (0, False)
