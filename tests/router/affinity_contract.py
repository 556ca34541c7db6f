"""The affinity contract once more, written from its words alone: what a router must tell, request by request.

It shares no code with the router. One request after another, no concurrency, no IO: a session is a model at one of its
deployments, when it was last used, and how many of its requests are open.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TTL = 600
"""How long an unused pin lives, in seconds."""

Key = tuple[str, str]
"""Tenant and affinity id."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as far as the contract looks at it."""

    key: Key | None = None
    """The session; None without an affinity id."""
    topic: str = "other"
    """The preference that routing would match, if there is one of that name."""
    hint: str | None = None
    """A model, however spelt."""
    image: bool = False
    """True if it shows an image, which stays in the transcript."""
    stop: bool = False
    """True if it names a stop sequence, which is this request's alone."""
    decides_only: bool = False
    """True if it is posted to the routing endpoint."""
    scope: str | None = None
    """The scope that it asks for; None for a whole session."""
    said: int = 1
    """How many users' messages its transcript has."""
    is_step: bool = False
    """True if it ends with a tool's result."""

    @property
    def user_turn(self) -> tuple[int, str] | None:
        """The user turn that it begins, where its scope is one."""
        begins = self.scope == "user_turn" and not self.is_step
        return (self.said, self.topic) if begins else None


class Decided(NamedTuple):
    """The decision before any model is asked."""

    kind: str
    reason: str | None
    model: str
    route: str | None
    changes: tuple[int, int] = (0, 0)
    """How often the pin had been moved then, and how often changed without another model."""
    deployment: str | None = None
    """The deployment that the pin was on then."""
    by_hint: bool = False
    """True if a hint began the session's pin."""


class Told(NamedTuple):
    """The decision as the caller is told."""

    model: str
    kind: str
    reason: str | None
    ok: bool
    """True if a model answered well."""
    pinned: str | None = None
    """The model that is kept, where another one served this request alone."""
    deployment: str | None = None
    """The deployment that answered, or was decided on; None without a session, for then it is drawn by chance."""


@dataclass(slots=True)
class Pin:
    """A session's model."""

    model: str
    route: str | None
    used_at: float
    by_hint: bool
    """True if a hint began it."""
    served: bool = False
    """True if a model was asked for the session."""
    switches: list[str] = field(default_factory=list)
    """The reasons of its moves."""
    user_turn: tuple[int, str] | None = None
    """The user turn that it was last decided for."""
    kept: int = 0
    """How often it was kept for another one, or moved to another deployment."""
    deployment: str | None = None
    """The deployment of its model."""

    @property
    def changes(self) -> tuple[int, int]:
        return len(self.switches), self.kept


