"""Pins that replicas share in Redis, and what each goes by when Redis does not answer.

While the store answers, it alone says what is pinned. What this replica learns of its own sessions it also remembers
in memory, and while the store is out (`Outage`) that memory takes its place: requests go on by it, and say so.

"Failed" ends no pin. "Absent" ends one, unless this replica knows better, and then puts it back:

- it was decided while the store was out: the store never had it;
- the store has lost its data since it had it: it bears another mark (`RedisPins.identify`). The pin then begins anew,
  under another lineage, for replicas may remember different moves of it, and the first to tell is right. So it is where
  another server has taken over, for what had not reached that one is lost;
- it was used while the store was out, past the time at which the store, unaware of that, dropped it.

So a pin that was dropped elsewhere stays dropped. A move that was made in an outage is made again where the store
still has the pin that was moved; where it has another one by then, that one holds. So replicas that disagreed in an
outage agree after it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from plano_agents.errors import StoreUnavailableError
from plano_agents.observe.tally import Reading, Tally
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.checks import Checks
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.outage import Outage
from plano_agents.sessions.pin import Notes, Pin, Session, SessionKey
from plano_agents.sessions.redis import NOTHING_READ, Looked, RedisPins, Renewal, Sought
from plano_agents.sessions.redis_commands import StoreFailedError
from plano_agents.sessions.renewer import Renewer
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.sessions.store import Held, Page, StorePlace, Wanted

T = TypeVar("T")


class _Copy(NamedTuple):
    """The state of the store's copy of a pin that this replica remembers."""

    life: bytes
    """The life of the store's data when it had it."""
    until: float
    """When it expires there if nobody renews it; monotonic time in seconds."""
    read: Looked = NOTHING_READ
    """What was read last, where reading it was the last thing that was done with it."""


class _Said(NamedTuple):
    """The store's answer about a session."""

    pin: Pin | None
    """The pin that it has."""
    copy: _Copy | None = None
    """Its copy; None where it was renewed now, and nothing more is known."""


