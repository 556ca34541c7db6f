"""Drives the load generator and the upstream, all on the one core that the measured process does not have."""

import copy
import http.client
import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway.processes import Running, find_free_port
from benchmarks.gateway.workloads import PINNED_IDS

LATE_SECONDS = 120.0
"""How long a load may take beyond its own time."""


class LoadError(Exception):
    """A load generator failed; the message says how."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A load generator's results."""

    requests: int
    errors: int
    seconds: float
    chunks: int
    first_error: str
    latency_ms: dict[str, float]
    first_event_ms: dict[str, float]
    chunk_delay_ms: dict[str, float]


class Ids:
    """Affinity ids that no gateway has seen: their numbers go on from the time of day, in microseconds."""

    def __init__(self) -> None:
        self._next = int(time.time() * 1e6)

    def take(self, count: int) -> int:
        """Take so many, and give the first one's number."""
        first = self._next
        self._next += count
        return first


class Upstream:
    """The mock provider.

    Args:
        program: The compiled ``upstream.c``.
        folder: For its output.
        core: The core it shares with the load.
    """

    def __init__(self, program: str, folder: Path, core: int) -> None:
        folder.mkdir(parents=True)
        self.ports = (find_free_port(), find_free_port())
        self.control = self.ports[0]
        """Where it is told what to do, and asked what it did."""
        self.running = Running([program, *map(str, self.ports)], {}, folder, core)
        for _ in itertools.count():
            if self.running.ended():
                raise LoadError(f"The upstream did not start: {self.running.last_words()}")
            if "listening" in self.running.last_words():
                return
            time.sleep(0.01)

    def set_streams(self, chunks: int, interval_us: int, *, together: int = 1) -> None:
        """Say how the streams that begin from now on are paced, and how many chunks are sent at once."""
        self._get(f"/_set?chunks={chunks}&interval_us={interval_us}&together={together}")

    def seen_at(self, port: int) -> "Upstream":
        """Give the same upstream, as gateways reach it at another port, where something stands before it."""
        seen = copy.copy(self)
        seen.control = self.ports[0]
        seen.ports = (port, port)
        return seen

    def count(self) -> int:
        """The number of requests answered so far."""
        return int(self._get("/_count")["requests"])

    def _get(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=10)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer


@dataclass(frozen=True, slots=True)
class Traffic:
    """A load: its requests and their address."""

    port: int
    """The gateway's, on 127.0.0.1."""
    request: Path
    """A file with one request."""
    connections: int
    """Over how many it is sent."""
    first_id: int
    """The first affinity id's number."""
    ids: int = PINNED_IDS
    """How many ids there are, taken in turn."""
    rate: float | None = None
    """Requests due per second; None for each connection's next when its last was answered."""


class Loader:
    """Runs the load generator.

    Args:
        program: The compiled ``load.c``.
        core: Where it runs.
    """

    def __init__(self, program: str, core: int) -> None:
        self._program = ["taskset", "-c", str(core), program]

    def send(self, traffic: Traffic, requests: int) -> Answered:
        """Send so many requests."""
        return _read_load(_run(self._command(traffic, "requests", requests), 0))

    def load(self, traffic: Traffic, seconds: float) -> Answered:
        """Send requests or read streams for so long, and wait for those that were begun."""
        return _read_load(_run(self._command(traffic, "seconds", seconds), seconds))

    @contextmanager
    def hold(self, traffic: Traffic) -> Iterator[int]:
        """Hold a stream open on every connection; gives how many were opened."""
        process = subprocess.Popen(
            self._command(traffic, "hold", 0), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if process.stdin is None or process.stdout is None:
            raise LoadError("The load generator has no standard input or output.")
        with process.stdout as told:
            try:
                line = told.readline()
                if not line:
                    raise LoadError("The load generator ended before it opened its streams.")
                yield int(json.loads(line)["opened"])
            finally:
                process.stdin.close()
                told.read()
                process.wait(timeout=LATE_SECONDS)

    def _command(self, traffic: Traffic, kind: str, amount: float) -> list[str]:
        to = (str(traffic.port), str(traffic.request), str(traffic.connections))
        rate = [f"{traffic.rate:g}"] if traffic.rate else []
        return [*self._program, *to, kind, f"{amount:.9g}", str(traffic.first_id), str(traffic.ids), *rate]


def _read_load(out: str) -> Answered:
    said = json.loads(out)

    def in_ms(name: str) -> dict[str, float]:
        return {part: value / 1000 for part, value in (said[name] or {}).items()}

    times = (in_ms("latency"), in_ms("first_event"), in_ms("chunk_delay"))
    return Answered(said["requests"], said["errors"], said["seconds"], said["chunks"], said["first_error"], *times)


def _run(arguments: Sequence[str], seconds: float) -> str:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=seconds + LATE_SECONDS)
    except subprocess.TimeoutExpired:
        raise LoadError(f"{arguments[3]!r} did not end in {seconds + LATE_SECONDS:.0f} s.") from None
    if done.returncode or not done.stdout.strip():
        raise LoadError(f"{arguments[3]!r} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
