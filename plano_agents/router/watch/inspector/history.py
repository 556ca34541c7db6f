"""The inspector's history: the latest sessions with their latest turns, and totals since the start.

Memory is bounded three ways: `MAX_SESSIONS` sessions, `MAX_TURNS` turns of each, `MAX_RECORDS` turns in all; what was
used longest ago goes first. Turns that are too many for their session go together, once a quarter of `MAX_TURNS` is. A
session's counts and the totals go on counting what is no longer kept. Measured: 20,000 records of routed turns with
three scores hold 19 MiB, which is what the whole comes to.

Of most turns the trail is kept as it is, and a record is made when somebody reads (`record`).

Requests without a session are one group, with the same bounds. Everything happens on one
event loop, and nothing here does IO.
"""

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice
from statistics import median

import msgspec

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.router.request.trail import Trail, group_alike
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.record import GhostNews, Record, build_record, has_failed, is_lean, price
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.cost import price_tokens

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

Turn = Record | Trail
"""A request as it is kept."""

_NO_SESSION: Key = ("", None)


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
    """True if that may have been less."""
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
        if record.ghost is not None:
            self.ghosts.add(record.ghost)

    def add_alike(self, trails: Sequence[Trail]) -> None:
        """Count lean trails that are alike."""
        first, number = trails[0], len(trails)
        self.turns += number
        if first.decision is not None and first.decision.kind == "switch":
            self.switches += number
        if has_failed(first.status, first.failure):
            self.failures += number
        self.routing_ms += sum([trail.routing_ms or 0.0 for trail in trails])
        self.upstream_ms += sum([trail.upstream_ms or 0.0 for trail in trails])
        spent = [trail.tokens for trail in trails]
        together = Tokens(*map(sum, zip(*spent, strict=True)))
        self.input += together.input
        self.output += together.output
        self.cached += together.cached
        cost = price_tokens(together, first.prices) if first.prices is not None else None
        if cost is not None:
            self.priced += number - spent.count(NO_TOKENS)
            self.cost_usd += cost.usd
            self.cost_is_most = self.cost_is_most or cost.is_most

    def add_all(self, turns: Sequence[Turn]) -> None:
        """Count turns."""
        lean = [each for each in turns if isinstance(each, Trail)]
        for trails in group_alike(lean) if lean else ():
            self.add_alike(trails)
        for each in turns:
            if isinstance(each, Record):
                self.add(each)


class Remembered:
    """A session, or all requests without one."""

    __slots__ = ("_max_turns", "_older", "first_at", "kept", "key")

    def __init__(self, key: Key, first_at: float, max_turns: int) -> None:
        self.key = key
        self.first_at = first_at
        """When the first request came that is counted; Unix time in seconds."""
        self.kept: list[Turn] = []
        """The latest turns, oldest first, and perhaps a few more before `fold` is called."""
        self._max_turns = max_turns
        self._older = Counts()

    @property
    def last(self) -> int:
        """The number of the latest turn."""
        return self.kept[-1].n

    @property
    def turns(self) -> list[Record]:
        """The latest turns, oldest first."""
        self.fold()
        return [_read(each) for each in self.kept]

    def fold(self) -> None:
        """Let the oldest turns go that are too many; they still count."""
        excess = len(self.kept) - self._max_turns
        if excess > 0:
            self._older.add_all(self.kept[:excess])
            del self.kept[:excess]

    def add_ghost(self, news: GhostNews) -> Record | None:
        """Note a turn's ghost, and give its record; None where that is no longer kept."""
        self.fold()
        for number in reversed(range(len(self.kept))):
            turn = self.kept[number]
            if turn.trace_id == news.trace_id and news.at == (turn.at if isinstance(turn, Record) else turn.began_at):
                record = self.kept[number] = _read(turn)
                record.ghost = news.ghost
                return record
        self._older.ghosts.add(news.ghost)
        return None

    def count(self) -> Counts:
        """Sum up its turns, those that are no longer kept included."""
        counts = copy(self._older)
        counts.ghosts = copy(counts.ghosts)
        counts.add_all(self.kept)
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
        self._slack = max_turns // 4
        self._sessions: OrderedDict[Key, Remembered] = OrderedDict()
        self._recent: deque[Turn | GhostMark] = deque(maxlen=max_recent)
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
        """Called after changes; it must be quick."""

    def keep(self, trails: Sequence[Trail], prices: Mapping[str, ModelMetrics]) -> None:
        """Remember requests, and give them their numbers.

        Args:
            trails: Requests that are over, in the order of their ends.
            prices: What is known of the models' prices, by name.
        """
        records: dict[int, Record] = {}
        for each in group_alike(trails):
            if is_lean(each):
                known = price(each[0], prices)
                if known is not None:
                    for trail in each:
                        trail.prices = known
                self.counts.add_alike(each)
            else:
                for trail in each:
                    record = records[id(trail)] = build_record(trail, price(trail, prices))
                    self.counts.add(record)
        turns = [records.get(id(each), each) for each in trails] if records else trails
        self._remember(turns, [trail.session for trail in trails])

    def add(self, record: Record) -> None:
        """Remember a request that another process has written down, and give it its number."""
        self.counts.add(record)
        self._remember((record,), ((record.tenant, record.session),))

    def _remember(self, turns: Sequence[Turn], keys: Iterable[Key | None]) -> None:
        sessions, number = self._sessions, self.last
        for turn, named in zip(turns, keys, strict=True):
            turn.n = number = number + 1
            key = named or _NO_SESSION
            session = sessions.get(key)
            if session is None:
                session = self._begin(key, turn)
            else:
                sessions.move_to_end(key)
            kept = session.kept
            kept.append(turn)
            if len(kept) <= self._max_turns:
                self._kept += 1
            elif len(kept) > self._max_turns + self._slack:
                session.fold()
        self.last = number
        self._recent.extend(turns)
        while len(sessions) > self._max_sessions or (self._kept > self._max_records and len(sessions) > 1):
            _, forgotten = sessions.popitem(last=False)
            self._kept -= min(len(forgotten.kept), self._max_turns)
        self.on_change()

    def _begin(self, key: Key, turn: Turn) -> Remembered:
        """Begin to remember a session."""
        at = turn.at if isinstance(turn, Record) else turn.began_at
        session = self._sessions[key] = Remembered(key, at, self._max_turns)
        self.sessions += key[1] is not None
        return session

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

    def find_medians(self) -> tuple[float | None, float | None]:
        """Find the median times to decide, in milliseconds, of the latest `MAX_RECENT` turns.

        Returns:
            That of turns that were routed, and that of the others; None where there is none.
        """
        times: tuple[list[float], list[float]] = ([], [])
        for each in self._recent:
            if not isinstance(each, GhostMark) and each.routing_ms is not None:
                times[isinstance(each, Trail) or each.strategy is None].append(each.routing_ms)
        routed, others = (median(each) if each else None for each in times)
        return routed, others

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
        found = list(islice(reversed(self._recent), missing))[::-1]
        return [each if isinstance(each, GhostMark) else _read(each) for each in found]


def _read(turn: Turn) -> Record:
    """Give a turn's record."""
    return turn if isinstance(turn, Record) else build_record(turn, turn.prices)
