"""A session's first turn on the fast path: of a text that was ranked before, or where nothing is to be ranked.

It is decided as the story decides it, by the same parts. But a request whose model cannot be told at once, or is served
by what the fast path does not do, is left to the story as it was: nothing is pinned here before it is known that it can
be sent.
"""

from typing import NamedTuple

from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.fast_head import FastHead
from plano_agents.router.request.fast_plan import Fit, Plan
from plano_agents.routing.strategy import Ranking
from plano_agents.sessions.decide import Settled
from plano_agents.sessions.pinning import Turn


class FirstTurn(NamedTuple):
    """A first turn that can be sent."""

    settled: Settled
    """What is decided of it, which is not kept yet."""
    plan: Plan
    """The plan of that."""
    fit: Fit
    """Its body, as its model takes it."""
    ranking: Ranking | None
    """How the preferences were ranked; None where there are none."""


def decide_first(head: FastHead, request: RequestBody, turn: Turn) -> FirstTurn | None:
    """Decide for a request of a session without a pin, in a store that is this process's own.

    Args:
        head: The request's head.
        request: Its body.
        turn: The session's turn that it is, which is open, and has looked for a pin.

    Returns:
        What is to be kept and sent; None where the story decides.

    Raises:
        PlanoError: The request is none, or its model does not take it.
    """
    service = head.fast_service.service
    if not head.begins or turn.lane is not None:
        return None
    choice = Choice(service.chooser, request)
    ranked, path = head.fast_service.ranked, head.endpoint.path
    known = ranked.find(path, request.content)
    route = choice.route_at_once(ranking=known)
    if known is None and choice.ranking is not None and service.chooser.prefers_nothing:
        ranked.keep(path, request.content, choice.ranking)
    settled = turn.begin(route, service.choose_deployment) if route is not None else None
    plan = head.find_plan(settled.decision, turn) if settled is not None else None
    if settled is None or plan is None:
        return None
    model = settled.decision.model
    # Whether a model takes the request is asked where there is a choice of models; of this one the fit says it.
    is_met = len(request.content) <= plan.sure_bytes or choice.is_suitable(model)
    fit = plan.fit(request, turn.key) if is_met else None
    return FirstTurn(settled, plan, fit, choice.ranking) if fit is not None else None
