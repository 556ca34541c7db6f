"""A session's model, decided once.

Of N concurrent first requests of a session, one is routed and its decision is pinned before anything is
dispatched; the others wait for it. If the one is cancelled or fails, the next goes on in its place. What is
decided is `decide`'s business; where pins are kept is the store's.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from plano_agents.sessions.decide import (
    Route,
    decide_after_move,
    decide_after_routing,
    decide_before_routing,
)
from plano_agents.sessions.pin import Decision, MoveReason, Pin, SessionKey
from plano_agents.sessions.store import SessionStore


class Pinning:
    """Decides for requests of sessions, and keeps what was decided.

    Args:
        store: Where pins are kept.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        # A lock lives as long as somebody holds or awaits it.
        self._locks: WeakValueDictionary[SessionKey, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def in_use(self, key: SessionKey) -> AsyncIterator[None]:
        """Keep a session alive for as long as one of its requests runs, however long its stream is."""
        await self._store.open(key)
        try:
            yield
        finally:
            await self._store.close(key)

    async def decide(
        self,
        key: SessionKey,
        *,
        hint: str | None,
        find_model: Callable[[str], str | None],
        route: Callable[[], Awaitable[Route]],
    ) -> Decision:
        """Decide which model serves a request of a session; the session is `in_use`.

        Args:
            key: The session.
            hint: The model that the request's transcript was made by, or None.
            find_model: From any spelling to the provider-qualified name; None for what is not configured.
            route: Routes the request; called only where no pin and no hint decides.

        Returns:
            The decision; the pin that it stands for is kept.
        """
        pinned = decide_before_routing(await self._store.get(key), hint=None, find_model=find_model)
        if pinned is not None:
            return pinned
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            pin = await self._store.get(key)
            decision = decide_before_routing(pin, hint=hint, find_model=find_model)
            if decision is None:
                decision = decide_after_routing(pin, await route())
            return await self._keep(key, pin, decision)

    async def follow(self, key: SessionKey, decision: Decision, model: str, reason: MoveReason) -> Decision:
        """Move a session's pin to the model that answered, where the one decided on did not.

        A pin that another request has moved meanwhile stays where it is.

        Args:
            key: The session, `in_use`.
            decision: What had been decided.
            model: Who answered, provider-qualified.
            reason: Why the one decided on did not.

        Returns:
            The decision that the caller is told.
        """
        await self._store.move(key, Pin(decision.model, decision.route), Pin(model, decision.route))
        return decide_after_move(decision, model, reason)

    async def _keep(self, key: SessionKey, known: Pin | None, decision: Decision) -> Decision:
        """Pin a decision, or take the one that another replica has pinned meanwhile."""
        if decision.kind == "retain":
            return decision
        new = Pin(decision.model, decision.route)
        moved = await self._store.move(key, known, new) if known is not None else None
        held = moved or await self._store.pin(key, new)
        return decision if held == new else Decision(held.model, held.route, "retain", "pinned")
