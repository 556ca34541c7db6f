"""The affinity contract's decisions, all of them and nowhere else.

==========  ===============  =======================================================================
decision    reason           when
==========  ===============  =======================================================================
none        (none)           the request has no affinity id: routed afresh, nothing remembered
initialize  first_turn       no live pin: routed, then pinned
initialize  hint             no live pin, and the transcript's own model is configured: pinned unrouted
retain      pinned           the pin holds: routing is skipped
switch      upstream_failed  the pinned model failed for good, another answered: the pin moves to it
switch      unsuitable       the pinned model cannot serve this request, another can: the pin moves to it
switch      model_removed    the pinned model left the configuration: routed, then pinned anew
==========  ===============  =======================================================================

An explicit id outranks everything; the order is live pin, hint, routing. Pure: looking pins up and keeping them
is left to the store, routing to the caller.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from plano_agents.sessions.pin import Decision, MoveReason, Pin


class Route(NamedTuple):
    """What routing found."""

    model: str
    """Provider-qualified: the first candidate."""
    name: str | None
    """The preference that matched; None where none did."""


def decide_without_session(route: Route) -> Decision:
    """Decide for a request without an affinity id."""
    return Decision(route.model, route.name, "none", None)


def decide_before_routing(
    pin: Pin | None, *, hint: str | None, find_model: Callable[[str], str | None]
) -> Decision | None:
    """Decide as far as can be without routing.

    Args:
        pin: The session's live pin, or None.
        hint: The model that the request's transcript was made by, as the client spells it, or None.
        find_model: From any spelling to the provider-qualified name; None for what is not configured.

    Returns:
        The decision, or None when the request must be routed.
    """
    if pin is not None:
        if find_model(pin.model) is None:
            return None
        return Decision(pin.model, pin.route, "retain", "pinned")
    hinted = find_model(hint) if hint is not None else None
    return Decision(hinted, None, "initialize", "hint") if hinted is not None else None


def decide_after_routing(pin: Pin | None, route: Route) -> Decision:
    """Decide for a request of a session that had to be routed.

    Args:
        pin: The session's pin whose model left the configuration, or None.
        route: What routing found.
    """
    if pin is not None:
        return Decision(route.model, route.name, "switch", "model_removed")
    return Decision(route.model, route.name, "initialize", "first_turn")


def decide_after_move(decision: Decision, model: str, reason: MoveReason) -> Decision:
    """Decide for a request that another candidate answered than the one decided on.

    Args:
        decision: What had been decided.
        model: Who answered, provider-qualified.
        reason: Why the one decided on did not.
    """
    if decision.kind == "none":
        return replace(decision, model=model)
    return Decision(model, decision.route, "switch", reason)
