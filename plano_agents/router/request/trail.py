"""The record of a request: it fills while the request is handled, and is shown to observers once it is over.

Headers, log lines, metrics, spans and the inspector's page all tell of the same trail. Nothing of a prompt is in it,
unless spans are to tell it.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.router.request.sampling import Trace
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Ranking
from plano_agents.sessions.lanes import Origin
from plano_agents.sessions.pin import Decision, SessionKey


class Try(Struct, frozen=True):
    """One sending of the request to a provider."""

    model: str
    """Who was asked, provider-qualified."""
    status: int | None
    """The HTTP status of its answer; None where there was none."""
    failure: str | None
    """The code of what went wrong instead of an answer, as in errors to the client; None where there was one."""
    duration_ms: float
    """How long it took, in milliseconds; of a stream, to its first bytes."""
    deployment: str | None = None
    """Which of the model's deployments was asked; None for a model without deployments."""
    words: str | None = None
    """What went wrong, in the words that the client is told; None where there was an answer."""


class Trail(Struct, gc=False):
    """One request, from its headers to the last byte of its answer.

    A struct costs a fifth of a dataclass to make, and the garbage collector passes it over: nothing that it holds leads
    back to it.
    """

    trace_id: str
    """32 hexadecimal digits."""
    path: str
    """Which endpoint was asked."""
    began_at: float
    """When it came; Unix time in seconds."""
    started: float
    """When it came, in seconds on the service's monotonic clock."""
    affinity_id: str | None = None
    """The client's affinity id, once it is checked."""
    origin: Origin | None = None
    """Where the session's id comes from; None without a session, and where the answer repeats the id."""
    session: SessionKey | None = None
    """The session that it is a turn of, an implicit one included."""
    decision: Decision | None = None
    """Which model serves it, once that is decided."""
    ranking: Ranking | None = None
    """How its preferences were ranked; None where nothing was routed."""
    adjustments: tuple[Adjustment, ...] = ()
    """What was changed in the request so that the model that answered takes it."""
    answered: int | None = None
    """The status of the answer where the first sending brought one and the client got it: `tries` is made of that."""
    noted: tuple[Try, ...] = ()
    """What was sent to providers otherwise, in order; see `tries`."""
    streams: bool = False
    """True if the answer came as a stream."""
    status: int | None = None
    """The HTTP status of the answer; None before there is one."""
    failure: str | None = None
    """The code of the error that the client was told, in the answer or in the middle of its stream."""
    client_left: bool = False
    """True if the client closed the connection before its answer was complete."""
    routing_ms: float | None = None
    """How long the decision took, in milliseconds."""
    upstream_ms: float | None = None
    """How long the provider took, in milliseconds; on a stream, to its headers."""
    first_ms: float | None = None
    """How long after the request came the first bytes of a stream were there, in milliseconds."""
    duration_ms: float | None = None
    """How long the request took in all, in milliseconds; None before it is over."""
    tokens: Tokens = NO_TOKENS
    """What the answer cost, as the provider counted."""
    client: str | None = None
    """The name of the client's key; None where it has none."""
    label: str | None = None
    """What the client calls the session, for operators."""
    trace: Trace | None = None
    """The ids of its spans; None where nothing is traced, or all is told."""
    n: int = 0
    """Its number in the inspector's history, from 1; 0 before it is put there."""
    prices: ModelMetrics | None = None
    """The prices of its model when it was put there; None where they are not known."""

    @property
    def tries(self) -> Sequence[Try]:
        """The sendings to providers, in order."""
        decision = self.decision
        if self.answered is None or decision is None:
            return self.noted
        return (Try(decision.model, self.answered, None, self.upstream_ms or 0.0, decision.deployment),)

    def note_try(self, tried: Try) -> None:
        """Note a sending."""
        self.noted += (tried,)


_NOTED = 6
"""Where the sendings stand in a trail's kind."""


def group_alike(trails: Sequence[Trail]) -> Sequence[Sequence[Trail]]:
    """Group requests that differ in nothing but ids, times, tokens, and who asked.

    Args:
        trails: At least one request that is over.

    Returns:
        The groups, each in the order of its requests.
    """
    kinds: list[tuple[object, ...]] = [
        (t.path, t.status, t.decision, t.failure, t.adjustments, t.answered, t.noted, t.prices) for t in trails
    ]
    if kinds.count(kinds[0]) == len(kinds):
        return (trails,)
    groups: dict[object, list[Trail]] = {}
    for trail, kind in zip(trails, kinds, strict=True):
        sendings = tuple([(each.model, each.status, each.failure, each.deployment) for each in trail.noted])
        groups.setdefault((kind[:_NOTED], sendings, kind[_NOTED + 1 :]), []).append(trail)
    return tuple(groups.values())


def measure_phases(trail: Trail) -> dict[str, float]:
    """Measure how long each phase of a request took that is over; together they are all of it.

    Args:
        trail: The request.

    Returns:
        Milliseconds by phase, in their order: ``routing``, from the request to the decision; ``fitting``, writing it
        for the model, and waiting between tries; ``provider``, connecting, and its answer, or a stream's head;
        ``first_bytes`` of a stream; then ``streaming``, or ``writing`` of a whole answer. ``refusing`` alone where
        nothing was decided.
    """
    total = trail.duration_ms or 0.0
    if trail.routing_ms is None:
        return {"refusing": total}
    phases = {"routing": trail.routing_ms}
    if trail.upstream_ms is not None:
        asked = min(sum(each.duration_ms for each in trail.tries), trail.upstream_ms)
        phases |= {"fitting": trail.upstream_ms - asked, "provider": asked}
    if trail.first_ms is not None:
        phases["first_bytes"] = max(0.0, trail.first_ms - sum(phases.values()))
    return phases | {"streaming" if trail.streams else "writing": total - sum(phases.values())}


Tell = Callable[[Trail], None]
"""Takes each request once it is over, on the event loop; returns at once and never raises."""

Observer = Callable[[Sequence[Trail]], None]
"""Takes requests that are over, in the order of their ends, on the event loop: it must be quick, keep nothing that
grows, never raise."""
