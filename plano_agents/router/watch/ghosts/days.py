"""Ghosts' sums by day, each day from midnight to midnight UTC.

Each process adds up its own, and writes each day's sums to the session store, in place of what it wrote before, every
few seconds: so nothing counts twice, and an outage loses nothing that a process still holds. Where the store is not
shared, or does not answer, there are this process's own sums alone, since its start.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from plano_agents.errors import StoreUnavailableError
from plano_agents.router.watch.ghosts.sums import Shares, Sums, decode_shares, encode_shares, merge_shares
from plano_agents.sessions.store import KEPT_DAYS, DayStore, SessionStore

WRITE_SECONDS = 2.0
"""How often what was added is written."""


class Found(NamedTuple):
    """The sums of some days."""

    days: Mapping[date, Shares]
    """Each day that has some, oldest first."""
    is_shared: bool
    """True if they are those of all processes that share the store."""
    is_degraded: bool
    """True if the shared store did not answer, and they are this process's own."""


class Days:
    """Keeps the sums of this process, and reads those of all.

    Args:
        store: The session store; a shared one keeps the sums too.
        wall_clock: Unix time in seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store if isinstance(store, DayStore) else None
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._process = secrets.token_hex(8)
        self._own: dict[date, Shares] = {}
        self._unwritten: set[date] = set()
        self._writing: asyncio.Task[None] | None = None
        self.began_at = wall_clock()
        """When this process began; Unix time in seconds."""

    @property
    def today(self) -> date:
        """The day that it is, in UTC."""
        return _find_day(self._wall_clock())

    def change(self, at: float, share: float) -> Sums:
        """Give the sums of a day, to be added to at once.

        Args:
            at: When the turn came; Unix time in seconds.
            share: The share of turns that is sampled.
        """
        day = _find_day(at)
        self._unwritten.add(day)
        if self._store is not None and self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._keep_writing())
        shares = self._own.get(day)
        if shares is None:
            shares = self._own[day] = {}
            self._forget_old()
        return shares.setdefault(share, Sums())

    async def read(self, since: date) -> Found:
        """Read the sums of all days from one on, this process's latest among them."""
        since = max(since, self.today - timedelta(days=KEPT_DAYS - 1))
        own = {day: shares for day, shares in sorted(self._own.items()) if day >= since}
        if self._store is None:
            return Found(own, is_shared=False, is_degraded=False)
        asked = [since + timedelta(days=number) for number in range((self.today - since).days + 1)]
        try:
            await self._write()
            notes = await self._store.read_days([day.isoformat() for day in asked])
        except StoreUnavailableError:
            return Found(own, is_shared=True, is_degraded=True)
        found: dict[date, Shares] = {}
        for day, contents in zip(asked, notes, strict=True):
            for content in contents:
                merge_shares(found.setdefault(day, {}), decode_shares(content))
        return Found(found, is_shared=True, is_degraded=False)

    async def aclose(self) -> None:
        """Write what was added since, and stop."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})
        with suppress(StoreUnavailableError):
            await self._write()

    async def _keep_writing(self) -> None:
        while True:
            await self._sleep(WRITE_SECONDS)
            with suppress(StoreUnavailableError):  # it is reported elsewhere, and what was not written is written later
                await self._write()

    async def _write(self) -> None:
        """Write the days that have changed.

        Raises:
            StoreUnavailableError: The store does not answer; they count as not written.
        """
        if self._store is None:
            return
        for day in sorted(self._unwritten):
            self._unwritten.discard(day)
            try:
                await self._store.write_day(day.isoformat(), self._process, encode_shares(self._own.get(day, {})))
            except BaseException:
                self._unwritten.add(day)
                raise

    def _forget_old(self) -> None:
        oldest = self.today - timedelta(days=KEPT_DAYS)
        for day in [each for each in self._own if each < oldest]:
            del self._own[day]
            self._unwritten.discard(day)


def _find_day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()
