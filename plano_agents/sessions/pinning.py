"""A session's model, decided once.

Of N concurrent first requests of a session, one is routed and its decision is pinned before anything is
dispatched; the others wait for it. If the one is cancelled or fails, the next goes on in its place. What is
decided is `decide`'s business; where pins are kept is the store's; whether the promise was kept is the ledger's.
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Self, TypeVar
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.sessions.at_once import run_at_once
from plano_agents.sessions.decide import (
    Route,
    Settled,
    Verdict,
    decide_after_move,
    decide_after_routing,
    decide_before_routing,
    decide_by_pin,
    decide_lanes_model,
    decide_user_turn,
)
from plano_agents.sessions.lanes import Lane, Origin
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.pin import Cause, Decision, Detour, Notes, Pin, Session, SessionKey
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.sessions.store import Held, SessionStore

V = TypeVar("V")

PinnedAt = tuple[str, str | None, str | None]
"""A pin's model, route and deployment, which its decision is made of."""

Weigh = Callable[[Session | None, Pin, str], Verdict]
"""Weighs a session's switch from where it is pinned to a model: the session so far, its pin, the model."""


class Pinning:
    """Decides for requests of sessions, and keeps what was decided.

    Args:
        store: Where pins are kept.
        ledger: Checks each dispatch.
        wall_clock: Unix time in seconds.
    """

    def __init__(self, store: SessionStore, ledger: Ledger, *, wall_clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.ledger = ledger
        self.wall_clock = wall_clock
        # A gate lives as long as somebody holds or awaits it.
        self._gates: WeakValueDictionary[SessionKey, Gate] = WeakValueDictionary()

    def turn(self, key: SessionKey, ttl_seconds: float, origin: Origin | None = None) -> "Turn":
        """Give a request of a session its turn, which is not open yet.

        Args:
            key: The session.
            ttl_seconds: How long its pin lives after its last use.
            origin: Where the session's id comes from; None for our own header.
        """
        return Turn(self, key, ttl_seconds, origin)

    def user_turn(self, turn: "Turn", user_turn: str, weigh: Weigh | None = None) -> "Turn":
        """Give a request its turn that begins a user turn, of a session whose scope is ``user_turn``.

        Args:
            turn: The same, as a session's; it is not open yet.
            user_turn: The user turn.
            weigh: Weighs a switch; None where any is allowed.
        """
        return UserTurn(self, turn.key, turn.ttl_seconds, turn.origin, _user_turn=user_turn, _weigh=weigh)

    async def find_lane(self, tenant: str, lane: Lane) -> Lane:
        """Find the lane whose pin a harness' request has: its own, or, without tools, that with tools; else its own."""
        if lane.has_tools or await self.is_pinned(SessionKey(tenant, lane.key)):
            return lane
        with_tools = lane.with_tools
        return with_tools if await self.is_pinned(SessionKey(tenant, with_tools.key)) else lane

    async def is_pinned(self, key: SessionKey) -> bool:
        """Check whether a session has a live pin, which is not renewed."""
        session, _ = await self.store.find(key)
        return session is not None

    def is_deciding(self, key: SessionKey) -> bool:
        """Check whether one of a session's first requests decides, or waits for another that does."""
        gate = self._gates.get(key)
        return gate is not None and gate.lock.locked()

    def gate(self, key: SessionKey) -> "Gate":
        """The gate at which a session's first requests wait while one of them decides."""
        return self._gates.setdefault(key, Gate())


class Gate:
    """The gate at which a session's first requests wait while one of them decides."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self._decided: tuple[Pin, bool, int] | None = None

    def open(self, pin: Pin, at: int, *, degraded: bool) -> None:
        """Note what was decided, for those who wait.

        Args:
            pin: The pin that holds.
            at: The ledger's tick.
            degraded: Whether the shared store did not answer.
        """
        self._decided = (pin, degraded, at)

    def find(self, since: int) -> Held | None:
        """Give what was decided while somebody waited.

        Args:
            since: The ledger's tick at which the one who waits last looked.

        Returns:
            The pin; None where nothing was decided since.
        """
        if self._decided is None or self._decided[2] < since:
            return None
        pin, degraded, _ = self._decided
        return Held(pin, degraded)


class Turn(Struct, eq=False):
    """One request of a session, from its first look at the pin to its end.

    Between `open` and `close` the session lives, however long the request's stream is.
    """

    _pinning: Pinning
    """Keeps the session."""
    key: SessionKey
    """The session."""
    ttl_seconds: float
    """How long its pin lives after its last use."""
    origin: Origin | None = None
    """Where the session's id comes from; None for our own header."""
    _here: Pin | None = None
    """The live pin where it is at hand: as the turn began, or since `check`."""
    _pin: Pin | None = None
    """The pin that decided."""
    _degraded: bool = False
    _era: int = 0
    _decided: int = 0
    _is_sent: bool = False

    def open(self) -> Self:
        """Begin it; `close` follows."""
        self._here = self._pinning.store.open(self.key, self.ttl_seconds)
        return self

    def close(self, tokens: Tokens = NO_TOKENS) -> None:
        """End it.

        Args:
            tokens: What it cost.
        """
        self._pinning.store.close(self.key, tokens if self._is_sent else None)

    async def note_response(self, response_id: str) -> None:
        """Note that it was answered by a response of OpenAI's kind, which a later request may name."""
        response = ResponseKey(self.key.tenant, response_id)
        if response.is_kept:
            await self._pinning.store.note_response(response, Maker(self.key.affinity_id, self.ttl_seconds, self.lane))

    def note_label(self, label: str) -> None:
        """Note what the client calls the session, for operators; once it is decided."""
        self._pinning.store.note(self.key, Notes(label))

    @property
    def lane(self) -> Lane | None:
        """The lane of a harness' session that it is of; None for another session."""
        return self.origin.lane if self.origin is not None else None

    @property
    def is_named(self) -> bool:
        """True if a hint or a lane's own request named the session's model, so that no preference has chosen it."""
        if self._pin is None or self._pin.route is not None:
            return False
        return self._pin.reason == "hint" or (self.origin is not None and self._is_aside)

    @property
    def _is_aside(self) -> bool:
        return self.lane is not None and not self.lane.is_main

    async def decide(
        self,
        *,
        hint: str | None,
        find_model: Callable[[str], str | None],
        route: Callable[[], Awaitable[Route]],
        resume: Callable[[str], str | None] | None = None,
        choose: Callable[[str, SessionKey], str | None] = lambda _model, _key: None,
    ) -> Decision:
        """Decide which model serves the request.

        Args:
            hint: The model that the request's transcript was made by, or None.
            find_model: From any spelling to the provider-qualified name; None for what is not configured.
            route: Routes the request; called only where no pin and no hint decides.
            resume: From a hint to the model that goes on with its transcript; where None, as `find_model`.
            choose: Chooses one of the deployments of a model that the session is to be pinned to; None where the model
                has none.

        Returns:
            The decision; the pin that it stands for is kept.
        """
        # What has looked before, and found no pin that holds, goes on at the gate.
        retained = await self.retain(find_model) if not self._decided else None
        if retained is not None:
            return retained
        gate = self._pinning.gate(self.key)
        async with gate.lock:
            # Asking again costs a shared store's round trip, one after another, and this process nothing.
            decided = gate.find(self._decided) if self._pinning.store.is_shared else None
            pin = self._read(decided) if decided is not None else await self._look()
            now = self._pinning.wall_clock()
            settled = decide_before_routing(pin, hint=hint, find_model=find_model, now=now, resume=resume)
            if settled is None:
                settled = decide_after_routing(pin, await route(), now=now)
            settled = await self._keep(pin, settled, find_model, choose)
            if decided is None:
                gate.open(settled.pin, self._pinning.ledger.tick(), degraded=self._degraded)
            return self._settle(settled)

    async def retain(self, find_model: Callable[[str], str | None]) -> Decision | None:
        """Decide for a session whose live pin holds; None where there is none, or its model left the configuration.

        Args:
            find_model: From any spelling to the provider-qualified name; None for what is not configured.
        """
        pinned = decide_before_routing(await self._look(), hint=None, find_model=find_model, now=0)
        return self._settle(pinned) if pinned is not None else None

    def check(self, then: Callable[[bool], None]) -> bool:
        """Ask a shared store, without waiting, for the session's pin; where it is what is known, it then is at hand.

        Args:
            then: Called once, later, with whether it is at hand; if not, `retain` has to ask. Raises nothing.

        Returns:
            False where `retain` has to ask, and nothing is called.
        """
        decided = self._pinning.ledger.tick()

        def hear(pin: Pin | None) -> None:
            if pin is not None:
                self._here, self._decided = self._read(Held(pin)), decided
            then(pin is not None)

        return self._pinning.store.check(self.key, hear)

    def retain_here(self, known: Mapping[PinnedAt, V]) -> V | None:
        """Decide by a pin that is at hand, where one of the same model and route decided before.

        Args:
            known: What is known of such decisions.

        Returns:
            What is known; None where `retain_at_hand` decides, or nothing does.
        """
        pin = self._here
        found = known.get((pin.model, pin.route, pin.deployment)) if pin is not None else None
        if found is not None:
            self._pin = pin
            self._decided = self._decided or self._pinning.ledger.tick()
        return found

    def retain_at_hand(self, find_model: Callable[[str], str | None]) -> Decision | None:
        """Decide as `retain` does, by the pin that is at hand; None where none is, or its model left the configuration.

        Args:
            find_model: From any spelling to the provider-qualified name; None for what is not configured.
        """
        self._decided = self._decided or self._pinning.ledger.tick()
        pinned = decide_before_routing(self._here, hint=None, find_model=find_model, now=0)
        return self._settle(pinned) if pinned is not None else None

    @property
    def pinned_at(self) -> PinnedAt | None:
        """The place in `retain_here` of the pin that decided; None where none did."""
        pin = self._pin
        return (pin.model, pin.route, pin.deployment) if pin is not None else None

    def begin(self, route: Route, choose: Callable[[str, SessionKey], str | None]) -> Settled | None:
        """Decide for a session that begins, as `decide` does, where nobody else does; nothing is kept yet.

        Args:
            route: What routing found.
            choose: See `decide`.

        Returns:
            The decision, and the pin that stands for it; None where `decide` has to.
        """
        if self._here is not None or self._pinning.is_deciding(self.key):
            return None
        settled = decide_after_routing(None, route, now=self._pinning.wall_clock())
        return settled.at(choose(settled.pin.model, self.key))

    def keep_here(self, settled: Settled) -> bool:
        """Pin what `begin` has decided, in a store that is this process's own.

        Returns:
            False where there is another pin.
        """
        if self._read(run_at_once(self._pinning.store.pin(self.key, settled.pin))) != settled.pin:
            return False
        self._settle(settled)
        return True

    async def find_named(self, named: str | None) -> str | None:
        """Find the model that a lane gets by the name that it asks for, as it begins; None where it is routed.

        Args:
            named: The configured model that the request asks for by name, provider-qualified; None where there is none.
        """
        lane = self.lane
        if lane is None or lane.is_main or named is None:
            return None
        is_mains = await self._pinning.is_pinned(SessionKey(self.key.tenant, lane.main.key))
        return decide_lanes_model(lane, named, is_mains=is_mains)

    async def peek(self) -> Pin | None:
        """Read the session's live pin without beginning a turn, and without renewing it."""
        session, _ = await self._pinning.store.find(self.key)
        return session.pin if session is not None else None

    def note_dispatch(self, model: str, deployment: str | None = None) -> None:
        """Let the ledger check a dispatch; one to a fallback has a reason that the caller will be told."""
        self._is_sent = True
        pin = self._pin
        if pin is not None and model == pin.model and deployment == pin.deployment:
            self._pinning.ledger.note(self.key, pin, model, decided=self._decided, era=self._era)

    async def follow(self, decision: Decision, model: str, cause: Cause, deployment: str | None = None) -> Decision:
        """Decide for another model or deployment than the one decided on, and move the session's pin to it.

        A pin that another request has moved meanwhile stays where it is. A detour moves none, nor does another
        deployment for this one request's sake: the ledger checks the model that a detour names as pinned.

        Args:
            decision: What had been decided.
            model: Who serves the request, provider-qualified.
            cause: Why the one decided on does not.
            deployment: Which of the model's deployments does.

        Returns:
            The decision that the caller is told.
        """
        followed = decide_after_move(decision, model, cause, deployment)
        pin = self._pin
        assert pin is not None, "what failed was decided on"  # noqa: S101 - cannot happen
        if followed.pinned is not None:
            self._pinning.ledger.note(self.key, pin, followed.pinned, decided=self._decided, era=self._era)
            detour = Detour(self._pinning.wall_clock(), model, followed.because)
            self._pinning.store.note(self.key, Notes(detours=1, detour=detour))
        elif model != decision.model:
            now = self._pinning.wall_clock()
            await self._move(
                pin, pin.move(model, decision.route, cause.reason, now, cause.because, deployment=deployment)
            )
        elif cause.stays:
            await self._move(pin, pin.move_deployment(deployment, self._pinning.wall_clock(), cause.because))
        return self._tell(followed)

    async def _move(self, old: Pin, new: Pin) -> None:
        held = await self._pinning.store.move(self.key, old, new)
        self._degraded = self._degraded or held.degraded
        era = self._pinning.ledger.observe(degraded=held.degraded)
        if held.pin == new:
            self._pin = new
            self._pinning.ledger.note_move(self.key, new, era=era)

    async def _look(self) -> Pin | None:
        self._decided = self._pinning.ledger.tick()
        return self._read(await self._pinning.store.get(self.key))

    async def _keep(
        self,
        known: Pin | None,
        settled: Settled,
        find_model: Callable[[str], str | None],
        choose: Callable[[str, SessionKey], str | None],
    ) -> Settled:
        """Pin a decision, or take the one that another request or replica has pinned meanwhile."""
        while settled.decision.kind != "retain":
            settled = settled.at(choose(settled.pin.model, self.key))
            held = await self._write(known, settled.pin)
            if held == settled.pin:
                break
            if held is not None and find_model(held.model) is not None:
                return decide_by_pin(held)
            known = held  # None: what was to be moved has ended
            route = Route(settled.pin.model, settled.pin.route, settled.decision.degraded)
            settled = decide_after_routing(known, route, now=self._pinning.wall_clock())
        return settled

    async def _write(self, known: Pin | None, new: Pin) -> Pin | None:
        store = self._pinning.store
        return self._read(await (store.pin(self.key, new) if known is None else store.move(self.key, known, new)))

    def _read(self, held: Held) -> Pin | None:
        self._degraded = held.degraded
        self._era = self._pinning.ledger.observe(degraded=held.degraded)
        return held.pin

    def _settle(self, settled: Settled) -> Decision:
        self._pin = settled.pin
        return self._tell(settled.decision)

    def _tell(self, decision: Decision) -> Decision:
        if not self._degraded or "store" in decision.degraded:
            return decision
        return replace(decision, degraded=(*decision.degraded, "store"))


class UserTurn(Turn, eq=False):
    """A request that begins a user turn, of a session whose scope is ``user_turn``: it may be routed again.

    It is routed once: of concurrent duplicates the others wait, and the same user turn sent again later finds it in the
    pin. The steps of its tool loop are turns as any other's.
    """

    _user_turn: str = ""
    """The user turn."""
    _weigh: Weigh | None = None
    """Weighs a switch; None where any is allowed."""

    async def decide(
        self,
        *,
        hint: str | None,
        find_model: Callable[[str], str | None],
        route: Callable[[], Awaitable[Route]],
        resume: Callable[[str], str | None] | None = None,
        choose: Callable[[str, SessionKey], str | None] = lambda _model, _key: None,
    ) -> Decision:
        """See `Turn.decide`."""
        gate = self._pinning.gate(self.key)
        async with gate.lock:
            pin, routed = await self._look(), None
            while True:
                is_live = pin is not None and find_model(pin.model) is not None
                if pin is not None and is_live and pin.user_turn == self._user_turn:
                    return self._settle(decide_by_pin(pin))
                settled, now = None, self._pinning.wall_clock()
                if pin is None:
                    settled = decide_before_routing(None, hint=hint, find_model=find_model, now=now, resume=resume)
                if settled is None:
                    routed = routed or await route()
                    if pin is not None and is_live:
                        verdict = await self._judge(pin, routed.model)
                        settled = decide_user_turn(pin, routed, self._user_turn, now=now, verdict=verdict)
                    else:
                        settled = decide_after_routing(pin, routed, now=now)
                if settled.decision.kind != "retain":
                    settled = settled.at(choose(settled.pin.model, self.key))
                new = dataclasses.replace(settled.pin, user_turn=self._user_turn)
                held = await self._write(pin, new)
                if held == new:
                    return self._settle(settled._replace(pin=new))
                pin = held  # another request's, or None where what was to be changed has ended

    async def _judge(self, pin: Pin, model: str) -> Verdict | None:
        """Weigh a switch to a model; None where none is to be weighed."""
        if self._weigh is None or model == pin.model:
            return None
        session, _ = await self._pinning.store.find(self.key)
        return self._weigh(session, pin, model)
