"""Requests that are over, on their way to observers: many at once, for one at a time costs several times as much.

They wait until there are `MAX_GATHERED`, or for `GATHER_SECONDS`. Who reads what observers made of them has them told
before, and so does a router that stops.
"""

import asyncio
from collections.abc import Sequence

from plano_agents.router.request.trail import Observer, Trail

GATHER_SECONDS = 0.02
"""How long requests that are over are gathered at most."""

MAX_GATHERED = 64
"""How many are gathered at most."""


class Telling:
    """The way from the requests of one configuration to its observers.

    Args:
        observers: Are told in this order.
        gather_seconds: How long requests are gathered; 0 tells of each at once, None is `GATHER_SECONDS`.
    """

    def __init__(self, observers: Sequence[Observer], *, gather_seconds: float | None = None) -> None:
        self._observers = observers
        self._gather_seconds = GATHER_SECONDS if gather_seconds is None else gather_seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[Trail] = []

    def add(self, trail: Trail) -> None:
        """Take a request that is over."""
        waiting = self._waiting
        waiting.append(trail)
        if self._timer is None or len(waiting) >= MAX_GATHERED:
            self._begin()

    def tell(self) -> None:
        """Tell of all requests that wait."""
        if self._waiting:
            told, self._waiting = self._waiting, []
            for observe in self._observers:
                observe(told)

    def _begin(self) -> None:
        """Tell of all, or see to it that all are told in time."""
        if not self._gather_seconds or len(self._waiting) >= MAX_GATHERED:
            self.tell()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._gather_seconds, self._end)

    def _end(self) -> None:
        self._timer = None
        self.tell()


def forget_traces(trails: Sequence[Trail]) -> None:
    """Drop what spans were made of, which may be whole requests; the last observer where requests are traced."""
    for trail in trails:
        trail.trace = None
