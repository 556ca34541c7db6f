"""One request that is over, as the inspector remembers it: ids, models, routes, times, counts; nothing of a prompt.

A record is made when somebody reads. Until then the history keeps the request's trail, if nothing in it is long
(`is_lean`); of another a record is made at once, which cuts names that clients choose to a length that many of them
cannot fill the memory with.
"""

from collections.abc import Mapping, Sequence

import msgspec

from plano_agents.router.request.trail import Trail, Try
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.cost import find_prices, price_tokens
from plano_agents.routing.strategy import Ranking

MAX_SCORES = 24
"""How many preferences' scores are remembered of a request."""

MAX_ADJUSTED = 16
"""How many changes of a request are shown."""

MAX_NAME = 120
"""How much of a preference's name is; a request may bring its own."""


class Sending(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One sending to a provider, where there was more than one or it failed."""

    model: str
    """Who was asked, provider-qualified."""
    status: int | None
    """The HTTP status of its answer."""
    failure: str | None
    """The code of what went wrong instead of one."""
    duration_ms: float
    """How long it took."""
    deployment: str | None = None
    """Which of the model's deployments."""
    words: str | None = None
    """What went wrong, in words."""


class Record(msgspec.Struct, gc=False, omit_defaults=True):
    """A request that is over. Its fields are the page's, in JSON."""

    tenant: str
    """The session's tenant; empty without one."""
    session: str | None
    """The affinity id, an implicit session's included; None for a request without a session."""
    at: float
    """When it came; Unix time in seconds."""
    trace_id: str
    """32 hexadecimal digits."""
    path: str
    """Which endpoint was asked."""
    duration_ms: float
    """How long it took in all."""
    n: int = 0
    """Its number in the history, from 1, in the order of their ends; 0 before it is put there."""
    model: str | None = None
    """Who served it, provider-qualified; None where nothing was decided."""
    deployment: str | None = None
    """Which of the model's deployments served it; None for a model without deployments."""
    route: str | None = None
    """The preference that chose the model."""
    decision: str | None = None
    """What was decided about the session."""
    reason: str | None = None
    """Why."""
    because: str | None = None
    """What exactly made the model another than the pinned one."""
    pinned: str | None = None
    """The model that the session keeps, where another served this request alone."""
    source: str | None = None
    """Where the session's id comes from; None where it is the affinity id."""
    label: str | None = None
    """What the client calls the session."""
    degraded: tuple[str, ...] = ()
    """What had to be done without."""
    strategy: str | None = None
    """Who ranked its preferences; None where nothing was routed."""
    threshold: float | None = None
    """The score that a match must exceed."""
    scores: tuple[tuple[str, float | None], ...] = ()
    """Each preference and its score, from 0 to 1, in the order given."""
    adjusted: tuple[str, ...] = ()
    """What was changed in the request so that its model takes it."""
    sendings: tuple[Sending, ...] = ()
    """What was sent to providers, in order, where that was more than one answer."""
    streams: bool = False
    """True if the answer came as a stream."""
    status: int | None = None
    """The HTTP status of the answer."""
    failure: str | None = None
    """The code of the error that the client was told."""
    client_left: bool = False
    """True if the client left before its answer was whole."""
    routing_ms: float | None = None
    """How long the decision took."""
    upstream_ms: float | None = None
    """How long the provider took; on a stream, to its headers."""
    first_ms: float | None = None
    """How long until the first bytes of a stream."""
    input: int = 0
    """Prompt tokens, cached ones included."""
    output: int = 0
    """Completion tokens."""
    cached: int = 0
    """Prompt tokens read from the provider's cache."""
    cost_usd: float | None = None
    """What it cost; None where the model's prices are not known, or its tokens."""
    cost_is_most: bool = False
    """True if it may have been less: the price of cached tokens is not known."""
    ghost: Ghost | None = None
    """The turn without affinity; None where it was not routed beside."""

    @property
    def has_failed(self) -> bool:
        """True if the client got an error."""
        return has_failed(self.status, self.failure)


class GhostNews(msgspec.Struct, frozen=True, gc=False):
    """The ghost of a request, which comes after its record."""

    tenant: str
    """The session's tenant."""
    session: str | None
    """The affinity id."""
    at: float
    """When the request came, which with its trace id tells it from the others of its session."""
    trace_id: str
    """32 hexadecimal digits."""
    ghost: Ghost
    """The ghost."""


def has_failed(status: int | None, failure: str | None) -> bool:
    """Check whether a client got an error."""
    return failure is not None or (status is not None and status >= 400)  # noqa: PLR2004 - HTTP's


def is_lean(trails: Sequence[Trail]) -> bool:
    """Check whether trails hold no more than their records would: nothing that a client may have made long.

    Args:
        trails: Some that are alike; see `group_alike`.
    """
    first = trails[0]
    decision = first.decision
    return (
        decision is not None
        and decision.because is None
        and len(decision.route or "") <= MAX_NAME
        and first.failure is None
        and all(each.words is None for each in first.noted)
        and len(first.noted) <= 1
        and not first.adjustments
        and not any(trail.ranking or trail.origin for trail in trails)
    )


def price(trail: Trail, known: Mapping[str, ModelMetrics]) -> ModelMetrics | None:
    """Find the prices of the model that served a request; None where they are not known.

    Args:
        trail: The request.
        known: What is known of the models' prices, by name.
    """
    decision = trail.decision
    return find_prices(decision.model, known) if decision is not None and known else None


def build_record(trail: Trail, prices: ModelMetrics | None) -> Record:
    """Write down a request that is over.

    Args:
        trail: What is known of it.
        prices: What is known of its model's prices.
    """
    tenant, session = trail.session or ("", None)
    tokens, ranking, tries, decision = trail.tokens, trail.ranking, trail.tries, trail.decision
    record = Record(
        tenant,
        session,
        trail.began_at,
        trail.trace_id,
        trail.path,
        trail.duration_ms or 0.0,
        trail.n,
        streams=trail.streams,
        status=trail.status,
        failure=trail.failure,
        client_left=trail.client_left,
        routing_ms=trail.routing_ms,
        upstream_ms=trail.upstream_ms,
        first_ms=trail.first_ms,
        input=tokens[0],
        output=tokens[1],
        cached=tokens[2],
        label=trail.label,
    )
    if trail.origin is not None:
        record.source = _cut(trail.origin.source)
    if decision is not None:
        record.model, record.route = decision.model, _cut(decision.route)
        record.decision, record.reason, record.degraded = decision.kind, decision.reason, decision.degraded
        record.because, record.pinned = _cut(decision.because), decision.pinned
        record.deployment = decision.deployment
        cost = price_tokens(tokens, prices) if prices is not None else None
        if cost is not None:
            record.cost_usd, record.cost_is_most = cost
    if ranking is not None:
        record.strategy, record.threshold, record.scores = ranking.strategy, ranking.threshold, _read(ranking)
    if trail.adjustments:
        record.adjusted = tuple(each.text[:MAX_NAME] for each in trail.adjustments[:MAX_ADJUSTED])
    if len(tries) > 1 or (tries and tries[0].status is None):
        record.sendings = tuple(_write(each) for each in tries)
    return record


def _read(ranking: Ranking) -> tuple[tuple[str, float | None], ...]:
    return tuple((each.preference.name[:MAX_NAME], each.score) for each in ranking.scored[:MAX_SCORES])


def _write(each: Try) -> Sending:
    return Sending(each.model, each.status, each.failure, each.duration_ms, each.deployment, each.words)


def _cut(name: str | None) -> str | None:
    return name[:MAX_NAME] if name is not None else None
