"""The parts of a run: starting and memory, the workloads side by side, and what only plano-agents is asked."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.gateway.install import Installation
from benchmarks.gateway.loads import Answered, LoadError
from benchmarks.gateway.measurement import Results
from benchmarks.gateway.peers.peer import Peer
from benchmarks.gateway.peers.plano_agents import NAME, command
from benchmarks.gateway.processes import Running, find_free_port
from benchmarks.gateway.subjects import Bench, NotStartedError, Subject, build_direct, start
from benchmarks.gateway.workloads import PINNED, WORKLOADS, Workload

PARTS = {
    "memory": "start and memory",
    "first-turn": "first turns, and what they delay",
    "workers": "two workers",
    "streams": "growth from 10 open streams to many",
    "sessions": "growth from 1,000 sessions to many",
}
"""What is measured besides the workloads; all but the first of plano-agents alone."""

HELD_PACE_US = 10_000_000
"""Between an idle open stream's chunks."""
HELD_CHUNKS = 100_000
SETTLE_SECONDS = 1.0
MEMORY_LIMIT_SECONDS = 45.0
"""How long the requests before the second look at memory may take; slow gateways answer fewer."""
MEMORY_BATCH = 1_000
FEED_BATCH = 50_000
FEW_SESSIONS = 1_000
FEW_STREAMS = 10
FIRST_TURNS = 200
"""How many first turns are measured one after the other."""
STREAMED = next(workload for workload in WORKLOADS if workload.stream)
BACKGROUND_RATE = 400
"""Requests per second that first turns may delay."""
FIRST_TURN_RATE = 10
"""First turns per second beside them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    repeats: int
    """How often the workloads are measured, alternating."""
    turns: int
    """How often what only plano-agents is asked is measured, alternating."""
    seconds: int
    """How long each load is."""
    starts: int
    """How often each gateway is started."""
    requests: int
    """How many are sent before memory is looked at again."""
    streams: int
    """How many streams are held open."""
    sessions: int
    """How many sessions are seen before cost is measured again."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what is measured with, how much, and where it goes."""

    bench: Bench
    plan: Plan
    results: Results
    say: Callable[[str], None]
    """Tells whoever waits how far it is."""

    def note(self, text: str) -> None:
        """Tell it, and keep it for the results' readers."""
        self.say(f"  {text}")
        self.results.notes.append(text)


def measure_all(
    run: Run, found: Mapping[Peer, Installation], workloads: Sequence[Workload], parts: AbstractSet[str]
) -> None:
    """Measure the gateways side by side, then what only plano-agents is asked.

    Args:
        run: With what, how much, and where it goes.
        found: The gateways that are installed.
        workloads: What all are asked.
        parts: Which of ``PARTS`` besides.
    """
    subjects: list[Subject] = []
    try:
        if workloads or "memory" in parts:
            run.say("Starting the gateways")
            start_all(run, found, subjects, memory="memory" in parts)
        if workloads:
            run.say("Workloads, side by side")
            run_workloads(run, [*subjects, build_direct(run.bench)], workloads)
    finally:
        for subject in subjects:
            subject.stop()
    for peer, installation in found.items():
        for part, measure in OURS.items():
            if peer.name == NAME and part in parts:
                run.say(f"{NAME}: {PARTS[part]}")
                try:
                    measure(Router(run, peer, installation))
                except (NotStartedError, LoadError) as error:
                    run.note(f"{PARTS[part]}: {error}")


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


def run_workloads(run: Run, subjects: Sequence[Subject], workloads: Sequence[Workload]) -> None:
    """Run every workload on every subject, again and again; only the one that is measured runs."""
    for repeat in range(run.plan.repeats):
        for workload in workloads:
            # Nobody is always first.
            turn = repeat % len(subjects)
            for subject in (*subjects[turn:], *subjects[:turn]):
                if not workload.claude or subject.claude is not None:
                    run_once(run, subject, workload, workload.key)
            run.say(f"  {repeat + 1}/{run.plan.repeats} {workload.key}: {_describe(run, workload, subjects)}")


def run_once(run: Run, subject: Subject, workload: Workload, key: str) -> None:
    """Run a workload once and keep the sample, under a name."""
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
        run.results.add(key, subject.name, sample)


def _describe(run: Run, workload: Workload, subjects: Sequence[Subject]) -> str:
    parts = []
    for subject in subjects:
        samples = run.results.samples.get(workload.key, {}).get(subject.name, [])
        cost = samples[-1].cpu_us_per(workload.unit) if samples else None
        if cost is not None:
            parts.append(f"{subject.name} {cost:,.0f}")
    return f"µs/{workload.unit} {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Router:
    """plano-agents' router, to be started as often as is needed."""

    run: Run
    peer: Peer
    installation: Installation

    def start(self, *, preferences: bool = True, redis: str | None = None, workers: int = 1) -> Subject:
        """Start one.

        Raises:
            NotStartedError: It did not answer.
        """
        made = partial(command, preferences=preferences, redis=redis)
        return start(self.run.bench, self.peer, self.installation, workers=workers, command=made)


