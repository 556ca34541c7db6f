"""Ports, addresses, and applications that run until told to stop."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from plano_agents import processes
from plano_agents.errors import ConfigError
from tests.patience import PATIENCE_SECONDS

PROGRAM = """
import asyncio
from plano_agents import processes

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [] if scope["path"] == "/stream" else [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok", "more_body": scope["path"] == "/stream"})
    if scope["path"] == "/stream":
        await asyncio.Event().wait()

sites = [processes.Site(app, processes.bind("127.0.0.1", 0)) for _ in range(2)]
processes.GRACE_SECONDS = 1
processes.run(processes.serve(sites, on_ready=lambda: print(*(processes.url_of(s.listener) for s in sites), flush=True)))
print("stopped")
"""

TOLD_TWICE = """
import os, signal, threading
from plano_agents import processes

threading.Thread(target=threading.Event().wait, daemon=True).start()  # as the log's, which could take the signal too

class AtTheEnd:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
        kill(pid, number)  # while the interpreter winds up, which has put signals' defaults back by then

last = AtTheEnd()
processes.run(processes.serve([], on_ready=lambda: os.kill(os.getpid(), signal.SIGTERM)))
print("stopped", flush=True)
"""


@contextmanager
def started() -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process with two sites that listen, and their addresses."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def ask(url: str, path: str, until: bytes) -> socket.socket:
    """Ask, read until the bytes given, and leave the connection open."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = socket.create_connection((parts.hostname, parts.port or 0), timeout=PATIENCE_SECONDS)
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    answer = b""
    while until not in answer:
        piece = connection.recv(65536)
        assert piece
        answer += piece
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_site_serves_when_ready_and_a_signal_ends_them_all_quietly(number: signal.Signals) -> None:
    with started() as (process, urls):
        assert len(urls) == 2
        connections = [ask(url, "/", b"ok") for url in urls]
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        for connection in connections:
            assert connection.recv(1) == b""
            connection.close()
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_a_stream_in_flight_does_not_hold_the_end_up_for_ever_nor_end_well() -> None:
    with started() as (process, urls):
        connection = ask(urls[0], "/stream", b"ok")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert b"0\r\n\r\n" not in connection.recv(65536)
        connection.close()
    assert (process.returncode, out, err) == (0, "stopped\n", "")


async def test_sites_serve_for_as_long_as_the_context_is_open() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    listener = processes.bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with processes.running([processes.Site(app, listener)]):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 204")
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def test_a_kept_connection_is_kept_longer_than_clients_keep_theirs() -> None:
    """HTTP clients reuse a connection for 5 s and more; one closed under their hands is a failed request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    with processes.bind("127.0.0.1", 0) as listener:
        assert processes.Site(app, listener).limits.keep_alive_seconds >= 60


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with processes.bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: another program uses it.*--port"):
            processes.bind("127.0.0.1", port)


@pytest.mark.parametrize("port", [65_536, -1])
def test_a_port_that_is_none_is_named_with_the_way_out(port: int) -> None:
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*--port"):
        processes.bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.invalid"])
def test_an_address_that_is_not_this_machines_is_named_with_the_way_out(host: str) -> None:
    with pytest.raises(ConfigError, match=rf"{re.escape(host)}:0: .*--host"):
        processes.bind(host, 0)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("0", False),
        ("", False),
        ("192.0.2.1", False),
        ("no.invalid", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:  # noqa: FBT001 - parametrized
    assert processes.is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")],
)
def test_the_address_shown_is_one_that_answers(host: str, shown: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with processes.bind(host, 0) as listener:
        port = listener.getsockname()[1]
        assert processes.url_of(listener) == f"http://{shown}:{port}"
        socket.create_connection((shown.strip("[]"), port), timeout=PATIENCE_SECONDS).close()


def test_a_program_that_ends_as_it_was_told_is_not_killed_by_a_second_signal() -> None:
    program = subprocess.run([sys.executable, "-c", TOLD_TWICE], capture_output=True, text=True, check=False)
    assert (program.returncode, program.stdout, program.stderr) == (0, "stopped\n", "")
