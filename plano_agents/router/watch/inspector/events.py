r"""Server-sent events: what happens, to everybody who watches, as it happens.

There is no queue per watcher to fill: each holds a number, the last record that it was told of, and takes what came
after it from the history's latest. So one that reads slowly costs nothing and holds nobody; when what it missed is no
longer kept, it is told ``reset`` and asks for the whole again. A number is ``<epoch>-<n>``; with ``Last-Event-ID`` a
watcher that was away goes on where it was.

=========  ====================================================================
event      data
=========  ====================================================================
``turns``  ``{"turns": [record, …], "ghosts": [mark, …], "totals": {…}}``, at most ten
           times a second
``reset``  ``{}``: what the page knows has a gap; the id is where it goes on
=========  ====================================================================

Comments (``: beat``) keep quiet connections open. The stream is WHATWG's (HTML, section 9.2).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from plano_agents.errors import OverloadedError
from plano_agents.router.watch.inspector.history import Counts, GhostMark, History
from plano_agents.router.watch.inspector.record import Record

HEARTBEAT_SECONDS = 15.0
"""How long a stream is silent at most."""

GATHER_SECONDS = 0.1
"""How long events are gathered before they are sent together."""

RETRY_MS = 1_000
"""When a page whose connection broke comes back."""

FULL_RETRY_SECONDS = 10
"""When a page comes back that there was no room for."""

MAX_WATCHERS = 32
"""How many may watch at once."""


class Totals(msgspec.Struct):
    """The totals of all requests since the start."""

    since: float
    """When the history began; Unix time in seconds."""
    sessions: int
    """How many sessions there were."""
    violations: int
    """How many requests broke the promise."""
    counts: Counts
    """The rest."""
    routed_ms: float | None
    """The median time to decide of the latest turns that were routed; None where there are none."""
    pinned_ms: float | None
    """The same of those that were not, for their model was pinned."""


class _Turns(msgspec.Struct):
    turns: list[Record]
    ghosts: list[GhostMark]
    totals: Totals


def build_totals(history: History) -> Totals:
    """Sum up a history."""
    routed, pinned = history.find_medians()
    return Totals(history.since, history.sessions, history.violations, history.counts, routed, pinned)


def name_event(history: History) -> str:
    """Name the latest event, for a stream to begin after it."""
    return f"{history.epoch}-{history.last}"


class Events:
    """Tells watchers what a history remembers, as it does.

    Args:
        history: Whose changes are told; it has one teller.
        heartbeat_seconds: How long a stream is silent at most.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        history: History,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._history = history
        self._heartbeat_seconds = heartbeat_seconds
        self._sleep = sleep
        self._waiting: set[asyncio.Event] = set()
        self._encoder = msgspec.json.Encoder()
        self._closed = False
        self.watchers = 0
        """How many watch now."""
        history.on_change = self._wake

    def close(self) -> None:
        """End all streams, for the router stops."""
        self._closed = True
        self._wake()

    def watch(self, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
        """Tell what happens.

        Args:
            last_event_id: The last event that the watcher knows; None to begin now.

        Returns:
            The stream, as it comes; it ends when the router stops. It must be closed.

        Raises:
            OverloadedError: `MAX_WATCHERS` watch already.
        """
        if self.watchers >= MAX_WATCHERS:
            raise OverloadedError(
                f"{self.watchers} pages are already connected, which is the limit. Close one.",
                retry_after_seconds=FULL_RETRY_SECONDS,
            )
        return self._watch(self._read_number(last_event_id))

    async def _watch(self, number: int | None) -> AsyncGenerator[bytes, None]:
        if self.watchers >= MAX_WATCHERS:  # others that were let in at the same moment
            yield b"retry: %d\n\n" % (FULL_RETRY_SECONDS * 1_000)
            return
        changed = asyncio.Event()
        self._waiting.add(changed)
        self.watchers += 1
        violations = self._history.violations
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            while not self._closed:
                changed.clear()
                records = self._history.after(number) if number is not None else None
                number = self._history.last
                if records is None:
                    yield self._write(b"reset", b"{}")
                elif records or violations != self._history.violations:
                    violations = self._history.violations
                    turns = [each for each in records if isinstance(each, Record)]
                    ghosts = [each for each in records if isinstance(each, GhostMark)]
                    told = _Turns(turns, ghosts, build_totals(self._history))
                    yield self._write(b"turns", self._encoder.encode(told))
                    await self._sleep(GATHER_SECONDS)
                    continue
                if not changed.is_set() and not await self._happens(changed):
                    yield b": beat\n\n"
        finally:
            self.watchers -= 1
            self._waiting.discard(changed)

    async def _happens(self, changed: asyncio.Event) -> bool:
        """Wait for a change; say whether one came before a heartbeat is due."""
        try:
            async with asyncio.timeout(self._heartbeat_seconds):
                await changed.wait()
        except TimeoutError:
            return False
        return True

    def _write(self, kind: bytes, data: bytes) -> bytes:
        return b"event: %s\nid: %s\ndata: %s\n\n" % (kind, name_event(self._history).encode(), data)

    def _read_number(self, event_id: str | None) -> int | None:
        """Read an event's number; None where it is none of this history's."""
        if event_id is None:
            return self._history.last
        epoch, _, number = event_id.partition("-")
        is_ours = epoch == self._history.epoch and number.isascii() and number.isdigit() and len(number) < 16  # noqa: PLR2004 - no count is longer
        return int(number) if is_ours else None

    def _wake(self) -> None:
        for each in self._waiting:
            each.set()
