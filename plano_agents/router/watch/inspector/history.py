"""The inspector's history: the latest sessions with their latest turns, and totals since the start.

Memory is bounded three ways: `MAX_SESSIONS` sessions, `MAX_TURNS` turns of each, `MAX_RECORDS` turns in all; what was
used longest ago goes first. A session's counts and the totals go on counting what is no longer kept. Measured: 20,000
records of routed turns with three scores hold 19 MiB, which is what the whole comes to.

Requests without a session are one group, with the same bounds. Everything happens on one
event loop, and nothing here does IO.
"""

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from copy import copy
from itertools import islice

import msgspec

from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.record import GhostNews, Record

MAX_SESSIONS = 1_000
"""How many sessions are remembered, the requests without one counted as one."""

MAX_TURNS = 200
"""How many of a session's turns are, the latest ones."""

MAX_RECORDS = 20_000
"""How many turns of all sessions together."""

MAX_RECENT = 2_000
"""How many of the latest turns can be told again to a page that was away."""


Key = tuple[str, str | None]
"""A session's tenant and affinity id; with None, all requests without a session."""


class GhostCounts(msgspec.Struct, gc=False):
    """The totals of many turns that were routed beside."""

    routed: int = 0
    """How many there were."""
    compared: int = 0
    """Of how many it is known which model would have served the turn before."""
    switches: int = 0
    """How many would have been a switch."""
    input: int = 0
    """Prompt tokens of those that were compared."""
    anew: int = 0
    """Prompt tokens that would have been read anew."""
    routing_ms: float = 0.0
    """How long routing them took."""
    priced: int = 0
    """Of how many the list prices are known."""
    kept_usd: float = 0.0
    """The list price of these, as they were served."""
    usd: float = 0.0
    """Their list price without affinity."""

    def add(self, ghost: Ghost) -> None:
        """Count one more."""
        self.routed += 1
        self.compared += ghost.is_compared
        self.switches += ghost.is_switch
        self.input += ghost.input
        self.anew += ghost.anew
        self.routing_ms += ghost.routing_ms
        if ghost.usd is not None and ghost.kept_usd is not None:
            self.priced += 1
            self.kept_usd += ghost.kept_usd
            self.usd += ghost.usd


class GhostMark(msgspec.Struct, frozen=True, gc=False):
    """The ghost of a turn that is kept, for the page."""

    n: int
    """The mark's own number."""
    turn: int
    """The turn's."""
    tenant: str
    """The session's tenant."""
    session: str | None
    """The affinity id."""
    ghost: Ghost
    """The ghost."""


class Counts(msgspec.Struct, gc=False):
    """The totals of many requests."""

    turns: int = 0
    """How many there were."""
    switches: int = 0
    """How many moved a session to another model."""
    failures: int = 0
    """How many ended in an error for the client."""
    routed: int = 0
    """How many were routed; the others were pinned, or failed before."""
    routing_ms: float = 0.0
    """How long their decisions took together."""
    routed_ms: float = 0.0
    """How long those of the routed ones did."""
    upstream_ms: float = 0.0
    """How long their providers took together."""
    input: int = 0
    """Prompt tokens, cached ones included."""
    output: int = 0
    """Completion tokens."""
    cached: int = 0
    """Prompt tokens read from providers' caches."""
    cost_usd: float = 0.0
    """What those cost whose cost is known."""
    priced: int = 0
    """Of how many the cost is known."""
    cost_is_most: bool = False
    """Whether that may have been less."""
    ghosts: GhostCounts = msgspec.field(default_factory=GhostCounts)
    """Of those that were routed beside."""

    def add(self, record: Record) -> None:
        """Count one more."""
        self.turns += 1
        self.switches += record.decision == "switch"
        self.failures += record.has_failed
        routing_ms = record.routing_ms or 0.0
        self.routing_ms += routing_ms
        if record.strategy is not None:
            self.routed += 1
            self.routed_ms += routing_ms
        self.upstream_ms += record.upstream_ms or 0.0
        self.input += record.input
        self.output += record.output
        self.cached += record.cached
        if record.cost_usd is not None:
            self.priced += 1
            self.cost_usd += record.cost_usd
            self.cost_is_most = self.cost_is_most or record.cost_is_most


