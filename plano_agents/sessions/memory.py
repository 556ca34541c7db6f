"""Pins in this process's memory: least recently used out first, idle ones expire, every step O(1).

Entries stand in the order of their last use, so the oldest is always first: the first to be evicted and, where all
have the same idle time, the first to expire. One that expires before those in front of it, having a shorter idle
time, is not found any more and leaves when its turn comes. Entries in use are kept apart, where neither age nor size
reaches them; so the cap holds for sessions at rest, and sessions in use are bounded by the requests in flight.
Sessions that were only decided, as ``/routing/v1`` does, which costs a client nothing, have a part of their own under
the same cap: any number of them pushes out none that a model has served.
The clock is monotonic.
"""

import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, get_args

from plano_agents.errors import InvalidCursorError
from plano_agents.observe.tally import Counter, Labels, Reading, Tally
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.pin import NO_NOTES, Notes, Pin, Session, SessionKey
from plano_agents.sessions.response_ids import Maker, ResponseIds, ResponseKey
from plano_agents.sessions.store import Held, Page, Wanted

Causes = Literal["idle", "evicted", "dropped", "elsewhere"]
"""How a pin ends; elsewhere: the shared store has it no longer, or has another."""


@dataclass(slots=True)
class _Entry:
    """A session."""

    pin: Pin | None
    """None only while requests are in flight: not pinned yet, or dropped."""
    ttl_seconds: float
    """How long it lives after its last use."""
    used_at: float
    """When a request of it last began or ended, by the monotonic clock."""
    requests: int = 0
    """How many are in flight."""
    turns: int = 0
    """How many that a model was asked for have ended."""
    tokens: Tokens = NO_TOKENS
    """What they cost."""
    served_at: float | None = None
    """When the latest of them ended, by the monotonic clock."""
    notes: Notes = NO_NOTES
    """What operators see of it beside its pin."""

    @property
    def expires_at(self) -> float:
        """The time at which it ends if nobody uses it."""
        return self.used_at + self.ttl_seconds


