"""Several processes that serve one port: forked, watched, told of changes, replaced and stopped by their parent.

The parent serves nothing. Each worker has a listening socket of its own, and the parent keeps all of them open: what
waits on a dead worker's is answered by the worker that takes its place. One that ends is replaced at once, but each
place is filled at most once in ``interval_seconds``; one that ends ``start_tries`` times in a row before it listens
ends them all. One that hangs, its event loop silent for ``hang_seconds``, is killed, and so replaced.

Why not a library's: uvicorn and gunicorn answer SIGHUP with new processes, which cuts off streams that outlast the
grace period, where ours change in place; uvicorn looks after its workers twice a second, and they outlive it when it is
killed; granian starts only its own HTTP server.
"""

import logging
import math
import multiprocessing
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from plano_agents.errors import ConfigError, WorkerFailedError
from plano_agents.processes.heartbeat import Heartbeat, Watch
from plano_agents.processes.server import GRACE_SECONDS
from plano_agents.processes.worker import Worker, become, open_line, parents_signals

State = TypeVar("State")

BEATS = 10
"""How many beats in a row a worker has missed that hangs."""

CHANGE_SECONDS = 1.0
"""How often it is asked whether what the state is read from has changed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """The supervisor's limits: on workers' time, and on their failures."""

    interval_seconds: float = 1.0
    """The shortest time from a worker's start to its replacement's."""
    start_tries: int = 3
    """How often in a row a worker may end before it listens."""
    stop_seconds: float = GRACE_SECONDS + 5.0
    """How long workers may take to stop before they are killed; more than their own grace period."""
    hang_seconds: float = 30.0
    """How long a worker's event loop may stand still before it is killed."""

    @property
    def beat_seconds(self) -> float:
        """The interval at which a worker shows that it does not hang, and is looked at."""
        return self.hang_seconds / BEATS


def check_can_fork(methods: Sequence[str] | None = None) -> None:
    """Refuse several workers where processes cannot be forked.

    Args:
        methods: How processes can be started here; None asks the system.

    Raises:
        ConfigError: Not by forking.
    """
    if "fork" not in (methods if methods is not None else multiprocessing.get_all_start_methods()):
        raise ConfigError(
            f"Workers are forked, which {sys.platform!r} cannot. Start one, or several behind a load balancer."
        )


class _Place(Generic[State]):
    """A worker's place: the process that fills it now, if one does."""

    def __init__(self, worker: Worker[State], heartbeat: Heartbeat) -> None:
        self.worker = worker
        self.heartbeat = heartbeat
        """Shared with each process that fills it."""
        self.process: BaseProcess | None = None
        self.line: Connection[State, tuple[str, ...]] | None = None
        self.listens = False
        self.watch: Watch | None = None
        """Looks at the heartbeat; None until it listens, and once it was killed."""
        self.failures = 0
        """How many in a row ended before they listened."""
        self.due_at = -math.inf
        """When the next may be started."""

    def hang_up(self) -> None:
        """End the line, which tells the worker to stop."""
        if self.line is not None:
            self.line.close()
            self.line = None


class _Offer(Generic[State]):
    """A new state on its way to the workers."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.waiting: set[_Place[State]] = set()
        """Whose answer is still to come."""
        self.problems: tuple[str, ...] = ()

    def make(self, place: _Place[State]) -> None:
        """Send it to a worker."""
        if place.line is not None:
            self.waiting.add(place)
            with suppress(OSError):  # it has ended, which is noticed elsewhere
                place.line.send(self.state)

    def take(self, place: _Place[State], problems: tuple[str, ...]) -> None:
        """Note a worker's answer."""
        self.waiting.discard(place)
        self.problems = self.problems or problems