class Contract:
    """A router that does what is promised.

    Args:
        routes: Every preference's models, best first.
        blind: The models that take no images.
        endless: The models that take no stop sequences.
        models: The configured models; the first is the default.
        cap: How many sessions at rest are remembered that a model was asked for, and as many of the others.
        places: The deployments of those models that have some.
        prefer: How much a session prefers a deployment to others of the same weight: the router's hash.
    """

    def __init__(
        self,
        routes: Mapping[str, Sequence[str]],
        blind: frozenset[str],
        endless: frozenset[str],
        models: Sequence[str],
        cap: int,
        *,
        places: Mapping[str, Sequence[str]],
        prefer: Callable[[Key, str], float],
    ) -> None:
        self._routes = routes
        self._blind = blind
        self._endless = endless
        self.models = models
        self.cap = cap
        self.places = places
        self._prefer = prefer
        self.down: set[tuple[str, str | None]] = set()
        """The places that fail: models, each with a deployment of it, or None for all of them."""
        self.now = 0.0
        self.pins: dict[Key, Pin] = {}
        """Live pins, the least recently used first."""
        self.open: Counter[Key] = Counter()
        """How many requests of each session are under way."""

    def ask(self, request: Request) -> Told:
        """Serve a request from its beginning to its end."""
        self.begin(request.key)
        decided = self.decide(request)
        told = self.finish(request, decided)
        self.end(request.key, served=self.is_sent(request, decided))
        return told

    def is_sent(self, request: Request, decided: Decided) -> bool:
        """Check whether any model is asked for a request that was decided on."""
        tried = [decided.model, *self._list_others(decided)]
        return not request.decides_only and any(self._carries(each, request) for each in tried)

    def begin(self, key: Key | None) -> None:
        if key is not None:
            self.open[key] += 1
            self._touch(key)

    def end(self, key: Key | None, *, served: bool = True) -> None:
        if key is not None:
            self._touch(key)
            if served and key in self.pins:
                self.pins[key].served = True
            self.open[key] -= 1
            self.evict()

    def decide(self, request: Request) -> Decided:
        """Decide for a request that has begun; a session's decision is pinned at once."""
        decided = self._decide(request)
        if request.key is None:
            return decided
        pin = self.pins.get(request.key)
        if pin is None:
            pin = self.pins[request.key] = Pin(decided.model, decided.route, self.now, decided.reason == "hint")
            pin.deployment = self._choose(request.key, pin.model)
        elif decided.kind == "switch" and decided.reason is not None:
            pin.model, pin.route = decided.model, decided.route
            pin.deployment = self._choose(request.key, pin.model)
            pin.switches.append(decided.reason)
        elif request.user_turn not in {None, pin.user_turn}:
            pin.route = decided.route
            pin.kept += 1
        pin.user_turn = request.user_turn or pin.user_turn
        return decided._replace(changes=pin.changes, by_hint=pin.by_hint, deployment=pin.deployment)

    def finish(self, request: Request, decided: Decided) -> Told:
        """Let the models answer; the pin follows, unless somebody has moved it since the decision."""
        answered, model, cause = self._answer(request, decided)
        if request.key is None:
            return Told(model, "none", None, ok=answered)
        if cause is None and (not answered or request.decides_only):
            return Told(model, decided.kind, decided.reason, ok=answered, deployment=decided.deployment)
        place = self._serve(request, model, decided)
        if cause == "detour":
            return Told(model, "detour", "unsuitable", ok=True, pinned=decided.model, deployment=place)
        pin = self.pins[request.key]
        holds = pin.changes == decided.changes
        if cause is None and place == decided.deployment:
            return Told(model, decided.kind, decided.reason, ok=True, deployment=place)
        if holds:
            pin.model, pin.deployment = model, place
        if cause is None:
            pin.kept += holds
            reason = "deployment" if decided.kind == "retain" else decided.reason
            return Told(model, decided.kind, reason, ok=True, deployment=place)
        if holds:
            pin.switches.append(cause)
        return Told(model, "switch", cause, ok=True, deployment=place)

    def drop(self, key: Key) -> bool:
        """Unpin a session; whether it was pinned."""
        return self.pins.pop(key, None) is not None

    def wait(self, seconds: float) -> None:
        """Let time pass; what was idle for as long as it may be is forgotten."""
        self.now += seconds
        for key in [key for key, pin in self.pins.items() if not self.open[key] and self.left(pin) <= 0]:
            del self.pins[key]

    def left(self, pin: Pin) -> float:
        """The remaining lifetime of an idle session's pin."""
        return pin.used_at + TTL - self.now

    def evict(self) -> None:
        """Forget the least recently used at rest beyond the cap; those only decided push out none that was served."""
        for served in (True, False):
            at_rest = [key for key, pin in self.pins.items() if not self.open[key] and pin.served is served]
            for key in at_rest[: max(0, len(at_rest) - self.cap)]:
                del self.pins[key]

    def _touch(self, key: Key) -> None:
        if key in self.pins:
            pin = self.pins[key] = self.pins.pop(key)
            pin.used_at = self.now

    def _decide(self, request: Request) -> Decided:
        if request.key is None:
            return Decided("none", None, *self._route(request))
        pin = self.pins.get(request.key)
        if pin is not None and pin.model in self.models:
            if request.user_turn in {None, pin.user_turn}:
                return Decided("retain", "pinned", pin.model, pin.route)
            model, route = self._route(request)
            kept = model == pin.model
            return Decided("retain" if kept else "switch", "pinned" if kept else "user_turn", model, route)
        if pin is not None:
            return Decided("switch", "model_removed", *self._route(request))
        for model in self.models:
            if request.hint in (model, model.partition("/")[2]):
                going_on = [model, *self._list_sharing(model)]
                able = next((each for each in going_on if self._can(each, request)), model)
                return Decided("initialize", "hint", able, None)
        return Decided("initialize", "first_turn", *self._route(request))

    def _route(self, request: Request) -> tuple[str, str | None]:
        """The first model that can serve the request; a session's first is also one that it can be written for."""
        found = self._route_models(request.topic)
        if not found:
            return self.models[0], None
        able = [model for model in found if self._can(model, request)]
        written = [model for model in able if request.decides_only or self._carries(model, request)]
        return [*(written if request.key else []), *able, *found][0], request.topic

    def _route_models(self, name: str | None) -> list[str]:
        return [model for model in self._routes.get(name or "", ()) if model in self.models]

    def _list_others(self, decided: Decided) -> list[str]:
        """List who may stand in: the models of the route; where a hint chose, those that share a preference."""
        if decided.route is not None or not decided.by_hint:
            return self._route_models(decided.route)
        return self._list_sharing(decided.model)

    def _list_sharing(self, model: str) -> list[str]:
        sharing = [self._route_models(name) for name in self._routes if model in self._routes[name]]
        return list(dict.fromkeys(model for models in sharing for model in models))

    def _choose(self, key: Key, model: str) -> str | None:
        """The deployment that a session gets with a model: it is chosen before any is asked."""
        return next(iter(self._order(key, model)), None)

    def _order(self, key: Key, model: str) -> Sequence[str]:
        return sorted(self.places.get(model, ()), key=lambda place: -self._prefer(key, place))

    def _serve(self, request: Request, model: str, decided: Decided) -> str | None:
        """The deployment that answers for a model that does: the pinned one, else the first that works."""
        assert request.key is not None
        order = self._order(request.key, model)
        if request.decides_only or not order:
            return next(iter(order), None)
        first = [each for each in order if model == decided.model and each == decided.deployment]
        return next(each for each in [*first, *order] if (model, each) not in self.down)

    def is_down(self, model: str) -> bool:
        """Check whether a model fails wherever it is served."""
        if (model, None) in self.down:
            return True
        places = self.places.get(model)
        return bool(places) and all((model, each) in self.down for each in places or ())

    def _can(self, model: str, request: Request) -> bool:
        return not (request.image and model in self._blind)

    def _carries(self, model: str, request: Request) -> bool:
        return not (request.stop and model in self._endless)

    def _answer(self, request: Request, decided: Decided) -> tuple[bool, str, str | None]:
        """Check whether anybody answers well; who, the one decided on if nobody; and why another than that one."""
        others = [each for each in self._list_others(decided) if each != decided.model]
        able = [each for each in others if self._can(each, request)]
        rest = [each for each in others if each not in able]
        own = "upstream_failed" if self._carries(decided.model, request) else "detour"
        if self._can(decided.model, request):
            order, cause = [decided.model, *able, *rest], own
        else:
            order = [*able, decided.model, *rest]
            cause = "unsuitable" if able else own
        if request.decides_only:
            return True, order[0], None if order[0] == decided.model else cause
        for each in order:
            if not self.is_down(each) and self._carries(each, request):
                return True, each, None if each == decided.model else cause
        return False, decided.model, None
