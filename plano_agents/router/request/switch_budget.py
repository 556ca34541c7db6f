"""The weighing of a user turn's switch against ``routing.routing_budget``, by what its session has spent and read.

The header counts for one request, and asks for the budget where none is configured. Prices are a source's, else the
known ones; the formula stands in ``routing.switch_budget``.
"""

import math
from collections.abc import Callable, Mapping

from plano_agents.config.options import DEFAULT_CACHE_READ_DISCOUNT, RoutingBudget
from plano_agents.errors import RequestError
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.request_body import RequestBody
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.switch_budget import WARM_SECONDS, Proposal, find_prices, weigh
from plano_agents.sessions.decide import Verdict
from plano_agents.sessions.pin import Pin, Session
from plano_agents.sessions.pinning import Weigh

HEADERS = ("x-routing-max-switch-spend-pct", "x-plano-max-switch-spend-pct")
"""The request's own ``max_switch_spend_pct``, as Plano's newest sources and its release 0.4.39 spell it."""

FindMetrics = Callable[[], Mapping[str, ModelMetrics]]
"""Gives what is known of the models' prices, by name."""

MAX_PERCENT = 100
_SHOWN = 40


class SwitchBudget:
    """Weighs switches of sessions whose scope is ``user_turn``.

    Args:
        budget: What is configured; None where nothing is.
        find_metrics: Gives what is known of the models' prices.
        wall_clock: Unix time in seconds.
    """

    def __init__(
        self, budget: RoutingBudget | None, find_metrics: FindMetrics, wall_clock: Callable[[], float]
    ) -> None:
        self._budget = budget
        self._find_metrics = find_metrics
        self._wall_clock = wall_clock

    def build(self, headers: Mapping[str, str], request: RequestBody) -> Weigh | None:
        """Build what weighs the switch of a request; None where it may switch freely.

        Args:
            headers: The request's, names in lower case.
            request: Its body.

        Raises:
            RequestError: Its header is not a percentage.
        """
        own = next(((name, headers[name]) for name in HEADERS if name in headers), None)
        if own is None and self._budget is None:
            return None
        percent = _read_percent(*own) if own is not None else None
        if percent is None:
            assert self._budget is not None, "one of both is there"  # noqa: S101 - cannot happen
            percent = self._budget.max_switch_spend_pct
        discount = self._budget.cache_read_discount if self._budget is not None else DEFAULT_CACHE_READ_DISCOUNT
        limit = percent

        def weigh_switch(session: Session | None, pin: Pin, model: str) -> Verdict:
            return self._weigh(session, pin, model, request, limit, discount)

        return weigh_switch

    def _weigh(  # noqa: PLR0917 - what a request and its session say
        self,
        session: Session | None,
        pin: Pin,
        model: str,
        request: RequestBody,
        percent: float,
        discount: float,
    ) -> Verdict:
        now, metrics = self._wall_clock(), self._find_metrics()
        context = Needs(request.content, request.fields).estimate_tokens()
        idle = None if session is None or session.served_at is None else now - session.served_at
        is_busy = session is not None and session.requests_in_flight > 1
        if session is None or idle is None or (idle > WARM_SECONDS and not is_busy):
            because = "cold cache" if idle is None else f"cold cache, idle for {idle:.0f} s"
            return Verdict(is_allowed=True, because=because, context=context)
        left = next((each for each in pin.left if each.model == model and now - each.at <= WARM_SECONDS), None)
        kept, candidate, first = (
            find_prices(name, metrics, discount) for name in (pin.model, model, pin.home or pin.model)
        )
        warm = left.tokens if left is not None else 0
        proposal = Proposal(kept, candidate, first, context, warm, session.tokens.input, pin.switch_usd)
        return Verdict(*weigh(proposal, percent), context=context)


def _read_percent(name: str, value: str) -> float:
    try:
        percent = float(value)
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= MAX_PERCENT:
        raise RequestError(
            f"The header {name.title()} is {value[:_SHOWN]!r}. Send a percentage from 0 to 100.", param=name
        )
    return percent