class Supervisor(Generic[State]):
    """Runs workers until SIGINT or SIGTERM; afterwards none is left.

    Args:
        workers: What to run; their listeners are closed at the end.
        state: What they start with. Picklable; read-only mappings may be in it.
        load: Reads the state again, at every SIGHUP and when `has_changed` says so.
        on_ready: Called once, when every worker listens.
        on_reloaded: Told what became of a SIGHUP, once for all workers: None when they all serve by the new state, else
            why the old one stays.
        on_exit: Gets the process id of every worker that has ended.
        patience: How long workers may take.
        has_changed: Says whether what the state is read from has changed; asked every second or so.
    """

    def __init__(
        self,
        workers: Sequence[Worker[State]],
        state: State,
        *,
        load: Callable[[], State],
        on_ready: Callable[[], None],
        on_reloaded: Callable[[ConfigError | None], None],
        on_exit: Callable[[int], None] | None = None,
        patience: Patience | None = None,
        has_changed: Callable[[], bool] | None = None,
    ) -> None:
        self._state = state
        self._load = load
        self._on_ready = on_ready
        self._on_reloaded = on_reloaded
        self._on_exit = on_exit
        self._has_changed = has_changed
        self._patience = patience or Patience()
        self._places = [_Place(worker, Heartbeat(self._patience.beat_seconds)) for worker in workers]
        self._is_ready = False
        self._must_load = False
        self._offer: _Offer[State] | None = None

    def run(self) -> None:
        """Run them, in the main thread of a process without other threads and without an event loop, for it forks.

        Raises:
            ConfigError: A worker cannot serve by the state.
            WorkerFailedError: A worker ended over and over before it listened.
        """
        with _watch_signals() as signals:
            try:
                while not self._step(signals):
                    pass
            finally:
                self._stop()

    def _step(self, signals: socket.socket) -> bool:
        """Do what is due, and wait for what happens next; say whether that was a signal to stop."""
        for place in self._places:
            if place.process is None and place.due_at <= time.monotonic():
                self._start(place)
        if not self._is_ready and all(place.listens for place in self._places):
            self._is_ready = True
            self._on_ready()
        self._settle_offer()
        self._make_offer()
        self._kill_hung()
        lines = [place.line for place in self._places if place.line is not None]
        sentinels = [place.process.sentinel for place in self._places if place.process is not None]
        happened = wait([signals, *lines, *sentinels], self._find_pause())
        numbers = signals.recv(4096) if signals in happened else b""
        if signal.SIGINT in numbers or signal.SIGTERM in numbers:
            return True
        self._must_load = self._must_load or signal.SIGHUP in numbers
        if self._has_changed is not None and self._has_changed():
            self._must_load = True
        for place in self._places:
            if place.line is not None and place.line in happened:
                self._read(place, place.line)
            if place.process is not None and place.process.sentinel in happened:
                self._bury(place, place.process)
        return False

    def _find_pause(self) -> float | None:
        """Say for how long nothing is due; None where only what happens counts."""
        now = time.monotonic()
        pauses = [place.due_at - now for place in self._places if place.process is None]
        if any(place.watch is not None for place in self._places):
            pauses.append(self._patience.beat_seconds)
        if self._has_changed is not None:
            pauses.append(CHANGE_SECONDS)
        return max(0.0, min(pauses)) if pauses else None

    def _kill_hung(self) -> None:
        """Kill the workers whose event loop stands still; that they end is noticed, and told, as of any other."""
        for place in self._places:
            if place.watch is None or place.process is None:
                continue
            silent = place.watch.look(time.monotonic())
            if silent >= self._patience.hang_seconds:
                _log.error(
                    "%s (process %s) hangs: its event loop has been blocked for %.3g s; it is killed",
                    place.worker.name,
                    place.process.pid,
                    silent,
                )
                place.watch = None
                place.process.kill()

    def _start(self, place: _Place[State]) -> None:
        place.due_at = time.monotonic() + self._patience.interval_seconds
        place.line, theirs = open_line()
        process = multiprocessing.get_context("fork").Process(
            name=place.worker.name, target=self._become, args=(place, theirs)
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, parents_signals())
        try:
            process.start()
        except OSError as error:
            place.hang_up()
            self._count_failure(place, f"could not be started: {error.strerror}")
        else:
            place.process = process
            if self._offer is not None:
                self._offer.make(place)
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _become(self, place: _Place[State], line: "Connection[tuple[str, ...], State]") -> None:
        """Be a worker, in the new process, and close what is the parent's and the others'."""
        for other in self._places:
            other.hang_up()
            if other is not place:
                other.worker.listener.close()
        become(place.worker, self._state, line, place.heartbeat)

    def _read(self, place: _Place[State], line: "Connection[State, tuple[str, ...]]") -> None:
        """Take a worker's answer off its line."""
        try:
            problems = line.recv()
        except (EOFError, OSError):
            place.hang_up()
            return
        if place.listens:
            if self._offer is not None:
                self._offer.take(place, problems)
        elif problems:
            raise ConfigError(*problems)
        else:
            place.listens = True
            place.failures = 0
            place.watch = Watch(place.heartbeat, time.monotonic())

    def _bury(self, place: _Place[State], process: BaseProcess) -> None:
        """Take leave of a worker that has ended."""
        while place.line is not None and place.line.poll():
            self._read(place, place.line)
        place.hang_up()
        listened, place.listens, place.process, place.watch = place.listens, False, None, None
        if self._offer is not None:
            self._offer.waiting.discard(place)
        how = f"(process {process.pid}) ended {self._collect(process)}"
        if listened:
            _log.warning("%s %s; starting a new one", place.worker.name, how)
        else:
            self._count_failure(place, f"{how} before it listened")

    def _count_failure(self, place: _Place[State], what: str) -> None:
        place.failures += 1
        if place.failures >= self._patience.start_tries:
            raise WorkerFailedError(
                f"{place.worker.name} {what}, {place.failures} times in a row. See what it said above, if anything; "
                "one router without workers may say more."
            )
        _log.warning("%s %s; trying again", place.worker.name, what)

    def _collect(self, process: BaseProcess) -> str:
        """Collect what the system keeps of an ended process; say how it ended."""
        process.join()
        code = process.exitcode or 0
        if self._on_exit is not None and process.pid is not None:
            self._on_exit(process.pid)
        return f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"

    def _make_offer(self) -> None:
        """Read the state again if that was asked for, and send it to every worker."""
        if not self._must_load or self._offer is not None:
            return
        self._must_load = False
        try:
            self._offer = _Offer(self._load())
        except ConfigError as error:
            self._on_reloaded(error)
            return
        for place in self._places:
            self._offer.make(place)

    def _settle_offer(self) -> None:
        """Once every worker has answered, keep the new state or the old one."""
        offer = self._offer
        if offer is None or offer.waiting:
            return
        self._offer = None
        if offer.problems:
            self._on_reloaded(ConfigError(*offer.problems))
        else:
            self._state = offer.state
            self._on_reloaded(None)

    def _stop(self) -> None:
        """Stop all workers, and kill those that do not."""
        deadline = time.monotonic() + self._patience.stop_seconds
        for place in self._places:
            place.worker.listener.close()
            place.hang_up()
        left = [place.process for place in self._places if place.process is not None]
        while left and (seconds := deadline - time.monotonic()) > 0:
            ended = wait([process.sentinel for process in left], seconds)
            for process in [process for process in left if process.sentinel in ended]:
                self._collect(process)
                left.remove(process)
        for process in left:
            _log.warning("%s (process %d) did not stop in time and is killed", process.name, process.pid)
            process.kill()
            self._collect(process)


@contextmanager
def _watch_signals() -> Iterator[socket.socket]:
    """Let a socket have the numbers of the signals that arrive, one byte each."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        handlers = {number: signal.signal(number, lambda *_: None) for number in parents_signals()}
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
