"""Processes that are measured: pinned to a core, distinguished by their own ids, paused while others are measured."""

import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

STOP_SECONDS = 15.0
PORTS = range(20_000, 32_000)
"""Below what Linux gives to outgoing connections (net.ipv4.ip_local_port_range)."""
CPUCLOCK_SCHED = 2
"""The kind of a process's CPU clock that counts its run time exactly (linux/posix-timers.h)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a process and its children, in MiB."""

    rss: float
    """Resident, with what they share counted once for each."""
    pss: float
    """Resident, with what is shared divided among those that share it."""


class Running:
    """A process that was started here, with all of its children.

    Args:
        arguments: The command line.
        environment: All of its environment.
        folder: Where it runs; its output goes into ``log`` there.
        core: The only core it may use.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, core: int) -> None:
        self.arguments = list(arguments)
        self.log = folder / "log"
        self.started = time.perf_counter()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *arguments],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The first process's id."""
        return self._process.pid

    def ended(self) -> bool:
        """Check whether the first process is gone."""
        return self._process.poll() is not None

    def last_words(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-1500:].strip()

    def tree(self) -> list[psutil.Process]:
        """It and its children, those of children too."""
        try:
            first = psutil.Process(self.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_seconds(self) -> float:
        """CPU time spent so far by all of them, threads that ended included, to the nanosecond.

        ``/proc/<pid>/stat`` counts in hundredths of a second, which is too coarse for a short run.
        """
        return sum(time.clock_gettime((~process.pid << 3) | CPUCLOCK_SCHED) for process in self.tree())

    def memory(self) -> Memory:
        """The memory of all of them now."""
        held = [process.memory_full_info() for process in self.tree()]
        return Memory(sum(one.rss for one in held) / 2**20, sum(one.pss for one in held) / 2**20)

    def pause(self) -> None:
        """Stop all of them from running, so that they cannot disturb what is measured."""
        for process in self.tree():
            _signal(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let all of them go on."""
        for process in self.tree():
            _signal(process, signal.SIGCONT)

    def stop(self) -> None:
        """End all of them, by their ids: the first is asked to, and what outlives it is killed."""
        tree = self.tree()
        for process in tree:
            _signal(process, signal.SIGCONT)
        self._process.terminate()
        psutil.wait_procs(tree[:1], timeout=STOP_SECONDS)
        for process in tree:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(tree, timeout=STOP_SECONDS)
        self._process.wait()


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    # psutil knows a process by its start too, and so leaves a stranger with the same id alone.
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def find_free_port() -> int:
    """Find a port of this machine that nobody listens on, nor is given to an outgoing connection meanwhile.

    Raises:
        RuntimeError: None was found.
    """
    for port in random.sample(PORTS, k=200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"No port of {PORTS!r} is free.")
