"""The mock provider and the load generator, compiled and run."""

import http.client
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.gateway.bodies import SMALL_BYTES, Target, build_request
from benchmarks.gateway.install import compile_native
from benchmarks.gateway.loads import Loader, Traffic, Upstream
from tests.patience import PATIENCE_SECONDS

CORE = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("taskset") is None, reason="needs a C compiler and taskset"
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("native")
    return {name: compile_native(folder, name) for name in ("upstream", "load")}


@pytest.fixture
def upstream(programs: dict[str, str], tmp_path: Path) -> Iterator[Upstream]:
    running = Upstream(programs["upstream"], tmp_path / "upstream", CORE)
    yield running
    running.running.stop()


@pytest.fixture
def loader(programs: dict[str, str]) -> Loader:
    return Loader(programs["load"], CORE)


def traffic(upstream: Upstream, folder: Path, *, stream: bool, path: str = "/v1/chat/completions") -> Traffic:
    request = folder / "request"
    request.write_bytes(build_request(Target("m", {}, path), "x-id", SMALL_BYTES, stream=stream))
    return Traffic(upstream.ports[0], request, 4, first_id=1)


def post(port: int, path: str, body: dict[str, object]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_as_many_requests_are_sent_as_asked(upstream: Upstream, loader: Loader, tmp_path: Path) -> None:
    seen = loader.send(traffic(upstream, tmp_path, stream=False), 100)
    assert (seen.requests, seen.errors, upstream.count()) == (100, 0, 100)
    assert 0 < seen.latency_ms["p50"] <= seen.latency_ms["max"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_every_chunk_of_a_stream_is_counted_and_timed(
    upstream: Upstream, loader: Loader, tmp_path: Path, path: str
) -> None:
    upstream.set_streams(chunks=7, interval_us=0)
    seen = loader.send(traffic(upstream, tmp_path, stream=True, path=path), 10)
    assert (seen.requests, seen.chunks) == (10, 70)
    assert seen.chunk_delay_ms["p50"] >= 0
    assert seen.first_event_ms["p50"] <= seen.latency_ms["max"]


def test_chunks_that_are_sent_together_are_all_there(upstream: Upstream, loader: Loader, tmp_path: Path) -> None:
    upstream.set_streams(chunks=7, interval_us=0, together=3)
    seen = loader.send(traffic(upstream, tmp_path, stream=True), 10)
    assert (seen.requests, seen.chunks) == (10, 70)


def test_an_answer_has_22_header_lines_and_some_change_each_time(upstream: Upstream) -> None:
    heads = []
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", upstream.ports[0], timeout=PATIENCE_SECONDS)
        connection.request("POST", "/v1/chat/completions", "{}")
        heads.append(connection.getresponse().getheaders())
        connection.close()
    assert [len(head) for head in heads] == [22, 22]
    assert sum(one != other for one, other in zip(*heads, strict=True)) >= 6


def test_an_id_stands_in_the_head_and_in_a_new_text(upstream: Upstream, loader: Loader, tmp_path: Path) -> None:
    request = build_request(Target("m", {}), "x-id", SMALL_BYTES, stream=False, new_text=True)
    path = tmp_path / "request"
    path.write_bytes(request)
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = threading.Thread(target=lambda: seen.append(take_one(server, len(request))))
        asked.start()
        loader.send(Traffic(server.getsockname()[1], path, 1, first_id=0xABC), 1)
        asked.join()
    assert seen[0] == request.replace(b"@" * 16, b"0000000000000abc")
    assert seen[0].count(b"0000000000000abc") == 2


def take_one(server: socket.socket, size: int) -> bytes:
    """Take one request of that size, and answer it."""
    connection, _ = server.accept()
    with connection:
        taken = b""
        while len(taken) < size:
            taken += connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        connection.recv(1)
    return taken


def test_a_paced_stream_takes_its_time(upstream: Upstream, loader: Loader, tmp_path: Path) -> None:
    upstream.set_streams(chunks=5, interval_us=10_000)
    seen = loader.send(traffic(upstream, tmp_path, stream=True), 1)
    assert seen.chunks == 5
    assert seen.latency_ms["max"] >= 40


def test_streams_are_held_open_until_told_otherwise(upstream: Upstream, loader: Loader, tmp_path: Path) -> None:
    upstream.set_streams(chunks=1_000, interval_us=1_000_000)
    with loader.hold(traffic(upstream, tmp_path, stream=True)) as opened:
        assert opened == 4


def test_errors_are_counted_and_the_first_one_is_told(upstream: Upstream, loader: Loader, tmp_path: Path) -> None:
    seen = loader.send(traffic(upstream, tmp_path, stream=False, path="/elsewhere"), 3)
    assert (seen.requests, seen.errors) == (0, 3)
    assert seen.first_error.startswith("status 404")


def test_both_wires_end_as_their_providers_end_them(upstream: Upstream) -> None:
    for path, end in (("/v1/chat/completions", "data: [DONE]"), ("/v1/messages", '"type":"message_stop"')):
        status, text = post(upstream.ports[1], path, {"stream": True})
        assert status == 200
        assert end in text
        status, text = post(upstream.ports[1], path, {"stream": False})
        assert status == 200
        assert json.loads(text)["usage"]
