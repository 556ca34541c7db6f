"""The affinity contract's decisions, all of them and nowhere else.

==========  ===============  =======================================================================
decision    reason           when
==========  ===============  =======================================================================
none        (none)           the request is of no session: routed afresh, nothing remembered
initialize  first_turn       no live pin: routed, or, in a lane beside a harness' main one, the model
                             asked for by name; then pinned. Where the first candidate cannot serve the
                             request, the next is pinned
initialize  hint             no live pin, and the transcript's own model is configured: pinned unrouted,
                             or the next, where what it cannot serve stays in the transcript
retain      pinned           the pin holds: routing is skipped
retain      deployment       the pin's model holds, and another of its deployments served the request: the
                             pin moves to that one, unless nothing of the cause stays in the transcript
detour      unsuitable       the pinned model cannot serve this one request, and nothing of the reason
                             stays in the transcript: another model serves it, the pin stays
switch      upstream_failed  the pinned model failed for good, another answered: the pin moves to it
switch      unsuitable       what the pinned model cannot serve stays in the transcript, and another
                             model can: the pin moves to it
switch      model_removed    the pinned model left the configuration: routed, then pinned anew
switch      user_turn        the scope is ``user_turn``, a new user message was routed elsewhere, and the budget
                             allows it, where there is one; else it is retained
==========  ===============  =======================================================================

An explicit id outranks everything; the order is live pin, hint, routing. With the scope ``user_turn`` a request is
routed again whose pin was decided for another user turn; the pin stays where that leads to its model. Pure: looking
pins up and keeping them is left to the store, routing to the caller.
"""

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from plano_agents.sessions.lanes import Lane
from plano_agents.sessions.pin import Cause, Decision, Degraded, Pin, create_pin

MAX_RETAINED = 1_000
"""How many decisions by pins are remembered."""


class Route(NamedTuple):
    """The outcome of routing."""

    model: str
    """Provider-qualified: the first candidate."""
    name: str | None
    """The preference that matched; None where none did."""
    degraded: tuple[Degraded, ...] = ()
    """What routing had to do without."""


class Verdict(NamedTuple):
    """The budget's word on a switch that a user turn's routing proposes."""

    is_allowed: bool
    """True if the session may leave its model, whose provider has its prompts in its cache."""
    because: str
    """Why, as the caller is told."""
    usd: float = 0.0
    """What is added to the cost of the session's switches, in USD."""
    context: int = 0
    """How many tokens the prompt has."""


class Settled(NamedTuple):
    """A decision about a session, and the pin that stands for it."""

    decision: Decision
    """What the caller is told."""
    pin: Pin
    """What is to be kept, or is kept already."""

    def at(self, deployment: str | None) -> "Settled":
        """The same on a deployment of the model."""
        if deployment == self.decision.deployment == self.pin.deployment:
            return self
        return Settled(
            replace(self.decision, deployment=deployment), dataclasses.replace(self.pin, deployment=deployment)
        )


def decide_without_session(route: Route) -> Decision:
    """Decide for a request without an affinity id."""
    return Decision(route.model, route.name, "none", None, route.degraded)


def decide_before_routing(
    pin: Pin | None,
    *,
    hint: str | None,
    find_model: Callable[[str], str | None],
    now: float,
    resume: Callable[[str], str | None] | None = None,
) -> Settled | None:
    """Decide as far as can be without routing.

    Args:
        pin: The session's live pin, or None.
        hint: The model that the request's transcript was made by, as the client spells it, or None.
        find_model: From any spelling to the provider-qualified name; None for what is not configured.
        now: Unix time in seconds.
        resume: The same for a hint, where the model that goes on with a transcript may be another than the one
            that made it.

    Returns:
        The decision, or None when the request must be routed.
    """
    if pin is not None:
        return decide_by_pin(pin) if find_model(pin.model) is not None else None
    hinted = (resume or find_model)(hint) if hint is not None else None
    if hinted is None:
        return None
    return Settled(Decision(hinted, None, "initialize", "hint"), create_pin(hinted, None, "hint", now))


def decide_by_pin(pin: Pin) -> Settled:
    """Decide for a request whose session is pinned."""
    return Settled(_retain(pin.model, pin.route, pin.deployment), pin)