class MemorySessionStore:
    """Keeps pins in memory; they end with the process.

    Args:
        max_entries: How many pins are held at rest of sessions that were served, and as many of sessions that were
            only decided; the least recently used goes first.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.
        on_end: Told of every pin that ends: by its idle time, by eviction, by `drop`.
    """

    is_shared = False

    def __init__(
        self,
        *,
        max_entries: int,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        on_end: Callable[[SessionKey], None] = lambda _key: None,
    ) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._wall_clock = wall_clock
        self.on_end = on_end
        self._in_use: dict[SessionKey, _Entry] = {}
        self._served: OrderedDict[SessionKey, _Entry] = OrderedDict()
        self._decided: OrderedDict[SessionKey, _Entry] = OrderedDict()
        self._responses = ResponseIds()
        self._due = math.inf  # nothing at rest ends before, but what stands behind others
        self._salt = secrets.token_bytes(16)
        self._begun = Counter("plano_pins_begun", "Pins that came to be held in memory.")
        self._ended = Counter(
            "plano_pins_ended",
            "Pins in memory that ended, by their idle time, by eviction, by being dropped, or elsewhere.",
            ["cause"],
            start=[(cause,) for cause in get_args(Causes)],
        )
        held = Reading("plano_pins", "Live pins held in memory.", self._count_live)
        self.tallies: Sequence[Tally] = (held, self._begun, self._ended)

    def configure(self, *, max_entries: int) -> None:
        """See `SessionStore.configure`."""
        self._max_entries = max_entries
        self._evict(self._served)
        self._evict(self._decided)

    def __len__(self) -> int:
        """The number of sessions held, in use or at rest."""
        return len(self._in_use) + len(self._served) + len(self._decided)

    async def connect(self) -> None:
        """There is nothing to look at."""

    def open(self, key: SessionKey, ttl_seconds: float) -> Pin | None:
        """See `SessionStore.open`."""
        now = self._clock()
        if now >= self._due:
            self._expire(now)
        entry = self._in_use.get(key)
        if entry is None:
            entry = self._served.pop(key, None) or self._decided.pop(key, None)
            if entry is None or entry.used_at + entry.ttl_seconds <= now:
                entry = self._begin_anew(key, entry)
            self._in_use[key] = entry
        entry.ttl_seconds, entry.used_at = ttl_seconds, now
        entry.requests += 1
        return entry.pin

    async def get(self, key: SessionKey) -> Held:
        """See `SessionStore.get`."""
        return Held(self._in_use[key].pin)

    def check(self, key: SessionKey, hear: Callable[[Pin | None], None]) -> bool:  # noqa: ARG002 - nobody to ask
        """See `SessionStore.check`; `open` gives the pin already."""
        return False

    async def pin(self, key: SessionKey, pin: Pin) -> Held:
        """See `SessionStore.pin`."""
        entry = self._in_use[key]
        if entry.pin is None:
            self._begin(entry, pin)
        return Held(entry.pin)

    async def move(self, key: SessionKey, old: Pin, new: Pin) -> Held:
        """See `SessionStore.move`."""
        entry = self._in_use[key]
        if entry.pin is not None and entry.pin.is_at(old):
            entry.pin = new
        return Held(entry.pin)

    def peek(self, key: SessionKey) -> Pin | None:
        """The pin of a session in use."""
        return self._in_use[key].pin

    def replace(self, key: SessionKey, pin: Pin | None) -> None:
        """Hold whatever was learnt of a session in use; for a store that is this one's master."""
        entry = self._in_use[key]
        if entry.pin is not None and (pin is None or entry.pin.lineage != pin.lineage):
            self._ended.add(("elsewhere",))
        if pin is not None and (entry.pin is None or entry.pin.lineage != pin.lineage):
            self._begin(entry, pin)
        else:
            entry.pin = pin

    def note(self, key: SessionKey, notes: Notes) -> None:
        """See `SessionStore.note`."""
        entry = self._in_use[key]
        if entry.pin is not None:
            entry.notes = entry.notes.add(notes)

    def close(self, key: SessionKey, turn: Tokens | None) -> None:
        """See `SessionStore.close`."""
        entry = self._in_use[key]
        now = entry.used_at = self._clock()
        entry.requests -= 1
        if turn is not None:
            spent = entry.tokens
            spent = Tokens(spent[0] + turn[0], spent[1] + turn[1], spent[2] + turn[2], spent[3] + turn[3])
            entry.turns, entry.served_at, entry.tokens = entry.turns + 1, now, spent
        if entry.requests == 0:
            del self._in_use[key]
            if entry.pin is not None:
                self._rest(key, entry, now)

    def _rest(self, key: SessionKey, entry: _Entry, now: float) -> None:
        """Keep a session that nobody uses."""
        part = self._served if entry.turns else self._decided
        part[key] = entry
        self._due = min(self._due, now + entry.ttl_seconds)
        if len(part) > self._max_entries:
            self._evict(part)

    async def drop(self, key: SessionKey) -> bool:
        """See `SessionStore.drop`."""
        self._expire(self._clock())
        entry = self._in_use.get(key)
        if entry is None:
            entry = self._take(key)
            live = entry is not None and entry.expires_at > self._clock()
        else:
            live = entry.pin is not None
            entry.pin = None
        if live:
            self._end(key, "dropped")
        elif entry is not None:
            self.on_end(key)
        return live

    async def find(self, key: SessionKey) -> tuple[Session | None, bool]:
        """See `SessionStore.find`."""
        entry = self._in_use.get(key) or self._served.get(key) or self._decided.get(key)
        return (self._describe(key, entry) if entry is not None else None), False

    async def scan(self, wanted: Wanted, *, limit: int, cursor: str | None) -> Page:
        """See `SessionStore.scan`; those in use come first, those only decided last; of each the latest used first.

        A page's cursor counts the sessions before it: where sessions are used meanwhile, one may be listed twice.
        """
        start = _parse_cursor(cursor)
        parts = (self._in_use, self._served, self._decided)
        entries = chain.from_iterable(reversed(part.items()) for part in parts)
        found: list[Session] = []
        for number, (key, entry) in enumerate(islice(entries, start, None), start):
            if len(found) == limit:
                return Page(found, str(number))
            if wanted.admits_key(key) and entry.pin is not None and wanted.admits_pin(entry.pin):
                session = self._describe(key, entry)
                if session is not None:
                    found.append(session)
        return Page(found, None)

    async def note_response(self, response: ResponseKey, maker: Maker) -> None:
        """See `SessionStore.note_response`."""
        self._responses.note(response, maker)

    async def find_maker(self, response: ResponseKey) -> Maker | None:
        """See `SessionStore.find_maker`."""
        return self._responses.find(response)

    async def salt(self) -> bytes:
        """See `SessionStore.salt`."""
        return self._salt

    async def aclose(self) -> None:
        """Nothing is under way."""

    def _describe(self, key: SessionKey, entry: _Entry) -> Session | None:
        now = self._clock()
        used_at = now if entry.requests else entry.used_at
        left = used_at + entry.ttl_seconds - now
        if entry.pin is None or left <= 0:
            return None
        epoch = self._wall_clock() - now
        served_at = epoch + entry.served_at if entry.served_at is not None else None
        counts = (entry.requests, entry.turns, entry.tokens)
        return Session(key, entry.pin, epoch + entry.used_at, left, *counts, served_at, entry.notes)

    def _begin(self, entry: _Entry, pin: Pin) -> None:
        """Start counting anew with a new pin."""
        entry.pin, entry.turns, entry.tokens, entry.served_at, entry.notes = pin, 0, NO_TOKENS, None, NO_NOTES
        self._begun.add()

    def _end(self, key: SessionKey, cause: Causes) -> None:
        self._ended.add((cause,))
        self.on_end(key)

    def _count_live(self) -> Mapping[Labels, float]:
        self._expire(self._clock())
        at_rest = len(self._served) + len(self._decided)
        return {(): at_rest + sum(entry.pin is not None for entry in self._in_use.values())}

    def _expire(self, now: float) -> None:
        """Drop what has been idle for too long, from the front, and note when there may be more of it."""
        self._due = math.inf
        for part in (self._served, self._decided):
            while part:
                oldest = part[next(iter(part))]
                expires_at = oldest.used_at + oldest.ttl_seconds
                if expires_at > now:
                    self._due = min(self._due, expires_at)
                    break
                self._end(part.popitem(last=False)[0], "idle")

    def _begin_anew(self, key: SessionKey, ended: _Entry | None) -> _Entry:
        """Begin a session that has none yet, or whose pin has ended without being noticed."""
        if ended is not None:
            self._end(key, "idle")
        return _Entry(None, 0, 0)

    def _evict(self, part: OrderedDict[SessionKey, _Entry]) -> None:
        """Drop the least recently used while there are too many."""
        while len(part) > self._max_entries:
            self._end(part.popitem(last=False)[0], "evicted")

    def _take(self, key: SessionKey) -> _Entry | None:
        """Take a session at rest out, to be used or dropped."""
        return self._served.pop(key, None) or self._decided.pop(key, None)


def _parse_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):  # noqa: PLR2004 - 64 bits
        raise InvalidCursorError(f"{cursor!r} is not a cursor. Send the one that the last page gave.", param="cursor")
    return int(cursor)
