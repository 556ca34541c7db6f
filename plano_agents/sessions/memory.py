"""Pins in this process's memory: least recently used out first, idle ones expire, every step O(1).

Entries stand in the order of their last use, so the oldest is always first: it is the first to expire and the
first to be evicted (after a change of the idle time, nearly always). Entries in use are kept apart, where neither age nor size reaches them; so the cap holds for
sessions at rest, and sessions in use are bounded by the requests in flight. The clock is monotonic.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from plano_agents.sessions.pin import Pin, SessionKey


@dataclass(slots=True)
class _InUse:
    """A session with requests in flight."""

    pin: Pin | None
    requests: int


@dataclass(frozen=True, slots=True)
class _AtRest:
    """A session without requests in flight."""

    pin: Pin
    expires: float


class MemorySessionStore:
    """Keeps pins in memory; they end with the process.

    Args:
        ttl_seconds: How long an unused pin lives.
        max_entries: How many pins are held; the least recently used goes first, and none that is in use.
        clock: Monotonic time in seconds.
    """

    def __init__(self, *, ttl_seconds: float, max_entries: int, clock: Callable[[], float]) -> None:
        self._ttl_seconds = ttl_seconds
        self._max_entries = max_entries
        self._clock = clock
        self._in_use: dict[SessionKey, _InUse] = {}
        self._at_rest: OrderedDict[SessionKey, _AtRest] = OrderedDict()

    def configure(self, *, ttl_seconds: float, max_entries: int) -> None:
        """Change the limits; pins at rest keep the end that they have."""
        self._ttl_seconds = ttl_seconds
        self._max_entries = max_entries
        self._evict()

    def __len__(self) -> int:
        """How many sessions are held, in use or at rest."""
        return len(self._in_use) + len(self._at_rest)

    async def open(self, key: SessionKey) -> None:
        """See `SessionStore.open`."""
        self._expire()
        entry = self._in_use.get(key)
        if entry is None:
            rested = self._at_rest.pop(key, None)
            entry = self._in_use[key] = _InUse(rested.pin if rested is not None else None, 0)
        entry.requests += 1

    async def get(self, key: SessionKey) -> Pin | None:
        """See `SessionStore.get`."""
        return self._in_use[key].pin

    async def pin(self, key: SessionKey, pin: Pin) -> Pin:
        """See `SessionStore.pin`."""
        entry = self._in_use[key]
        if entry.pin is None:
            entry.pin = pin
            self._evict()
        return entry.pin

    async def move(self, key: SessionKey, old: Pin, new: Pin) -> Pin | None:
        """See `SessionStore.move`."""
        entry = self._in_use[key]
        if entry.pin == old:
            entry.pin = new
        return entry.pin

    async def close(self, key: SessionKey) -> None:
        """See `SessionStore.close`."""
        entry = self._in_use[key]
        entry.requests -= 1
        if entry.requests == 0:
            del self._in_use[key]
            if entry.pin is not None:
                self._at_rest[key] = _AtRest(entry.pin, self._clock() + self._ttl_seconds)
                self._evict()

    async def drop(self, key: SessionKey) -> bool:
        """See `SessionStore.drop`."""
        self._expire()
        entry = self._in_use.get(key)
        if entry is None:
            return self._at_rest.pop(key, None) is not None
        dropped, entry.pin = entry.pin, None
        return dropped is not None

    def _expire(self) -> None:
        """Let go of what has been idle for too long: always the first entries."""
        now = self._clock()
        while self._at_rest and next(iter(self._at_rest.values())).expires <= now:
            self._at_rest.popitem(last=False)

    def _evict(self) -> None:
        """Let go of the least recently used while there are too many."""
        while self._at_rest and len(self) > self._max_entries:
            self._at_rest.popitem(last=False)
