"""Deadlines that move."""

import asyncio
from collections.abc import Callable
from typing import cast

from plano_agents.http.deadline import Deadline


class Timer:
    """A timer of the loop below."""

    def __init__(self, due: float, ring: Callable[[], None]) -> None:
        self.due, self.ring, self.cancelled = due, ring, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A loop whose time moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, ring: Callable[[], None]) -> Timer:
        self.timers.append(Timer(due, ring))
        return self.timers[-1]

    def advance(self, now: float) -> None:
        self.now = now
        for timer in [timer for timer in self.timers if timer.due <= now]:
            self.timers.remove(timer)
            if not timer.cancelled:
                timer.ring()


def build() -> tuple[Loop, Deadline, list[float]]:
    """A loop, a deadline on it, and the times at which it passed."""
    loop = Loop()
    passed: list[float] = []
    deadline = Deadline(cast("asyncio.AbstractEventLoop", loop), lambda: passed.append(loop.now))
    return loop, deadline, passed


def test_a_deadline_passes_once() -> None:
    loop, deadline, passed = build()
    deadline.move(5)
    deadline.watch()
    for now in (4.9, 5.0, 50.0):
        loop.advance(now)
    assert passed == [5.0]


def test_a_deadline_that_moves_later_passes_then_with_one_timer_for_many_moves() -> None:
    loop, deadline, passed = build()
    for now in (0, 1, 2, 3):
        loop.advance(now)
        deadline.move(5)
        deadline.watch()
    assert len(loop.timers) == 1
    for now in (5, 7, 8):
        loop.advance(now)
    assert passed == [8]


def test_a_deadline_that_moves_earlier_passes_then() -> None:
    loop, deadline, passed = build()
    deadline.move(75)
    deadline.watch()
    deadline.move(1)
    deadline.watch()
    for now in (1, 75):
        loop.advance(now)
    assert passed == [1]


def test_a_lifted_deadline_passes_only_when_it_is_set_again() -> None:
    loop, deadline, passed = build()
    deadline.move(1)
    deadline.watch()
    deadline.lift()
    loop.advance(10)
    deadline.move(1)
    deadline.watch()
    loop.advance(11)
    assert passed == [11]


def test_a_deadline_may_be_moved_when_it_passes() -> None:
    loop = Loop()
    passed: list[float] = []

    def again() -> None:
        passed.append(loop.now)
        deadline.move(2)

    deadline = Deadline(cast("asyncio.AbstractEventLoop", loop), again)
    deadline.move(1)
    deadline.watch()
    for now in (1, 2, 3):
        loop.advance(now)
    assert passed == [1, 3]


def test_a_cancelled_deadline_never_passes() -> None:
    loop, deadline, passed = build()
    deadline.move(1)
    deadline.watch()
    deadline.cancel()
    loop.advance(10)
    assert passed == []
