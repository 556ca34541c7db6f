"""Measurements of all gateways: start, memory, and the workloads in turns."""

import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.gateway.install import Installation
from benchmarks.gateway.loads import LoadError
from benchmarks.gateway.measurement import Results
from benchmarks.gateway.peers.peer import Peer
from benchmarks.gateway.plan import Run
from benchmarks.gateway.subjects import NotStartedError, Subject, start
from benchmarks.gateway.workloads import PINNED, WORKLOADS, Workload

HELD_PACE_US = 10_000_000
"""Between an idle open stream's chunks."""
HELD_CHUNKS = 100_000
SETTLE_SECONDS = 1.0
MEMORY_LIMIT_SECONDS = 45.0
"""How long the requests before the second look at memory may take; slow gateways answer fewer."""
MEMORY_BATCH = 1_000
STREAMED = next(workload for workload in WORKLOADS if workload.stream)


def start_all(run: Run, peers: Mapping[Peer, Installation], subjects: list[Subject], *, memory: bool) -> None:
    """Start each gateway some times, look at its memory, and leave the last one, paused, among the subjects."""
    for peer, installation in peers.items():
        try:
            subject = _start_one(run, peer, installation)
        except NotStartedError as error:
            run.say(f"  {peer.name}: {error}")
            run.results.absent[peer.name] = str(error)
            continue
        subjects.append(subject)
        if memory:
            try:
                look_at_memory(run, subject)
            except LoadError as error:
                run.note(f"memory of {peer.name}: {error}")
        starts = run.results.figure("start_seconds", peer.name)
        held = _describe_memory(run.results, peer.name)
        run.say(f"  {peer.name}: {min(starts):.2f} s to the first answer{held}")
        subject.pause()


def _start_one(run: Run, peer: Peer, installation: Installation) -> Subject:
    for _ in range(run.plan.starts - 1):
        subject = start(run.bench, peer, installation)
        run.results.add_figure("start_seconds", peer.name, subject.start_seconds)
        subject.stop()
    subject = start(run.bench, peer, installation)
    run.results.add_figure("start_seconds", peer.name, subject.start_seconds)
    return subject


def _describe_memory(results: Results, name: str) -> str:
    rest, stream = results.figure("rss_rest_mib", name), results.figure("stream_kib", name)
    return f", {rest[-1]:.0f} MiB at rest, {stream[-1]:.0f} KiB per open stream" if rest and stream else ""


def look_at_memory(run: Run, subject: Subject) -> None:
    """Look at memory at rest, after many requests, and with many streams open."""
    running, results = subject.running, run.results
    if running is None:
        return
    time.sleep(SETTLE_SECONDS)
    rest = running.memory()
    results.add_figure("rss_rest_mib", subject.name, rest.rss)
    results.add_figure("pss_rest_mib", subject.name, rest.pss)
    sent, until, traffic = 0, time.monotonic() + MEMORY_LIMIT_SECONDS, subject.traffic(PINNED)
    while sent < run.plan.requests and time.monotonic() < until:
        sent += run.bench.loader.send(traffic, min(MEMORY_BATCH, run.plan.requests - sent)).requests
    later = running.memory()
    results.add_figure("rss_after_mib", subject.name, later.rss)
    results.add_figure("requests_before_after", subject.name, sent)
    with hold_streams(run, subject, run.plan.streams) as opened:
        time.sleep(SETTLE_SECONDS)
        if opened:
            held = running.memory().pss - later.pss
            results.add_figure("stream_kib", subject.name, held * 1024 / opened)


@contextmanager
def hold_streams(run: Run, subject: Subject, streams: int) -> Iterator[int]:
    """Hold so many streams open, each with a chunk every ten seconds."""
    run.bench.upstream.set_streams(HELD_CHUNKS, HELD_PACE_US)
    traffic = replace(subject.traffic(STREAMED), connections=streams)
    with run.bench.loader.hold(traffic) as opened:
        if opened < streams:
            run.note(f"{subject.name} opened {opened} of {streams} streams.")
        yield opened


def run_workloads(
    run: Run, subjects: Sequence[Subject], workloads: Sequence[Workload], often: AbstractSet[str]
) -> None:
    """Run every workload on every subject, a short slice at a time; only the one that is measured runs.

    Args:
        run: With what, how much, and where it goes.
        subjects: All of them.
        workloads: What they are asked.
        often: The names of those that take part in every round, as aims are held against them.
    """
    for number in range(run.plan.rounds):
        seldom = number % run.plan.seldom == 0
        taking_part = [subject for subject in subjects if seldom or subject.name in often]
        turn = number % len(taking_part)  # nobody is always first
        for workload in workloads:
            for subject in (*taking_part[turn:], *taking_part[:turn]):
                if not workload.claude or subject.claude is not None:
                    run_once(run, subject, workload, workload.key, number)
        told = ", ".join(_describe(run, workload, taking_part) for workload in workloads[:1])
        run.say(f"  {number + 1}/{run.plan.rounds} {told}")


def run_once(run: Run, subject: Subject, workload: Workload, key: str, number: int) -> None:
    """Run a workload for one slice and keep the sample, under a name and the round's number."""
    subject.resume()
    try:
        sample, error = subject.run(workload, run.plan.seconds)
    except LoadError as failure:
        run.note(f"{key} on {subject.name}: {failure}")
        return
    finally:
        subject.pause()
    if sample.errors:
        run.note(f"{key} on {subject.name}: {sample.errors} failed, {sample.requests} did not. {error}")
    if sample.requests or sample.chunks:
        run.results.add(key, subject.name, replace(sample, round=number))


def _describe(run: Run, workload: Workload, subjects: Sequence[Subject]) -> str:
    parts = []
    for subject in subjects:
        samples = run.results.samples.get(workload.key, {}).get(subject.name, [])
        cost = samples[-1].cpu_us_per(workload.unit) if samples else None
        if cost is not None:
            parts.append(f"{subject.name} {cost:,.0f}")
    return f"{workload.key}, µs/{workload.unit}: {', '.join(parts)}"
