"""Gateways that run: started, asked until they answer, loaded and watched."""

import http.client
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.gateway.bodies import ID_PLACE, SMALL_BYTES, Target, build_request
from benchmarks.gateway.install import Installation
from benchmarks.gateway.loads import Answered, Ids, Loader, LoadError, Traffic, Upstream
from benchmarks.gateway.machine import Cores
from benchmarks.gateway.measurement import Sample
from benchmarks.gateway.peers.peer import Command, Peer, Site
from benchmarks.gateway.processes import Running, find_free_port
from benchmarks.gateway.workloads import (
    BURST_CHUNKS,
    PACED_CHUNKS,
    PACED_US,
    PINNED_IDS,
    TOGETHER,
    Workload,
)

START_SECONDS = 120.0
"""How long a gateway may take to its first answer."""
POLL_SECONDS = 0.002
ANNOUNCED = re.compile(r"listens at http://127\.0\.0\.1:(\d+)")


class NotStartedError(Exception):
    """A gateway did not answer; the message says why."""


@dataclass(slots=True)
class Bench:
    """The tools that all subjects are measured with."""

    folder: Path
    """This run's own, removed at its end."""
    cores: Cores
    upstream: Upstream
    loader: Loader
    ids: Ids = field(default_factory=Ids)


@dataclass(slots=True)
class Subject:
    """One gateway that runs, or the upstream itself without one."""

    name: str
    """A row of the tables."""
    bench: Bench
    port: int
    chat: Target
    claude: Target | None
    affinity_header: str
    running: Running | None = None
    """Its processes; None for the upstream itself."""
    start_seconds: float = 0.0
    """From starting its process to its first answer."""
    _requests: dict[tuple[object, ...], Path] = field(default_factory=dict)
    _pinned: dict[str, Traffic] = field(default_factory=dict)

    def request(self, workload: Workload) -> Path:
        """The file with the workload's request."""
        target = self.claude if workload.claude else self.chat
        if target is None:
            raise LoadError(f"{self.name} does not translate.")
        form = {"stream": workload.stream is not None, "new_text": workload.new_texts, "sdk_head": workload.sdk_head}
        key = (target.model, workload.size, *form.values())
        if key not in self._requests:
            path = self.bench.folder / f"{self.name}-{len(self._requests)}-{self.port}.http"
            path.write_bytes(build_request(target, self.affinity_header, workload.size, **form))
            self._requests[key] = path
        return self._requests[key]

    def measure(self, load: Callable[[], Answered]) -> tuple[Sample, str]:
        """Measure what a load costs; gives the sample and the first error's text.

        Raises:
            LoadError: It failed, or was answered by somebody else than the upstream.
        """
        answered = self.bench.upstream.count()
        before = self.running.cpu_seconds() if self.running else 0.0
        seen = load()
        cpu = self.running.cpu_seconds() - before if self.running else None
        answered = self.bench.upstream.count() - answered
        if answered < seen.requests:
            raise LoadError(f"{seen.requests} requests were answered, and the upstream saw only {answered}.")
        sample = Sample(
            seen.requests,
            seen.errors,
            seen.seconds,
            cpu,
            seen.chunks,
            seen.latency_ms,
            seen.first_event_ms,
            seen.chunk_delay_ms,
        )
        return sample, seen.first_error

    def traffic(self, workload: Workload, ids: int = PINNED_IDS) -> Traffic:
        """The workload's traffic to it, over so many sessions that nobody has seen."""
        first = self.bench.ids.take(ids)
        return Traffic(self.port, self.request(workload), workload.connections, first, ids)

    def run(self, workload: Workload, seconds: float) -> tuple[Sample, str]:
        """Measure a workload once; sessions that are to be pinned were pinned before."""
        loader = self.bench.loader
        if workload.first_turns:
            return self.measure(lambda: loader.load(self.traffic(workload, ids=10_000_000), seconds))
        traffic = self._pin(workload)
        if workload.stream == "paced":
            self.bench.upstream.set_streams(PACED_CHUNKS, PACED_US)
        elif workload.stream is not None:
            self.bench.upstream.set_streams(BURST_CHUNKS, 0, together=TOGETHER if workload.stream == "batch" else 1)
        return self.measure(lambda: loader.load(traffic, seconds))

    def _pin(self, workload: Workload) -> Traffic:
        """Give the workload's traffic, whose sessions are pinned the first time."""
        if workload.key not in self._pinned:
            traffic = self._pinned[workload.key] = self.traffic(workload)
            unstreamed = self.request(replace(workload, stream=None))
            self.bench.loader.send(replace(traffic, request=unstreamed, connections=8), PINNED_IDS)
        return self._pinned[workload.key]

    def pause(self) -> None:
        """Keep it from running."""
        if self.running:
            self.running.pause()

    def resume(self) -> None:
        """Let it go on."""
        if self.running:
            self.running.resume()

    def stop(self) -> None:
        """End its processes."""
        if self.running:
            self.running.stop()


