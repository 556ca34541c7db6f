"""What is remembered of a session: ids, models, routes, times, counts; nothing of a prompt."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["none", "initialize", "retain", "switch"]
MoveReason = Literal["upstream_failed", "unsuitable"]
Reason = Literal["first_turn", "hint", "pinned", "model_removed"] | MoveReason


class SessionKey(NamedTuple):
    """Whose pin it is; a pair, so that no tenant and id can be joined into another's."""

    tenant: str
    """The tenant header's value; empty where tenants are not told apart."""
    affinity_id: str
    """The affinity id."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The model that a session is kept on."""

    model: str
    """Provider-qualified."""
    route: str | None
    """The preference that chose it; None where none matched."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which model serves a request, and why; a row of the affinity contract."""

    model: str
    """Provider-qualified."""
    route: str | None
    """The preference that chose it, now or when it was pinned."""
    kind: Kind
    """What happened to the session's pin."""
    reason: Reason | None
    """Why; None where there is no session."""

    @property
    def header(self) -> str:
        """The value of ``X-Plano-Affinity``."""
        return f"{self.kind}; reason={self.reason}" if self.reason else self.kind
