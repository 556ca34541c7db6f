"""Measurements of plano-agents alone: several workers, and the growth of its cost."""

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks.gateway.install import Installation
from benchmarks.gateway.loads import Answered
from benchmarks.gateway.peers.peer import Peer
from benchmarks.gateway.peers.plano_agents import NAME, command
from benchmarks.gateway.plan import Run
from benchmarks.gateway.processes import Running, find_free_port
from benchmarks.gateway.side_by_side import SETTLE_SECONDS, hold_streams, run_once
from benchmarks.gateway.subjects import Bench, NotStartedError, Subject, start
from benchmarks.gateway.workloads import PINNED

FEED_BATCH = 50_000
FEW_SESSIONS = 1_000
FEW_STREAMS = 10


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


def take_turns(run: Run, subjects: Sequence[Subject], keys: Sequence[str]) -> None:
    """Measure pinned requests on subjects in turn, each under a key of its own."""
    for number in range(run.plan.turns):
        for subject, key in zip(subjects, keys, strict=True):
            run_once(run, subject, PINNED, key, number)
    for subject, key in zip(subjects, keys, strict=True):
        costs = [*run.results.cpu_us(key, subject.name).values()]
        run.say(f"  {key}, {subject.name}: {statistics.median(costs) if costs else 0:.0f} µs per request")


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
        take_turns(run, (few, many), ("sessions-few", "sessions-many"))


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
        take_turns(run, (few, many), ("streams-few", "streams-many"))
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
        take_turns(run, (one, two), ("workers-one", "workers-two"))


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


def _keep(run: Run, subject: Subject, key: str, load: Callable[[], Answered]) -> None:
    run.results.add(key, subject.name, subject.measure(load)[0])


ALONE: dict[str, Callable[[Router], None]] = {
    "workers": add_workers,
    "streams": grow_streams,
    "sessions": grow_sessions,
}
