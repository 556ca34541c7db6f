"""Keeps shared pins alive while they are used, in the background, many at once.

A session with requests in flight is renewed `RENEWALS_PER_LIFE` times within its idle time, for as long as they run;
what ended requests did is collected for a moment before it is written.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.redis import Renewal, add_up

WRITE_SECONDS = 0.25
"""How long renewals are collected before they are written."""

RENEWALS_AT_ONCE = 64
"""How many renewals are written in one go, so that a pin that is waited for can come in between."""

RENEWALS_PER_LIFE = 3
"""How often a pin in flight is renewed within its time to live."""


class Renewer:
    """Knows which sessions are in flight, and has them renewed.

    Args:
        write: Writes renewals; never fails.
        find_lineage: Says which pin a session in flight has, None for none.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Renewal]], Awaitable[None]],
        find_lineage: Callable[[SessionKey], str | None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._write = write
        self._find_lineage = find_lineage
        self._sleep = sleep
        self._in_flight: dict[SessionKey, tuple[float, int]] = {}
        self._waiting: dict[tuple[SessionKey, str], list[Renewal]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._beat_seconds = math.inf
        self._is_collecting = self._is_closing = False

    def open(self, key: SessionKey, ttl_seconds: float) -> None:
        """Note that a request of a session begins; the latest says how long its pin lives after its last use."""
        self._in_flight[key] = (ttl_seconds, self.count(key) + 1)
        if ttl_seconds / RENEWALS_PER_LIFE < self._beat_seconds:
            if self._beating is not None:
                self._beating.cancel()
            self._beat_seconds = ttl_seconds / RENEWALS_PER_LIFE
            self._beating = asyncio.create_task(self._beat(self._beat_seconds))

    def ttl_seconds(self, key: SessionKey) -> float:
        """The lifetime of a pin in flight after its last use."""
        return self._in_flight[key][0]

    def count(self, key: SessionKey) -> int:
        """The number of a session's requests in flight."""
        return self._in_flight.get(key, (0.0, 0))[1]

    def close(self, key: SessionKey) -> None:
        """Note that a request of a session ends."""
        ttl_seconds, requests = self._in_flight.pop(key)
        if requests > 1:
            self._in_flight[key] = (ttl_seconds, requests - 1)

    def add(self, renewal: Renewal) -> None:
        """Have something written soon, with what waits of the same pin already."""
        self._waiting.setdefault((renewal.key, renewal.lineage), []).append(renewal)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_soon())

    async def flush(self) -> None:
        """Write what was collected."""
        while self._waiting:
            places = [*islice(self._waiting, RENEWALS_AT_ONCE)]
            await self._write([add_up(self._waiting.pop(place)) for place in places])

    async def aclose(self) -> None:
        """Write what was collected, and stop; a write that is under way comes to its end."""
        self._is_closing = True
        if self._beating is not None:
            self._beating.cancel()
        if self._writing is not None and self._is_collecting:
            self._writing.cancel()
        under_way = [task for task in (self._beating, self._writing) if task is not None]
        if under_way:
            await asyncio.wait(under_way)
        await self.flush()

    async def _beat(self, seconds: float) -> None:
        """Renew the sessions in flight, again and again until there are none."""
        while True:
            await self._sleep(seconds)
            if not self._in_flight:
                self._beating, self._beat_seconds = None, math.inf
                return
            for key, (ttl_seconds, _) in self._in_flight.items():
                lineage = self._find_lineage(key)
                if lineage is not None:
                    self.add(Renewal(key, ttl_seconds, lineage))

    async def _write_soon(self) -> None:
        try:
            while self._waiting and not self._is_closing:
                self._is_collecting = True
                await self._sleep(WRITE_SECONDS)
                self._is_collecting = False
                await self.flush()
        finally:
            self._writing = None
