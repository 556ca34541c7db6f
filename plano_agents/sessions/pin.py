"""The record of a session: ids, models, routes, times, counts; nothing of a prompt."""

import secrets
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple
from urllib.parse import quote

from msgspec import Struct

from plano_agents.protocol.usage import Tokens

Kind = Literal["none", "initialize", "retain", "detour", "switch"]
MoveReason = Literal["upstream_failed", "unsuitable"]
SwitchReason = Literal["model_removed", "user_turn"] | MoveReason
Reason = Literal["first_turn", "hint", "pinned", "deployment"] | SwitchReason
Degraded = Literal["store", "routing"]

MAX_SWITCHES = 16
"""How many of a session's latest switches are remembered, and of its latest moves to other deployments."""

MAX_LEFT = 4
"""How many of the models that a session has left are remembered."""

MAX_BECAUSE_CHARACTERS = 100
"""How much of what made a model another a header tells."""

_HEADER_SAFE = " !#$&'()*+,/:<=>?@[]^`{|}~"
"""What a header's part keeps: all visible ASCII but what ends a part or begins an escape."""

IMPLICIT = "implicit·"
"""What the id of an implicit session begins with: its last character is none of an id's, so no client can send one."""


class SessionKey(NamedTuple):
    """The key of a pin; a pair, so that no tenant and id can be joined into another's."""

    tenant: str
    """The tenant header's value; empty where tenants are not separated."""
    affinity_id: str
    """The affinity id, or an implicit session's."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A session's change from one model to another."""

    at: float
    """Unix time in seconds."""
    from_model: str
    """Provider-qualified."""
    to_model: str
    """Provider-qualified."""
    reason: str
    """Why, a `SwitchReason`; read from a shared store, it may be one of a later release."""
    because: str | None = None
    """What exactly: the field, the status, the limit; None where the reason says it all."""


@dataclass(frozen=True, slots=True)
class DeploymentMove:
    """A session's change from one deployment of its model to another."""

    at: float
    """Unix time in seconds."""
    model: str
    """The model, which stays; provider-qualified."""
    from_deployment: str | None
    """The deployment's name; None where the pin named none."""
    to_deployment: str | None
    """The deployment's name; None where the model has no deployments any more."""
    because: str | None
    """What exactly: the status, the limit."""
    edit: int
    """Which of the pin's edits it was, from 1."""


class Cause(NamedTuple):
    """The cause for which another model, or another deployment, serves a request than the one decided on."""

    reason: MoveReason
    """The reason."""
    because: str | None = None
    """What exactly: the field, the status, the limit; None where the reason says it all."""
    stays: bool = True
    """True if it will still hold at the session's next request: then the pin moves."""


@dataclass(frozen=True, slots=True)
class Left:
    """A model that a session has left, whose provider may still have its prompts in its cache."""

    model: str
    """Provider-qualified."""
    at: float
    """When; Unix time in seconds."""
    tokens: int
    """How many tokens the prompt had."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The model that a session is kept on, and how that came about."""

    model: str
    """Provider-qualified."""
    route: str | None
    """The preference that chose it; None where none matched."""
    reason: Literal["first_turn", "hint"]
    """Why the session was pinned at first."""
    pinned_at: float
    """When; Unix time in seconds."""
    lineage: str
    """Names the pin from its first write to its end, through all moves: two pins of one id never share it."""
    moves: int = 0
    """How often it was moved."""
    switches: tuple[Switch, ...] = ()
    """Its latest moves, oldest first, `MAX_SWITCHES` at most."""
    edits: int = 0
    """How often it was changed without another model."""
    user_turn: str = ""
    """The user turn that its model was last decided for, as a keyed hash; empty before one was."""
    deployment: str | None = None
    """The model's deployment that the session is kept on, by its name; None where the model has none."""
    home: str = ""
    """The model that it would be on without any user turn's switch, where these are weighed by their cost."""
    switch_usd: float = 0.0
    """What user turns' switches have cost beyond staying, in USD."""
    left: tuple[Left, ...] = ()
    """The models that it left for a user turn, the latest first, `MAX_LEFT` at most."""
    deployment_moves: tuple[DeploymentMove, ...] = ()
    """Its latest moves from one deployment to another, oldest first, `MAX_SWITCHES` at most; each is an edit."""

    def move(
        self,
        model: str,
        route: str | None,
        reason: SwitchReason,
        at: float,
        because: str | None = None,
        *,
        deployment: str | None = None,
    ) -> "Pin":
        """The same pin on another model.

        Args:
            model: Provider-qualified.
            route: The preference that chose it.
            reason: Why it moves.
            at: Unix time in seconds.
            because: What exactly made it move.
            deployment: The model's deployment.
        """
        switches = (*self.switches, Switch(at, self.model, model, reason, because))[-MAX_SWITCHES:]
        return replace(self, model=model, route=route, moves=self.moves + 1, switches=switches, deployment=deployment)

    def move_deployment(self, deployment: str | None, at: float, because: str | None) -> "Pin":
        """The same pin on another deployment of its model.

        Args:
            deployment: Its name.
            at: Unix time in seconds.
            because: What exactly made it move.
        """
        moved = DeploymentMove(at, self.model, self.deployment, deployment, because, self.edits + 1)
        return replace(
            self,
            deployment=deployment,
            edits=self.edits + 1,
            deployment_moves=(*self.deployment_moves, moved)[-MAX_SWITCHES:],
        )

    def keep(self, route: str | None, user_turn: str) -> "Pin":
        """The same pin on the same model, for another user turn.

        Args:
            route: The preference that chose the model again.
            user_turn: The user turn.
        """
        return replace(self, route=route, edits=self.edits + 1, user_turn=user_turn)

    def spend(self, left: str, at: float, tokens: int, usd: float) -> "Pin":
        """The same pin, moved for a user turn whose switch was weighed.

        Args:
            left: The model that it was on.
            at: Unix time in seconds.
            tokens: How many tokens the prompt has.
            usd: What the switch costs beyond staying.
        """
        others = tuple(each for each in self.left if each.model not in {left, self.model})
        return replace(
            self,
            home=self.home or left,
            switch_usd=self.switch_usd + usd,
            left=(Left(left, at, tokens), *others)[:MAX_LEFT],
        )

    def begin_anew(self) -> "Pin":
        """The same pin under another lineage, for a store that has lost it: other replicas may remember other moves."""
        return replace(self, lineage=_new_lineage())

    @property
    def place(self) -> tuple[str, int, str, int, str]:
        """The place that a change is compared and set by: which pin, its moves, model, edits, deployment."""
        return self.lineage, self.moves, self.model, self.edits, self.deployment or ""

    def is_at(self, other: "Pin") -> bool:
        """Check whether both are at one place: replicas that are cut off may move one pin to different places."""
        return self.place == other.place

    def comes_from(self, other: "Pin") -> bool:
        """Check whether it is the other, changed since, as far as its latest moves say."""
        steps = self.moves - other.moves
        if self.lineage != other.lineage or steps > len(self.switches):
            return False
        if steps == 0:
            return self.model == other.model and self.edits > other.edits and self._was_at(other)
        return steps > 0 and self.switches[-steps].from_model == other.model

    def _was_at(self, other: "Pin") -> bool:
        """Check whether it was on the other's deployment when it had as many edits, as far as its latest moves say."""
        since = next((each for each in self.deployment_moves if each.edit > other.edits), None)
        return (self.deployment if since is None else since.from_deployment) == other.deployment


