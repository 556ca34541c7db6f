"""A server's life: the application's lifespan around it, and its stop."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents import processes
from plano_agents.errors import ConfigError
from plano_agents.http.server.limits import HttpLimits
from plano_agents.http.server.server import Server
from plano_agents.http.server.server_state import ServerState
from tests.patience import PATIENCE_SECONDS

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@asynccontextmanager
async def started(app: ASGIApp, limits: HttpLimits | None = None) -> AsyncGenerator[tuple[Server, str, int], None]:
    listener = processes.bind("127.0.0.1", 0)
    host, port = listener.getsockname()[:2]
    server = Server(app, ServerState(limits))
    try:
        await server.start(listener)
        yield server, host, port
    finally:
        await server.stop(0)
        listener.close()


class Lived:
    """An application that notes its lifespan."""

    def __init__(self, *, fails_by: str = "") -> None:
        self.steps: list[str] = []
        self.fails_by = fails_by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.steps.append(scope["state"]["pool"])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        for _ in range(2):
            step = (await receive())["type"]
            self.steps.append(step)
            if self.fails_by:
                await send({"type": f"{step}.failed", "message": "no place"})
                if self.fails_by == "raising":
                    raise ConfigError("The place cannot be opened.")
                return
            scope["state"]["pool"] = "request"
            await send({"type": f"{step}.complete"})


async def test_an_application_lives_around_its_requests() -> None:
    app = Lived()
    async with started(app) as (_, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        writer.close()
    assert app.steps == ["lifespan.startup", "request", "lifespan.shutdown"]


@pytest.mark.parametrize(
    ("fails_by", "reason"), [("raising", "The place cannot be opened."), ("saying so", "no place")]
)
async def test_an_application_that_cannot_start_gives_its_own_reason(fails_by: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        async with started(Lived(fails_by=fails_by)):
            pass


@pytest.mark.parametrize("raises", [True, False])
async def test_an_application_without_a_lifespan_is_served_all_the_same(raises: bool) -> None:  # noqa: FBT001 - parametrized
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            if raises:
                raise NotImplementedError
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with started(app) as (_, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        writer.close()


async def test_a_server_that_stops_closes_what_is_idle_and_waits_for_what_is_not() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.set()
            await go_on.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    async with started(app) as (server, host, port):
        idle, idle_writer = await asyncio.open_connection(host, port)
        busy, busy_writer = await asyncio.open_connection(host, port)
        busy_writer.write(GET)
        await asked.wait()
        stopping = asyncio.create_task(server.stop(60))
        assert await idle.read() == b""
        assert not stopping.done()
        go_on.set()
        await stopping
        assert b"\r\nconnection: close\r\n" in await busy.read()
        for writer in (idle_writer, busy_writer):
            writer.close()


@pytest.mark.parametrize("earlier", [0, 1], ids=["the first of its connection", "a later one"])
async def test_a_request_that_a_stopping_server_gets_is_answered_and_told_that_the_connection_closes(
    earlier: int,
) -> None:
    """The client may have sent it before it could know."""
    async with started(Lived(), HttpLimits(farewell_seconds=PATIENCE_SECONDS)) as (server, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        await _ask(host, port)  # the connection before it is accepted by now
        for _ in range(earlier):
            writer.write(GET)
            assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.create_task(server.stop(PATIENCE_SECONDS))
        await asyncio.sleep(0)  # it has begun to
        with pytest.raises(ConnectionRefusedError):
            await _ask(host, port)
        writer.write(GET)
        answer = await reader.read()
        await stopping
        writer.close()
    assert (answer[:12], b"\r\nconnection: close\r\n" in answer) == (b"HTTP/1.1 204", True)


async def test_a_stream_that_began_before_the_server_stopped_is_followed_by_one_more_answer() -> None:
    """Its head could not say that the connection closes."""
    go_on = asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"z"})

    async with started(app, HttpLimits(farewell_seconds=PATIENCE_SECONDS)) as (server, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET)
        begun = await reader.readuntil(b"a\r\n")
        stopping = asyncio.create_task(server.stop(PATIENCE_SECONDS))
        await asyncio.sleep(0)  # it has begun to
        go_on.set()
        await reader.readuntil(b"z\r\n0\r\n\r\n")
        writer.write(GET)
        last = await reader.read()
        await stopping
        writer.close()
    assert [b"connection: close" in each for each in (begun, last)] == [False, True]


async def _ask(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(GET)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer


async def test_many_who_connect_while_the_loop_is_busy_are_not_turned_away() -> None:
    """An event loop sets the length of the queue anew, and to a hundred by default."""
    async with started(Lived()) as (_, host, port):
        waiting = [socket.create_connection((host, port), timeout=PATIENCE_SECONDS) for _ in range(300)]
        for connection in waiting:
            connection.close()
