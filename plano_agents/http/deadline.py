"""A deadline that moves far more often than it passes."""

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls back once its time has passed.

    Moving it costs an addition: its one timer is left running, looks when it rings, and is set anew only then, or
    for an earlier time. A connection that serves request upon request so needs a timer every few seconds, not two
    for each.

    Args:
        loop: Tells and keeps the time.
        on_passed: Called when it has passed; it may move it.
    """

    __slots__ = ("_due", "_loop", "_on_passed", "_timer", "_timer_due")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_passed: Callable[[], None]) -> None:
        self._loop = loop
        self._on_passed = on_passed
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = math.inf

    def move(self, seconds: float) -> None:
        """Move it to so many seconds from now; it is kept only once `watch` was called."""
        self._due = self._loop.time() + seconds

    def expect(self, due: float) -> None:
        """Move it to a time on the event loop's clock, and see to it that it is noticed."""
        self._due = due
        if due < self._timer_due:
            self._set()

    def lift(self) -> None:
        """Have none for now."""
        self._due = math.inf

    def watch(self) -> None:
        """See to it that the deadline is noticed."""
        if self._due < self._timer_due:
            self._set()

    def cancel(self) -> None:
        """Have none for ever."""
        self.lift()
        if self._timer is not None:
            self._timer.cancel()
        self._on_passed = _ring_no_more  # whose deadline it is owns it: that is a cycle

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._due
        self._timer = self._loop.call_at(self._due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_due = math.inf
        if self._loop.time() >= self._due:
            self._due = math.inf
            self._on_passed()
        self.watch()


def _ring_no_more() -> None:
    """Nobody waits for it."""