@lru_cache(MAX_RETAINED)
def _retain(model: str, route: str | None, deployment: str | None) -> Decision:
    """Decide for a pin's model; requests for which this was decided are told of together."""
    return Decision(model, route, "retain", "pinned", deployment=deployment)


def decide_lanes_model(lane: Lane, named: str, *, is_mains: bool) -> str | None:
    """Decide whether a lane begins with the model that it asks for.

    Args:
        lane: The lane.
        named: The configured model that it asks for by name, provider-qualified.
        is_mains: Whether the session's main lane asks for that model too.

    Returns:
        The model; None where the request is routed, as the main lane's is, and that of a lane that asks for the same
        model.
    """
    return None if lane.is_main or is_mains else named


def decide_after_routing(pin: Pin | None, route: Route, *, now: float) -> Settled:
    """Decide for a request of a session that had to be routed.

    Args:
        pin: The session's pin whose model left the configuration, or None.
        route: What routing found.
        now: Unix time in seconds.
    """
    if pin is not None:
        decision = Decision(route.model, route.name, "switch", "model_removed", route.degraded, pin.model)
        return Settled(decision, pin.move(route.model, route.name, "model_removed", now, pin.model))
    decision = Decision(route.model, route.name, "initialize", "first_turn", route.degraded)
    return Settled(decision, create_pin(route.model, route.name, "first_turn", now))


def decide_user_turn(pin: Pin, route: Route, user_turn: str, *, now: float, verdict: Verdict | None = None) -> Settled:
    """Decide for a new user message of a session whose scope is ``user_turn``.

    Args:
        pin: The session's live pin, decided for another user turn.
        route: What routing found.
        user_turn: The user turn.
        now: Unix time in seconds.
        verdict: The budget's; None where there is none, or routing found the pinned model.
    """
    if route.model == pin.model:
        decision = Decision(pin.model, route.name, "retain", "pinned", route.degraded, deployment=pin.deployment)
        return Settled(decision, pin.keep(route.name, user_turn))
    preference = "no preference" if route.name is None else f"preference {route.name}"
    if verdict is not None and not verdict.is_allowed:
        because = f"{preference}, {route.model} {verdict.because}"
        kept = Decision(pin.model, pin.route, "retain", "pinned", route.degraded, because, deployment=pin.deployment)
        return Settled(kept, pin.keep(pin.route, user_turn))
    because = preference if verdict is None else f"{preference}, {verdict.because}"
    decision = Decision(route.model, route.name, "switch", "user_turn", route.degraded, because)
    moved = pin.move(route.model, route.name, "user_turn", now, because)
    if verdict is not None:
        moved = moved.spend(pin.model, now, verdict.context, verdict.usd)
    return Settled(decision, moved)


_TRANSCRIPT = ("messages", "input", "system", "instructions", "file_url")
"""Where what a request holds comes again with its session's next one; ``file_url`` is a part of a message."""


def name_refusal(param: str | None) -> Cause:
    """Name the cause of a model's being passed over for what cannot be carried to it.

    Args:
        param: The path of the field at fault, as in errors to the client.
    """
    return Cause("unsuitable", param, stays=param is not None and param.startswith(_TRANSCRIPT))


def decide_after_move(decision: Decision, model: str, cause: Cause, deployment: str | None = None) -> Decision:
    """Decide for a request that another candidate answered than the one decided on.

    Args:
        decision: What had been decided.
        model: Who answered, provider-qualified.
        cause: Why the one decided on did not.
        deployment: Which of the model's deployments.

    Returns:
        The same of another deployment where the model is the one decided on; a detour, of which the pin hears nothing,
        where the cause is this request's alone; else a switch.
    """
    if decision.kind == "none":
        return replace(decision, model=model, deployment=deployment)
    if model == decision.model:
        if decision.kind != "retain":
            return replace(decision, deployment=deployment)
        return replace(decision, reason="deployment", because=cause.because, deployment=deployment)
    if cause.reason == "unsuitable" and not cause.stays:
        return Decision(
            model,
            decision.route,
            "detour",
            "unsuitable",
            decision.degraded,
            cause.because,
            decision.model,
            deployment,
        )
    return Decision(
        model, decision.route, "switch", cause.reason, decision.degraded, cause.because, deployment=deployment
    )