def create_pin(model: str, route: str | None, reason: Literal["first_turn", "hint"], at: float) -> Pin:
    """Make a session's first pin.

    Args:
        model: Provider-qualified.
        route: The preference that chose it, if one did.
        reason: Why this model.
        at: Unix time in seconds.
    """
    return Pin(model, route, reason, at, _new_lineage())


def _new_lineage() -> str:
    return secrets.token_hex(8)


_PINNED = "retain; reason=pinned"


class Decision(Struct, frozen=True, cache_hash=True):
    """The decision about a request's model, with its reason; a row of the affinity contract. Each request gets one."""

    model: str
    """Provider-qualified."""
    route: str | None
    """The preference that chose it, now or when it was pinned."""
    kind: Kind
    """What happened to the session's pin."""
    reason: Reason | None
    """Why; None where there is no session."""
    degraded: tuple[Degraded, ...] = ()
    """What had to be done without: the shared store, the routing model."""
    because: str | None = None
    """What exactly made the model, or its deployment, another than the pinned one: the field, the status, the limit."""
    pinned: str | None = None
    """The model that the session keeps, where another one serves this request alone."""
    deployment: str | None = None
    """The deployment of the model that serves it, by its name; None where the model has none."""

    @property
    def header(self) -> str:
        """The value of ``X-Plano-Affinity``."""
        if self.reason == "pinned" and not self.degraded and self.because is None:
            return _PINNED  # as mostly
        parts: list[str] = [self.kind]
        if self.reason is not None:
            parts.append(f"reason={self.reason}")
        if self.pinned is not None:
            parts.append(f"pinned={quote(self.pinned, safe=_HEADER_SAFE)}")
        if self.because is not None:
            parts.append(f"because={quote(self.because[:MAX_BECAUSE_CHARACTERS], safe=_HEADER_SAFE)}")
        if self.degraded:
            parts.append(f"degraded={','.join(self.degraded)}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Detour:
    """A turn of a session that another model served for its own sake."""

    at: float
    """Unix time in seconds."""
    model: str
    """Who served it, provider-qualified."""
    because: str | None = None
    """What exactly the pinned model could not serve."""


class Notes(NamedTuple):
    """The notes for operators on a session, beside its pin: nothing of them decides."""

    label: str | None = None
    """What its client calls it."""
    detours: int = 0
    """How many of its turns another model served for their own sake."""
    detour: Detour | None = None
    """The latest of them."""

    def add(self, later: "Notes") -> "Notes":
        """Give both as one."""
        return Notes(later.label or self.label, self.detours + later.detours, later.detour or self.detour)


NO_NOTES = Notes()


@dataclass(frozen=True, slots=True)
class Session:
    """An operator's view of a session."""

    key: SessionKey
    """Whose it is."""
    pin: Pin
    """Its pin."""
    last_used: float
    """When a request of it last began or ended; Unix time in seconds."""
    seconds_left: float
    """How long the pin lives on if nobody uses it."""
    requests_in_flight: int
    """How many of its requests this process serves now."""
    turns: int
    """How many requests it has served, those in flight not counted."""
    tokens: Tokens
    """What they cost."""
    served_at: float | None = None
    """When the latest of them ended; Unix time in seconds; None before one has."""
    notes: Notes = NO_NOTES
    """What operators see of it beside its pin."""