class SharedSessionStore:
    """Keeps pins in Redis, and in this process's memory while Redis is out.

    Args:
        pins: The pins in Redis.
        memory: This replica's own memory.
        outage: Knows whether Redis is out.
        sleep: Waits for some seconds.
        clock: Monotonic time in seconds.
    """

    is_shared = True

    def __init__(
        self,
        pins: RedisPins,
        memory: MemorySessionStore,
        outage: Outage,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pins = pins
        self._memory = memory
        self._outage = outage
        self._clock = clock
        self._renewer = Renewer(self._renew, self._find_lineage, sleep=sleep)
        self._checks = Checks(self._look)
        self._copies: dict[SessionKey, _Copy] = {}
        self._lives: dict[str, bytes] = {}
        self._salt: bytes | None = None
        self._is_salted = False
        memory.on_end = self._forget_copy
        degraded = Reading(
            "plano_store_degraded",
            "Processes that go by their own memory now, because the shared store does not answer.",
            lambda: {(): float(outage.is_on)},
        )
        self.tallies: Sequence[Tally] = (*memory.tallies, *pins.times.tallies, degraded)

    def find_place(self) -> StorePlace:
        """See `PlacedStore.find_place`."""
        return StorePlace(self._outage.name, self._pins.list_masters(), answers=not self._outage.is_on)

    def configure(self, *, max_entries: int) -> None:
        """See `SessionStore.configure`; the cap is that of this replica's own memory."""
        self._memory.configure(max_entries=max_entries)

    async def connect(self) -> None:
        """See `SessionStore.connect`."""
        try:
            self._check()
            await self._identify()
            await self._pins.probe()
        except StoreFailedError as error:
            self._begin_outage(error)

    def open(self, key: SessionKey, ttl_seconds: float) -> None:
        """See `SessionStore.open`; the store says what is pinned."""
        self._memory.open(key, ttl_seconds)
        self._renewer.open(key, ttl_seconds)

    async def get(self, key: SessionKey) -> Held:
        """See `SessionStore.get`."""
        checked: asyncio.Future[Pin | None] = asyncio.get_running_loop().create_future()
        if self.check(key, lambda pin: None if checked.done() else checked.set_result(pin)):
            pin = await checked
            if pin is not None:
                return Held(pin)
        return await self._ask(key, lambda ttl: self._reconcile(key, ttl), lambda: self._memory.get(key))

    def check(self, key: SessionKey, hear: Callable[[Pin | None], None]) -> bool:
        """See `SessionStore.check`."""
        copy = self._copies.get(key)
        if copy is None or copy.read.pin is None or self._outage.is_on or self._memory.peek(key) is not copy.read.pin:
            return False
        sought = Sought(key, self._renewer.ttl_seconds(key), copy.read)
        self._checks.add(
            self._pins.find_shard(key),
            sought,
            lambda looked: hear(copy.read.pin if looked is not None and self._is_still(sought, looked, copy) else None),
        )
        return True

    async def pin(self, key: SessionKey, pin: Pin) -> Held:
        """See `SessionStore.pin`."""

        async def write(ttl_seconds: float) -> _Said:
            return _Said(await self._pins.pin(key, pin, ttl_seconds))

        return await self._ask(key, write, lambda: self._memory.pin(key, pin))

    async def move(self, key: SessionKey, old: Pin, new: Pin) -> Held:
        """See `SessionStore.move`."""

        async def write(ttl_seconds: float) -> _Said:
            return _Said(await self._pins.move(key, old, new, ttl_seconds))

        return await self._ask(key, write, lambda: self._memory.move(key, old, new))

    def note(self, key: SessionKey, notes: Notes) -> None:
        """See `SessionStore.note`."""
        self._memory.note(key, notes)
        lineage = self._find_lineage(key)
        if lineage is not None and not self._outage.is_on:
            self._renewer.add(Renewal(key, self._renewer.ttl_seconds(key), lineage, notes=notes))

    def close(self, key: SessionKey, turn: Tokens | None) -> None:
        """See `SessionStore.close`."""
        ttl_seconds, lineage = self._renewer.ttl_seconds(key), self._find_lineage(key)
        self._renewer.close(key)
        self._memory.close(key, turn)
        if lineage is not None and not self._outage.is_on:
            self._renewer.add(
                Renewal(key, ttl_seconds, lineage, int(turn is not None), NO_TOKENS if turn is None else turn)
            )

    async def drop(self, key: SessionKey) -> bool:
        """See `SessionStore.drop`."""
        try:
            self._check()
            dropped = await self._pins.drop(key)
        except StoreFailedError as error:
            self._begin_outage(error)
            raise StoreUnavailableError(
                f"The session store does not answer ({error}), so the pin may still be there. Try again when it does."
            ) from error
        only_here = key not in self._copies
        return (await self._memory.drop(key) and only_here) or dropped

    async def find(self, key: SessionKey) -> tuple[Session | None, bool]:
        """See `SessionStore.find`."""
        await self._renewer.flush()
        found: list[Session] = []
        try:
            self._check()
            found = await self._pins.find([key], self._renewer.count)
        except StoreFailedError as error:
            self._begin_outage(error)
        if found:
            return found[0], False
        if key in self._copies and not self._outage.is_on:
            return None, False
        session, _ = await self._memory.find(key)
        return session, session is not None or self._outage.is_on

    async def scan(self, wanted: Wanted, *, limit: int, cursor: str | None) -> Page:
        """See `SessionStore.scan`; in an outage, one page of this replica's own."""
        await self._renewer.flush()
        try:
            self._check()
            return await self._pins.scan(wanted, limit=limit, cursor=cursor, in_flight=self._renewer.count)
        except StoreFailedError as error:
            self._begin_outage(error)
            page = await self._memory.scan(wanted, limit=limit, cursor=None)
            return Page(page.sessions, None, degraded=True)

    async def note_response(self, response: ResponseKey, maker: Maker) -> None:
        """See `SessionStore.note_response`; in an outage this replica alone knows it, then and later."""
        await self._memory.note_response(response, maker)
        try:
            self._check()
            await self._pins.note_response(response, maker)
        except StoreFailedError as error:
            self._begin_outage(error)

    async def find_maker(self, response: ResponseKey) -> Maker | None:
        """See `SessionStore.find_maker`; who made a response never changes, so this replica's memory comes first."""
        maker = await self._memory.find_maker(response)
        if maker is None:
            try:
                self._check()
                maker = await self._pins.find_maker(response)
            except StoreFailedError as error:
                self._begin_outage(error)
        return maker

    async def salt(self) -> bytes:
        """See `SessionStore.salt`; until the store has answered once, this replica has one of its own."""
        if not self._is_salted:
            try:
                self._check()
                await self._identify()
            except StoreFailedError as error:
                self._begin_outage(error)
        return self._salt or await self._memory.salt()

    async def write_day(self, day: str, process: str, note: bytes) -> None:
        """See `DayStore.write_day`."""
        await self._ask_days(lambda: self._pins.write_day(day, process, note))

    async def read_days(self, days: Sequence[str]) -> list[list[bytes]]:
        """See `DayStore.read_days`."""
        return await self._ask_days(lambda: self._pins.read_days(days))

    async def aclose(self) -> None:
        """See `SessionStore.aclose`."""
        await self._checks.aclose()
        await self._renewer.aclose()
        await self._outage.aclose()
        await self._pins.aclose()

    async def _ask(
        self,
        key: SessionKey,
        ask: Callable[[float], Awaitable[_Said]],
        remember: Callable[[], Awaitable[Held]],
    ) -> Held:
        """Ask the store, or this replica's memory where the store fails."""
        ttl_seconds, before = self._renewer.ttl_seconds(key), self._memory.peek(key)
        try:
            self._check()
            life = self._find_life(key) or await self._identify(key)
            pin, copy = await ask(ttl_seconds)
        except StoreFailedError as error:
            self._begin_outage(error)
            known = self._memory.peek(key)
            held = await remember()
            if held.pin != known:
                self._forget_copy(key)
            return Held(held.pin, degraded=True)
        # What another request learnt meanwhile may be newer than what was asked before it.
        if self._memory.peek(key) == before:
            if pin is not before:
                self._memory.replace(key, pin)
            self._copies[key] = copy or _Copy(self._find_life(key) or life, self._clock() + ttl_seconds)
            if pin is None:
                self._forget_copy(key)
        return Held(pin)

    async def _ask_days(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask for notes; where that fails, pins need not, so no outage begins."""
        try:
            self._check()
            return await ask()
        except StoreFailedError as error:
            raise StoreUnavailableError(
                f"The session store does not answer ({error}). Try again when it does."
            ) from error

    async def _look(self, sought: Sequence[Sought]) -> Sequence[Looked | None]:
        """Read pins, and renew them; None for each where the store fails."""
        try:
            self._check()
            return await self._pins.look(sought)
        except StoreFailedError as error:
            self._begin_outage(error)
            return [None] * len(sought)

    def _is_still(self, sought: Sought, looked: Looked, copy: _Copy) -> bool:
        """Check whether a pin is what this replica remembers, as it mostly is."""
        key, known = sought.key, copy.read.pin
        if not self._renewer.count(key) or self._memory.peek(key) is not known:
            return False
        is_still = looked.pin is known and looked.life == copy.life == self._find_life(key)
        if is_still:
            self._copies[key] = _Copy(copy.life, self._clock() + sought.ttl_seconds, copy.read)
        elif self._copies.get(key) is copy:
            self._copies[key] = copy._replace(read=NOTHING_READ)  # `get` need not check it once more
        return is_still

    async def _reconcile(self, key: SessionKey, ttl_seconds: float) -> _Said:
        """Read what the store has, and tell it what it cannot know."""
        copy = self._copies.get(key)
        before = copy.read if copy is not None else NOTHING_READ
        (looked,) = await self._pins.look([Sought(key, ttl_seconds, before)])
        found, life = looked.pin, self._find_life(key)
        if life is None or looked.life != life:  # it has lost its data, and somebody may have marked it anew
            life = await self._identify(key)
        read = _Said(found, _Copy(life, self._clock() + ttl_seconds, Looked(found, None, looked.value)))
        own = self._memory.peek(key)
        if own is None or own is found:
            return read
        if found is None:
            copy = self._copies.get(key)
            is_lost = copy is not None and copy.life != await self._identify(key)
            has_ended = copy is not None and not is_lost and copy.until > self._clock()
            if has_ended or self._memory.peek(key) != own:
                return _Said(None)
            own = own.begin_anew() if is_lost else own
            read = _Said(await self._pins.pin(key, own, ttl_seconds))
        if read.pin is not None and own.comes_from(read.pin):
            return _Said(await self._pins.move(key, read.pin, own, ttl_seconds))
        return read

    def _find_life(self, key: SessionKey) -> bytes | None:
        return self._lives.get(self._pins.find_shard(key))

    async def _identify(self, key: SessionKey | None = None) -> bytes:
        """Read the mark of the store and of a session's shard; where data were lost, have the salt be what it was."""
        mark = await self._pins.identify(self._salt or await self._memory.salt(), key)
        self._salt, self._is_salted = mark.salt, True
        if key is not None:
            self._lives[self._pins.find_shard(key)] = mark.life
        return mark.life

    def _check(self) -> None:
        """Fail at once where the store is known to be out."""
        if self._outage.is_on:
            raise StoreFailedError("it is out")

    def _begin_outage(self, error: StoreFailedError) -> None:
        self._lives.clear()  # it may come back without its data
        self._is_salted = False
        self._outage.begin(error)

    def _forget_copy(self, key: SessionKey) -> None:
        self._copies.pop(key, None)

    def _find_lineage(self, key: SessionKey) -> str | None:
        pin = self._memory.peek(key)
        return pin.lineage if pin is not None else None

    async def _renew(self, renewals: Sequence[Renewal]) -> None:
        """Write renewals; what cannot be written is lost, and the pins live by their last use."""
        try:
            self._check()
            await self._pins.renew(renewals)
        except StoreFailedError as error:
            self._begin_outage(error)
            return
        now = self._clock()
        for key, ttl_seconds, *_ in renewals:
            if key in self._copies:
                self._copies[key] = self._copies[key]._replace(until=now + ttl_seconds)