class Remembered:
    """A session, or all requests without one."""

    __slots__ = ("_older", "first_at", "key", "turns")

    def __init__(self, key: Key, first_at: float) -> None:
        self.key = key
        self.first_at = first_at
        """When the first request came that is counted; Unix time in seconds."""
        self.turns: deque[Record] = deque()
        """The latest, oldest first."""
        self._older = Counts()

    def forget_oldest(self) -> None:
        """Let the oldest turn go; it still counts."""
        turn = self.turns.popleft()
        self._older.add(turn)
        if turn.ghost is not None:
            self._older.ghosts.add(turn.ghost)

    def add_ghost(self, news: GhostNews) -> Record | None:
        """Note a turn's ghost, and give its record; None where that is no longer kept."""
        for turn in reversed(self.turns):
            if turn.at == news.at and turn.trace_id == news.trace_id:
                turn.ghost = news.ghost
                return turn
        self._older.ghosts.add(news.ghost)
        return None

    def count(self) -> Counts:
        """Sum up its turns, those that are no longer kept included."""
        counts = copy(self._older)
        counts.ghosts = copy(counts.ghosts)
        for turn in self.turns:
            counts.add(turn)
            if turn.ghost is not None:
                counts.ghosts.add(turn.ghost)
        return counts


class History:
    """Remembers requests that are over.

    Args:
        max_sessions: How many sessions are remembered.
        max_turns: How many turns of each.
        max_records: How many turns in all.
        max_recent: How many of the latest are kept in the order of their ends.
        wall_clock: Unix time in seconds.
    """

    def __init__(
        self,
        *,
        max_sessions: int = MAX_SESSIONS,
        max_turns: int = MAX_TURNS,
        max_records: int = MAX_RECORDS,
        max_recent: int = MAX_RECENT,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_sessions = max_sessions
        self._max_turns = max_turns
        self._max_records = max_records
        self._sessions: OrderedDict[Key, Remembered] = OrderedDict()
        self._recent: deque[Record | GhostMark] = deque(maxlen=max_recent)
        self._kept = 0
        self.epoch = secrets.token_hex(4)
        """Names this history: numbers of another, before a restart, mean nothing here."""
        self.since = wall_clock()
        """When it began; Unix time in seconds."""
        self.last = 0
        """The latest record's or mark's number; 0 before there is one."""
        self.counts = Counts()
        """All requests since it began."""
        self.sessions = 0
        """How many sessions there were since it began; one that was forgotten and came back counts again."""
        self.violations = 0
        """How many requests broke the promise that a session keeps its model; it must stay 0."""
        self.on_change: Callable[[], None] = lambda: None
        """Called after each change; it must be quick."""

    def add(self, record: Record) -> None:
        """Remember a request, and give it its number."""
        self.last = record.n = self.last + 1
        self.counts.add(record)
        self._recent.append(record)
        key = (record.tenant, record.session)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = Remembered(key, record.at)
            self.sessions += record.session is not None
        else:
            self._sessions.move_to_end(key)
        session.turns.append(record)
        self._kept += 1
        if len(session.turns) > self._max_turns:
            session.forget_oldest()
            self._kept -= 1
        while len(self._sessions) > self._max_sessions or (self._kept > self._max_records and len(self._sessions) > 1):
            _, forgotten = self._sessions.popitem(last=False)
            self._kept -= len(forgotten.turns)
        self.on_change()

    def add_ghost(self, news: GhostNews) -> None:
        """Note the ghost of a turn that was remembered."""
        self.counts.ghosts.add(news.ghost)
        session = self._sessions.get((news.tenant, news.session))
        record = session.add_ghost(news) if session is not None else None
        if record is not None:
            self.last += 1
            self._recent.append(GhostMark(self.last, record.n, news.tenant, news.session, news.ghost))
        self.on_change()

    def count_violation(self) -> None:
        """Count a broken promise."""
        self.violations += 1
        self.on_change()

    def find(self, key: Key) -> Remembered | None:
        """Give a session; None where it is not remembered."""
        return self._sessions.get(key)

    def latest(self) -> Iterator[Remembered]:
        """Give the sessions, the one used last first."""
        return reversed(self._sessions.values())

    def after(self, number: int) -> list[Record | GhostMark] | None:
        """Give the records and marks after one, oldest first.

        Args:
            number: The last one known.

        Returns:
            The records and marks; None where they are no longer all kept, or the number is none of this history's.
        """
        missing = self.last - number
        if not 0 <= missing <= len(self._recent):
            return None
        return list(islice(reversed(self._recent), missing))[::-1]
