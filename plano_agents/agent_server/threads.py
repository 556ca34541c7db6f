"""Runs on one thread, one at a time: two at once would write over each other's memory.

Who finds a thread busy is refused, or waits in line, first come first served. What is held here is held against this
process's own runs; see ``checkpoints`` for those of other processes.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from plano_agents.errors import ThreadBusyError


@dataclass(slots=True)
class _Line:
    """A busy thread."""

    holder: str
    """The run that has it."""
    waiting: deque[tuple[str, asyncio.Future[None]]] = field(default_factory=deque)
    """The runs that come next, each with what tells it so."""


class ThreadLocks:
    """The owners of threads.

    Args:
        max_waiting: How many runs may wait for a thread; with 0 a busy thread refuses all others.
    """

    def __init__(self, *, max_waiting: int = 0) -> None:
        self._max_waiting = max_waiting
        self._lines: dict[str, _Line] = {}

    def is_busy(self, thread_id: str) -> bool:
        """Check whether a run has the thread."""
        return thread_id in self._lines

    async def acquire(self, thread_id: str, run_id: str) -> None:
        """Give the thread to a run, at once or when its turn comes.

        Raises:
            ThreadBusyError: It is busy, and as many wait as may.
        """
        line = self._lines.get(thread_id)
        if line is None:
            self._lines[thread_id] = _Line(run_id)
            return
        if len(line.waiting) >= self._max_waiting:
            waiting = f", and {len(line.waiting)} more wait for it" if line.waiting else ""
            raise ThreadBusyError(
                f"A run on the thread {thread_id!r} is under way{waiting}. Wait for its answer, or use another "
                "thread_id.",
                param="thread_id",
            )
        turn = asyncio.get_running_loop().create_future()
        line.waiting.append((run_id, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(thread_id, run_id)
            else:
                line.waiting.remove((run_id, turn))
            raise

    def release(self, thread_id: str, run_id: str) -> None:
        """Give the thread to the next run; nothing happens where the run does not have it."""
        line = self._lines.get(thread_id)
        if line is None or line.holder != run_id:
            return
        if line.waiting:
            line.holder, turn = line.waiting.popleft()
            turn.set_result(None)
        else:
            del self._lines[thread_id]
