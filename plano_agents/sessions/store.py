"""The interface of session stores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from plano_agents.observe.tally import Tally
from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.lanes import SEPARATOR
from plano_agents.sessions.pin import Notes, Pin, Session, SessionKey
from plano_agents.sessions.response_ids import Maker, ResponseKey

KEPT_DAYS = 90
"""How many days' notes a shared store keeps."""


class Held(NamedTuple):
    """A store's entry for a session."""

    pin: Pin | None
    """The live pin; None when there is none, which is another thing than not knowing."""
    degraded: bool = False
    """True if the shared store did not answer, and this is the replica's own memory."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An operator's filter of sessions; a field that is None takes any."""

    tenant: str | None = None
    """The tenant header's value."""
    prefix: str | None = None
    """What the affinity id begins with."""
    model: str | None = None
    """The pinned model, provider-qualified."""
    route: str | None = None
    """The preference that chose it."""
    named: str | None = None
    """What the affinity id, or a harness' own session id within it, begins with."""

    def admits_key(self, key: SessionKey) -> bool:
        """Check whether a session is wanted, as far as its key says."""
        if self.tenant not in (None, key.tenant) or not key.affinity_id.startswith(self.prefix or ""):
            return False
        named = self.named or ""
        return key.affinity_id.startswith(named) or key.affinity_id.partition(SEPARATOR)[2].startswith(named)

    def admits_pin(self, pin: Pin) -> bool:
        """Check whether a session is wanted, as far as its pin says."""
        return self.model in (None, pin.model) and self.route in (None, pin.route)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the sessions that were asked for."""

    sessions: Sequence[Session]
    """At most as many as were asked for; fewer, or none, is not the end."""
    cursor: str | None
    """Where the next page begins; None at the end."""
    degraded: bool = False
    """True if the shared store did not answer, and these are the replica's own."""


class SessionStore(Protocol):
    """Keeps one pin per session, for as long as its sessions are used.

    A session is in use between `open` and `close`: it does not expire and is not evicted while another can be.
    """

    @property
    def is_shared(self) -> bool:
        """True if other replicas use it too: then pins may move and end without this one's doing."""

    @property
    def tallies(self) -> Sequence[Tally]:
        """The tallies of the store."""

    def configure(self, *, max_entries: int) -> None:
        """Change how many pins are held in this process at most."""

    async def connect(self) -> None:
        """Look, before requests come, whether a shared store answers; one that does not is reported, and is out."""

    def open(self, key: SessionKey, ttl_seconds: float) -> Pin | None:
        """Begin a request of a session; a live pin stays alive until the request ends.

        Args:
            key: The session.
            ttl_seconds: How long its pin lives after its last use.

        Returns:
            Its live pin, where `get` would give it without asking anybody; else None.
        """

    async def get(self, key: SessionKey) -> Held:
        """Read the live pin of a session in use, and renew it."""

    def check(self, key: SessionKey, hear: Callable[[Pin | None], None]) -> bool:
        """Ask a shared store, without waiting, whether it still has the live pin that this process knows; renew it.

        Args:
            key: A session in use.
            hear: Told of the pin, once, later; of None where `get` has to find it. Raises nothing.

        Returns:
            False where nobody was asked, and nobody is told: `get` finds it.
        """

    async def pin(self, key: SessionKey, pin: Pin) -> Held:
        """Pin a session in use if no live pin is there, in one atomic step.

        Returns:
            The pin that holds: this one, or the one that was there first.
        """

    async def move(self, key: SessionKey, old: Pin, new: Pin) -> Held:
        """Replace the pin of a session in use, if it still is the one known, in one atomic step.

        Returns:
            The pin that holds now: the new one, another's, or None when the old one has ended.
        """

    def note(self, key: SessionKey, notes: Notes) -> None:
        """Add to what operators see of a session in use; a session without a pin gets nothing."""

    def close(self, key: SessionKey, turn: Tokens | None) -> None:
        """End a request of a session; its idle time starts now. Every `open` is followed by one.

        Args:
            key: The session.
            turn: What the request cost; None where no model was asked, so that it was not a turn.
        """

    async def drop(self, key: SessionKey) -> bool:
        """Forget a session's pin.

        Returns:
            Whether there was one.

        Raises:
            StoreUnavailableError: The shared store does not answer; nothing was done.
        """

    async def find(self, key: SessionKey) -> tuple[Session | None, bool]:
        """Explain a session without renewing it.

        Returns:
            The session, None when it has no live pin; and whether that is only what this replica knows.
        """

    async def scan(self, wanted: Wanted, *, limit: int, cursor: str | None) -> Page:
        """List sessions.

        Args:
            wanted: Which.
            limit: How many at most.
            cursor: Where an earlier page ended; None from the beginning.

        Raises:
            InvalidCursorError: The cursor is none of this store's.
        """

    async def note_response(self, response: ResponseKey, maker: Maker) -> None:
        """Note which session made a response, for as long as the session's pin lives unused."""

    async def find_maker(self, response: ResponseKey) -> Maker | None:
        """Find the session that made a response; None where that is not known. Its pin may have ended."""

    async def salt(self) -> bytes:
        """Give what implicit ids are salted with; replicas that share a store share it."""

    async def aclose(self) -> None:
        """Finish what is under way and close connections."""


@runtime_checkable
class DayStore(Protocol):
    """Keeps a note of each process for each day, for all that share the store; what a note says is its writer's."""

    async def write_day(self, day: str, process: str, note: bytes) -> None:
        """Write a process's note of a day, in place of its earlier one; it is kept for `KEPT_DAYS`.

        Args:
            day: The day, such as ``2026-11-28``.
            process: Names the process.
            note: The note.

        Raises:
            StoreUnavailableError: The store does not answer.
        """

    async def read_days(self, days: Sequence[str]) -> list[list[bytes]]:
        """Read all processes' notes of each of some days, in the days' order.

        Raises:
            StoreUnavailableError: The store does not answer.
        """


class StorePlace(NamedTuple):
    """The place of a shared store, as operators are told of it."""

    name: str
    """Its address, without user, password and options."""
    masters: Sequence[str]
    """The servers that commands go to, as far as they are known."""
    answers: bool
    """Whether it answered when it was last asked."""


@runtime_checkable
class PlacedStore(Protocol):
    """A store in a place of its own."""

    def find_place(self) -> StorePlace:
        """Say where it is, and whether it answers; asks nobody."""