def build_direct(bench: Bench) -> Subject:
    """The upstream without a gateway: what is there to be added to."""
    return Subject("direct", bench, bench.upstream.ports[0], Target("gpt-4o", {}), None, "X-Model-Affinity")


def start(
    bench: Bench,
    peer: Peer,
    installation: Installation,
    *,
    name: str | None = None,
    workers: int = 1,
    command: Callable[[Installation, Site], Command] | None = None,
) -> Subject:
    """Start a gateway on the core for proxies and wait for its first answer.

    Raises:
        NotStartedError: It ended, or did not answer in time.
    """
    port = find_free_port()
    folder = bench.folder / f"{name or peer.name}-{port}"
    folder.mkdir()
    site = Site(folder, port, bench.upstream.ports, find_free_port(), workers)
    made = (command or peer.command)(installation, site)
    targets = [_with_upstream(target, site.upstream) for target in (peer.chat, peer.claude)]
    running = Running(made.arguments, made.full_environment(folder), folder, bench.cores.proxy)
    chat = targets[0]
    if chat is None:
        raise NotStartedError(f"{peer.name} says nothing of how to ask it.")
    subject = Subject(name or peer.name, bench, port, chat, targets[1], peer.affinity_header, running)
    try:
        subject.port = _wait_for_port(running) if made.announces_port else port
        _wait_for_answer(subject)
    except BaseException:
        subject.stop()
        raise
    subject.start_seconds = time.perf_counter() - running.started
    return subject


@contextmanager
def running_bench(upstream: str, load: str, cores: Cores, folder: Path) -> Iterator[Bench]:
    """An upstream that runs, and a folder, until the end."""
    up = Upstream(upstream, folder / "upstream", cores.load)
    try:
        yield Bench(folder, cores, up, Loader(load, cores.load))
    finally:
        up.running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _with_upstream(target: Target | None, upstream: str) -> Target | None:
    if target is None:
        return None
    headers = {name: value.replace("{upstream}", upstream) for name, value in target.headers.items()}
    return Target(target.model, headers, target.path)


def _wait_for_port(running: Running) -> int:
    deadline = running.started + START_SECONDS
    while time.perf_counter() < deadline and not running.ended():
        found = ANNOUNCED.search(running.last_words())
        if found:
            return int(found[1])
        time.sleep(POLL_SECONDS)
    raise NotStartedError(f"It named no address. Its last words: {running.last_words()}")


def _wait_for_answer(subject: Subject) -> None:
    running = subject.running
    request = build_request(subject.chat, subject.affinity_header, SMALL_BYTES, stream=False)
    head, _, body = request.replace(ID_PLACE.encode(), b"0" * len(ID_PLACE)).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    said = "no connection was accepted"
    while running and time.perf_counter() < running.started + START_SECONDS:
        if running.ended():
            raise NotStartedError(f"It ended. Its last words: {running.last_words()}")
        connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=START_SECONDS)
        try:
            connection.request("POST", subject.chat.path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError:
            time.sleep(POLL_SECONDS)
            continue
        finally:
            connection.close()
        if answer.status == http.HTTPStatus.OK:
            return
        said = f"status {answer.status}: {text[:300].decode(errors='replace')}"
        time.sleep(POLL_SECONDS)
    raise NotStartedError(f"It did not answer in {START_SECONDS:.0f} s ({said}).")
