"""One of several processes that serve a port: what it runs, and its line to the process that started it.

The parent sends a new state along the line, and the worker answers with the problems that it has with it, () for none;
the state that it was started with is answered in the same way, once it listens. The line's end is the word to stop.
While the worker serves, its heartbeat shows the parent that it does not hang.
The system ends it with the parent, by whatever signal that went, so no worker outlives it.

SIGINT, SIGTERM and SIGHUP are ignored: terminals and service managers send them to everybody, and the parent acts on
them. Starting, watching and replacing workers is left to ``supervisor``.
"""

import asyncio
import logging
import multiprocessing
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import Generic, TypeVar

from plano_agents.errors import ConfigError
from plano_agents.observe.log import locate
from plano_agents.processes.heartbeat import Heartbeat
from plano_agents.processes.server import Site, run, running

State = TypeVar("State")

_log = logging.getLogger(__name__)


class Parent(Generic[State]):
    """The process that started this one, at the other end of the line.

    Args:
        line: The line's own end.
        heartbeat: Shows it that this one does not hang.
    """

    def __init__(self, line: "Connection[tuple[str, ...], State]", heartbeat: Heartbeat) -> None:
        self._line = line
        self._heartbeat = heartbeat

    async def serve(self, sites: Sequence[Site], *, on_state: Callable[[State], None]) -> None:
        """Serve until the parent says stop, or is gone.

        Args:
            sites: What to serve where.
            on_state: Gets every new state; a `ConfigError` that it raises refuses it, and the parent tells why.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        number = self._line.fileno()

        def read() -> None:
            try:
                state = self._line.recv()
            except (EOFError, OSError):
                loop.remove_reader(number)
                stop.set()
                return
            try:
                on_state(state)
            except ConfigError as error:
                self.answer(error.problems)
            else:
                self.answer(())

        async with running(sites):
            beating = loop.create_task(self._heartbeat.keep_beating())
            self.answer(())
            loop.add_reader(number, read)
            try:
                await stop.wait()
            finally:
                beating.cancel()

    def answer(self, problems: tuple[str, ...]) -> None:
        """Say what is wrong with the state; () says that it is served by."""
        with suppress(OSError):  # the parent is gone, and what reads the line will notice
            self._line.send(problems)


@dataclass(frozen=True, slots=True)
class Worker(Generic[State]):
    """A process to start: its name, its listening socket and its main function."""

    name: str
    """How messages call it."""
    listener: socket.socket
    """Where it listens."""
    main: Callable[[State, Parent[State]], Awaitable[None]]
    """Called in the new process with the state and the parent, whose `serve` it awaits."""


def open_line() -> "tuple[Connection[State, tuple[str, ...]], Connection[tuple[str, ...], State]]":
    """Open a line, which carries read-only mappings too: the parent's end, and the worker's."""
    ForkingPickler.register(MappingProxyType, _reduce_proxy)
    return multiprocessing.Pipe()


def parents_signals() -> tuple[signal.Signals, ...]:
    """List the signals that the parent acts on, and workers leave to it."""
    return signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def become(
    worker: Worker[State], state: State, line: "Connection[tuple[str, ...], State]", heartbeat: Heartbeat
) -> None:
    """Be a worker, in a process that was just forked with the signals above blocked.

    Raises:
        SystemExit: With 1, when the worker could not go on; why was told to the parent, or logged.
    """
    signal.set_wakeup_fd(-1)
    for number in parents_signals():
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, parents_signals())
    parent = Parent[State](line, heartbeat)
    try:
        run(worker.main(state, parent))
    except ConfigError as error:
        parent.answer(error.problems)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told in one line
        _log.error("%s: unexpected %s", worker.name, locate(error))
        sys.exit(1)


def _reduce_proxy(
    proxy: MappingProxyType[object, object],
) -> tuple[Callable[[dict[object, object]], MappingProxyType[object, object]], tuple[dict[object, object]]]:
    """Tell pickle, which refuses read-only mappings, how to make one again."""
    return _freeze, (dict(proxy),)


def _freeze(content: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(content)
