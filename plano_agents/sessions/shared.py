"""Pins that replicas share in Redis, and what each goes by when Redis does not answer.

While the store answers, it alone says what is pinned. What this replica learns of its own sessions it also remembers
in memory, and while the store is out (`Outage`) that memory takes its place: requests go on by it, and say so. When
the store is back, what was decided meanwhile is written there: a new pin if the store has none, a move if the store
still has the pin that was moved. Where the store has another pin by then, that one holds, so replicas that disagreed
in an outage agree after it. "Absent" ends a pin; "failed" ends nothing.

Renewals and counts are written in the background, many at once; a session with requests in flight is renewed for as
long as they run.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from plano_agents.errors import StoreUnavailableError
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.outage import Outage
from plano_agents.sessions.pin import Pin, Session, SessionKey
from plano_agents.sessions.redis import RedisPins, Renewal
from plano_agents.sessions.redis_connection import StoreFailedError
from plano_agents.sessions.store import Held, Page, Wanted

T = TypeVar("T")

WRITE_SECONDS = 0.05
"""How long renewals are collected before they are written."""

RENEWALS_AT_ONCE = 64
"""How many renewals are written in one go, so that a pin that is waited for can come in between."""

RENEWALS_PER_LIFE = 3
"""How often a pin in flight is renewed within its time to live."""


class SharedSessionStore:
    """Keeps pins in Redis, and in this process's memory while Redis is out.

    Args:
        pins: The pins in Redis.
        memory: This replica's own memory.
        outage: Knows whether Redis is out.
        sleep: Waits for some seconds.
    """

    is_shared = True

    def __init__(
        self,
        pins: RedisPins,
        memory: MemorySessionStore,
        outage: Outage,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pins = pins
        self._memory = memory
        self._outage = outage
        self._sleep = sleep
        self._lives: dict[SessionKey, tuple[float, int]] = {}
        self._unshared: set[SessionKey] = set()
        self._renewals: list[Renewal] = []
        self._writing: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._keeping_seconds = math.inf
        self._salt: bytes | None = None
        memory.on_end = self._unshared.discard

    def configure(self, *, max_entries: int) -> None:
        """See `SessionStore.configure`; the cap is that of this replica's own memory."""
        self._memory.configure(max_entries=max_entries)

    def open(self, key: SessionKey, ttl_seconds: float) -> None:
        """See `SessionStore.open`."""
        self._memory.open(key, ttl_seconds)
        _, requests = self._lives.get(key, (ttl_seconds, 0))
        self._lives[key] = (ttl_seconds, requests + 1)
        self._keep_alive_every(ttl_seconds / RENEWALS_PER_LIFE)

    async def get(self, key: SessionKey) -> Held:
        """See `SessionStore.get`."""
        ttl = self._lives[key][0]

        async def ask() -> Pin | None:
            return await self._share(key, await self._pins.get(key, ttl), ttl)

        return await self._ask(key, ask, lambda: self._memory.get(key))

    async def pin(self, key: SessionKey, pin: Pin) -> Held:
        """See `SessionStore.pin`."""
        ttl = self._lives[key][0]
        return await self._ask(key, lambda: self._pins.pin(key, pin, ttl), lambda: self._memory.pin(key, pin))

    async def move(self, key: SessionKey, old: Pin, new: Pin) -> Held:
        """See `SessionStore.move`."""
        ttl = self._lives[key][0]
        return await self._ask(
            key, lambda: self._pins.move(key, old, new, ttl), lambda: self._memory.move(key, old, new)
        )

    def close(self, key: SessionKey, turn: Tokens | None) -> None:
        """See `SessionStore.close`."""
        ttl, requests = self._lives.pop(key)
        if requests > 1:
            self._lives[key] = (ttl, requests - 1)
        pin = self._memory.peek(key)
        self._memory.close(key, turn)
        if pin is not None and not self._outage.is_on:
            counted = (pin.lineage, 1, turn) if turn is not None else (None, 0, NO_TOKENS)
            self._renewals.append(Renewal(key, ttl, *counted))
            if self._writing is None:
                self._writing = asyncio.create_task(self._write_soon())

    async def drop(self, key: SessionKey) -> bool:
        """See `SessionStore.drop`."""
        try:
            self._check()
            dropped = await self._pins.drop(key)
        except StoreFailedError as error:
            raise StoreUnavailableError(
                f"The session store does not answer ({error}), so no pin was dropped. Try again when it does."
            ) from error
        await self._memory.drop(key)
        return dropped

    async def find(self, key: SessionKey) -> tuple[Session | None, bool]:
        """See `SessionStore.find`."""
        try:
            self._check()
            await self._write()
            found = await self._pins.find([key], self._count_requests)
        except StoreFailedError:
            return (await self._memory.find(key))[0], True
        return (found[0] if found else None), False

    async def scan(self, wanted: Wanted, *, limit: int, cursor: str | None) -> Page:
        """See `SessionStore.scan`; in an outage, one page of this replica's own."""
        try:
            self._check()
            await self._write()
            return await self._pins.scan(wanted, limit=limit, cursor=cursor, in_flight=self._count_requests)
        except StoreFailedError:
            page = await self._memory.scan(wanted, limit=limit, cursor=None)
            return Page(page.sessions, None, degraded=True)

    async def salt(self) -> bytes:
        """See `SessionStore.salt`; until the store has answered once, this replica has one of its own."""
        own = await self._memory.salt()
        if self._salt is None:
            try:
                self._check()
                self._salt = await self._pins.salt(own)
            except StoreFailedError:
                return own
        return self._salt

    async def aclose(self) -> None:
        """See `SessionStore.aclose`."""
        for task in (self._keeping, self._writing):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        with suppress(StoreFailedError):
            self._check()
            await self._write()
        await self._outage.aclose()
        await self._pins.aclose()

    async def _ask(
        self,
        key: SessionKey,
        ask: Callable[[], Awaitable[Pin | None]],
        remember: Callable[[], Awaitable[Held]],
    ) -> Held:
        """Ask the store, or this replica's memory where the store fails."""
        before = self._memory.peek(key)
        try:
            self._check()
            pin = await ask()
        except StoreFailedError as error:
            self._outage.begin(error)
            held = await remember()
            if held.pin is not None:
                self._unshared.add(key)
            return Held(held.pin, degraded=True)
        # What another request learnt meanwhile may be newer than what was asked before it.
        if self._memory.peek(key) == before:
            self._memory.replace(key, pin)
        return Held(pin)

    async def _share(self, key: SessionKey, found: Pin | None, ttl_seconds: float) -> Pin | None:
        """Tell the store what was decided while it was out, and take from it what holds."""
        own = self._memory.peek(key)
        if key not in self._unshared or own is None:
            return found
        if found is None:
            found = await self._pins.pin(key, own, ttl_seconds)
        elif found.lineage == own.lineage and found.moves < own.moves:
            found = await self._pins.move(key, found, own, ttl_seconds)
        self._unshared.discard(key)
        return found

    def _check(self) -> None:
        """Fail at once where the store is known to be out."""
        if self._outage.is_on:
            raise StoreFailedError("it is out")

    def _count_requests(self, key: SessionKey) -> int:
        return self._lives.get(key, (0.0, 0))[1]

    def _keep_alive_every(self, seconds: float) -> None:
        """See to it that sessions in flight are renewed at least so often."""
        if seconds < self._keeping_seconds:
            if self._keeping is not None:
                self._keeping.cancel()
            self._keeping_seconds = seconds
            self._keeping = asyncio.create_task(self._keep_alive(seconds))

    async def _keep_alive(self, seconds: float) -> None:
        """Renew the sessions in flight, again and again until there are none."""
        while True:
            await self._sleep(seconds)
            if not self._lives:
                self._keeping, self._keeping_seconds = None, math.inf
                return
            self._renewals += [Renewal(key, ttl, None) for key, (ttl, _) in self._lives.items()]
            await self._write_or_begin_outage()

    async def _write_soon(self) -> None:
        await self._sleep(WRITE_SECONDS)
        self._writing = None
        await self._write_or_begin_outage()

    async def _write_or_begin_outage(self) -> None:
        try:
            self._check()
            await self._write()
        except StoreFailedError as error:
            self._outage.begin(error)

    async def _write(self) -> None:
        """Write what was collected; what cannot be written is lost, and the pins live by their last use."""
        renewals, self._renewals = self._renewals, []
        for start in range(0, len(renewals), RENEWALS_AT_ONCE):
            await self._pins.renew(renewals[start : start + RENEWALS_AT_ONCE])
