"""Broken promises, counted: each dispatch against the model, and deployment, last dispatched for the same session.

The ledger is not part of the store and believes nothing that a store says of models; from a pin it takes only which pin
it is (lineage) and how often it was moved. A session's model may differ from the last one dispatched when

- the pin has moved since (for a listed reason, which the client that moved it was told), or
- the pin has ended and another one is dispatched: by its idle time, by eviction, by `drop`; a shared store may also
  lose it, or another replica drop it, without this one's being told.

A detour is counted against the model that it names as the pinned one, not against the one that serves it. Everything
else is a violation: another model under the same pin, a pin that came back after it had moved, and, in a store that is
not shared, another pin although none had ended. Not counted are requests that were decided before a move or an end and
dispatched after it, and the first dispatch after the shared store went or came back: replicas may have disagreed
meanwhile.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from plano_agents.sessions.pin import Pin, SessionKey

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Dispatched:
    """The last dispatch of a session."""

    lineage: str = ""
    moves: int = 0
    edits: int = 0
    model: str | None = None
    """None where nothing was dispatched since a pin of the session ended."""
    deployment: str | None = None
    """Which of the model's deployments."""
    noted: int = 0
    """At which of the ledger's ticks it was first so."""
    era: int = 0
    """In which of the shared store's eras it was decided."""
    ended: int = 0
    """At which tick the session's last pin ended, as far as that was told."""
    pin: Pin | None = None
    """The pin by which it was decided; None where nothing was dispatched."""


_NOTHING = _Dispatched()


class Ledger:
    """Remembers what was last dispatched for each session.

    Args:
        max_entries: How many sessions are remembered; the longest unused is forgotten first.
        is_shared: Whether other replicas may end pins too.
        on_violation: Called at each violation.
    """

    def __init__(self, *, max_entries: int, is_shared: bool, on_violation: Callable[[], None] = lambda: None) -> None:
        self._max_entries = max_entries
        self._is_shared = is_shared
        self._last: OrderedDict[SessionKey, _Dispatched] = OrderedDict()
        self.tick: Callable[[], int] = count(1).__next__
        """Gives the present moment, to be shown when what was then decided is dispatched."""
        self._era = 0
        self._degraded = False
        self._on_violation = on_violation
        self.violations = 0

    def observe(self, *, degraded: bool) -> int:
        """Take in whether the shared store answered; give its present era, for one ends when it goes or comes back."""
        self._era += degraded is not self._degraded
        self._degraded = degraded
        return self._era

    def note(self, key: SessionKey, pin: Pin, model: str, *, decided: int, era: int = 0) -> None:
        """Note that a session's request goes to its own model and deployment; count it if that breaks the promise.

        Args:
            key: The session.
            pin: The pin by which it was decided.
            model: Where it goes, provider-qualified.
            decided: When it was asked what the session's pin is, a `tick`.
            era: In which era that was answered (`observe`).
        """
        last = self._last.get(key, _NOTHING)
        if last.pin is pin and last.model == model and last.era == era and decided >= last.ended:
            self._last.move_to_end(key)  # as it mostly is
            return
        if decided < last.ended:
            return
        if (
            model == last.model
            and pin.lineage == last.lineage
            and pin.moves == last.moves
            and pin.edits == last.edits
            and pin.deployment == last.deployment
            and era == last.era
        ):
            self._keep(key, replace(last, pin=pin))
            return
        if pin.lineage == last.lineage and decided < last.noted and _has_moved_less(pin, last):
            return
        moved = model != last.model or pin.deployment != last.deployment
        if moved and last.era == era and not self._is_explained(last, pin, model):
            self.violations += 1
            self._on_violation()
            logger.error(
                "affinity violated: session %r moved from %s to %s without a listed reason",
                key.affinity_id,
                _name(last.model, last.deployment),
                _name(model, pin.deployment),
            )
        if moved or (pin.lineage, pin.moves, pin.edits, era) != (last.lineage, last.moves, last.edits, last.era):
            place = (pin.moves, pin.edits, model, pin.deployment)
            last = _Dispatched(pin.lineage, *place, self.tick(), era, last.ended, pin)
        self._keep(key, last)

    def note_move(self, key: SessionKey, pin: Pin, *, era: int = 0) -> None:
        """Note that a session's pin was moved, by a request of this process that was told why."""
        last = self._last.get(key)
        if last is not None:
            place = (pin.moves, pin.edits, pin.model, pin.deployment)
            self._keep(key, _Dispatched(pin.lineage, *place, self.tick(), era, last.ended, pin))

    def forget(self, key: SessionKey) -> None:
        """Note that a session's pin has ended."""
        self._keep(key, _Dispatched(ended=self.tick()))

    def _is_explained(self, last: _Dispatched, pin: Pin, model: str) -> bool:
        if last.model is None:
            return True
        if pin.lineage == last.lineage:
            return pin.moves > last.moves or (pin.edits > last.edits and model == last.model)
        return self._is_shared

    def _keep(self, key: SessionKey, last: _Dispatched) -> None:
        self._last[key] = last
        self._last.move_to_end(key)
        if len(self._last) > self._max_entries:
            self._last.popitem(last=False)


def _has_moved_less(pin: Pin, last: _Dispatched) -> bool:
    return (pin.moves, pin.edits) < (last.moves, last.edits)


def _name(model: str | None, deployment: str | None) -> str:
    return f"{model} ({deployment})" if deployment is not None else f"{model}"