def _take_turns(run: Run, subjects: Sequence[Subject], keys: Sequence[str]) -> None:
    for _ in range(run.plan.turns):
        for subject, key in zip(subjects, keys, strict=True):
            run_once(run, subject, PINNED, key)
    for subject, key in zip(subjects, keys, strict=True):
        costs = run.results.cpu_us(key, subject.name)
        run.say(f"  {key}: {', '.join(f'{cost:.0f}' for cost in costs)} µs per request")


def grow_sessions(router: Router) -> None:
    """Measure pinned requests on one router that has seen few sessions, and one that has seen many."""
    run = router.run
    with ExitStack() as stack:
        few, many = (router.start(preferences=False) for _ in range(2))
        stack.callback(few.stop)
        stack.callback(many.stop)
        for subject, count in ((few, FEW_SESSIONS), (many, run.plan.sessions)):
            for done in range(0, count, FEED_BATCH):
                batch = min(FEED_BATCH, count - done)
                run.bench.loader.send(subject.traffic(PINNED, ids=batch), batch)
                run.say(f"  {done + batch:,} sessions seen")
            subject.pause()
        _take_turns(run, (few, many), ("sessions-few", "sessions-many"))


def grow_streams(router: Router) -> None:
    """Measure pinned requests beside few open streams, and beside many; and memory without the embedding model."""
    run = router.run
    with ExitStack() as stack:
        few, many = (router.start(preferences=False) for _ in range(2))
        stack.callback(few.stop)
        stack.callback(many.stop)
        if few.running is not None:
            time.sleep(SETTLE_SECONDS)
            run.results.add_figure("rss_rest_plain_mib", NAME, few.running.memory().rss)
        for subject, streams in ((few, FEW_STREAMS), (many, run.plan.streams)):
            stack.enter_context(hold_streams(run, subject, streams))
            subject.pause()
        _take_turns(run, (few, many), ("streams-few", "streams-many"))
        few.resume()
        many.resume()


def add_workers(router: Router) -> None:
    """Measure pinned requests on one worker and on two, which share their sessions through Redis."""
    run = router.run
    program = shutil.which("redis-server")
    if program is None:
        run.note("Two workers were not measured: there is no redis-server (apt-get install redis-server).")
        return
    with ExitStack() as stack:
        redis, url = _start_redis(program, run.bench)
        stack.callback(redis.stop)
        one, two = (router.start(redis=url, workers=count) for count in (1, 2))
        stack.callback(one.stop)
        stack.callback(two.stop)
        one.pause()
        two.pause()
        _take_turns(run, (one, two), ("workers-one", "workers-two"))


def _start_redis(program: str, bench: Bench) -> tuple[Running, str]:
    folder = bench.folder / "redis"
    folder.mkdir()
    port = find_free_port()
    words = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    running = Running([program, *words], {}, folder, bench.cores.load)
    while "Ready to accept" not in running.last_words():
        if running.ended():
            raise NotStartedError(f"redis-server ended: {running.last_words()}")
        time.sleep(0.02)
    return running, f"redis://127.0.0.1:{port}/0"


def delay_by_first_turns(router: Router) -> None:
    """Measure first turns one at a time, and what they do to other requests' latency."""
    run = router.run
    loader, results, seconds = run.bench.loader, run.results, max(3, run.plan.seconds)
    subject = router.start()
    try:
        background = replace(subject.traffic(PINNED), connections=16, rate=BACKGROUND_RATE)
        loader.send(replace(background, rate=None), 500)
        for _ in range(run.plan.turns):
            alone = replace(subject.traffic(PINNED, ids=FIRST_TURNS), connections=1)
            _keep(run, subject, "first-turn-alone", partial(loader.send, alone, FIRST_TURNS))
            _keep(run, subject, "background-alone", partial(loader.load, background, seconds))
            beside = replace(subject.traffic(PINNED, ids=10_000), connections=4, rate=FIRST_TURN_RATE)
            with loader.beside(beside, seconds):
                _keep(run, subject, "background-beside", partial(loader.load, background, seconds))
    finally:
        subject.stop()
    for key in ("first-turn-alone", "background-alone", "background-beside"):
        p50, p99 = (results.latency_ms(key, NAME, part) for part in ("p50", "p99"))
        run.say(f"  {key}: p50 {min(p50):.2f} – {max(p50):.2f} ms, p99 {min(p99):.2f} – {max(p99):.2f} ms")


def _keep(run: Run, subject: Subject, key: str, load: Callable[[], Answered]) -> None:
    run.results.add(key, subject.name, subject.measure(load)[0])


OURS: dict[str, Callable[[Router], None]] = {
    "first-turn": delay_by_first_turns,
    "workers": add_workers,
    "streams": grow_streams,
    "sessions": grow_sessions,
}
