"""The answer of ``/routing/v1``: the decision alone, and, where asked, why a request is routed as it is.

An explanation tells what was read, every preference's score, and the candidates in order. What is explained is routing,
whatever a session makes of it: the decision itself, a pin's included, stands beside it in the answer. A pinned request
is ranked for its explanation alone.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from plano_agents.router.request.answer import Answer, build_headers
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.trail import Trail
from plano_agents.routing.candidates import measure_cost, measure_latency
from plano_agents.routing.embedded.languages import tell_weak_language
from plano_agents.routing.embedded.strategy import NAME as EMBEDDED
from plano_agents.sessions.pin import Decision

EXPLAIN_HEADER = "x-plano-explain"
"""The request header that asks for an explanation, with `EXPLAIN`."""

EXPLAIN = "true"


class ReadText(Struct, frozen=True):
    """A message that was read."""

    role: str
    text: str


class ScoredPreference(Struct, frozen=True):
    """A preference, and how well the request matches it."""

    name: str
    description: str
    examples: int
    """How many examples it has."""
    score: float | None
    """Its probability against the likeliest other answer; None from a routing model, which only names one."""


class OrderedCandidate(Struct, frozen=True):
    """A model that may serve the request."""

    model: str
    can_serve: bool
    """True if it can, as far as is known: its context window, images and tools."""
    left_alone: bool
    """True if its circuit breaker is open, after consecutive failures."""
    usd_per_million_tokens: float | None
    """Its price for a million tokens in and a million out, where it is known."""
    latency: float | None
    """In the unit of the configured query, where it is known."""


class Explanation(Struct, frozen=True):
    """The explanation of a request's routing."""

    strategy: str | None
    """Which strategy ranked: ``embedded``, or the routing model's name; None where there is no preference."""
    degraded: str | None
    """Why the routing model did not."""
    read: list[ReadText]
    """What was read of the conversation, oldest first."""
    preferences: list[ScoredPreference]
    """All of them, in the order configured."""
    threshold: float | None
    """The score that a match must exceed."""
    language: str | None
    """The language of the latest message, in ISO 639-1, where the embedded strategy ranked and knows little of it."""
    match: str | None
    """The preference that the request matches."""
    prefer: str
    """How its candidates are ordered, among those that can serve the request and whose breaker is closed."""
    candidates: list[OrderedCandidate]
    """In the order in which they would be tried; the request's own model alone where nothing matches."""


def wants_explanation(headers: Mapping[str, str]) -> bool:
    """Check whether a request asks why it is routed as it is.

    Args:
        headers: The request's, names in lower case.
    """
    return headers.get(EXPLAIN_HEADER, "").lower() == EXPLAIN


async def explain(choice: Choice) -> Explanation:
    """Explain how a request is routed."""
    ranking = await choice.rank() if choice.preferences else None
    match = ranking.match if ranking is not None else None
    scores = {each.preference.name: each.score for each in ranking.scored} if ranking is not None else {}
    metrics = choice.find_metrics()
    return Explanation(
        strategy=ranking.strategy if ranking is not None else None,
        degraded=ranking.degraded if ranking is not None else None,
        read=[ReadText(said.role, said.text) for said in choice.conversation],
        preferences=[
            ScoredPreference(each.name, each.description, len(each.examples), scores.get(each.name))
            for each in choice.preferences
        ],
        threshold=ranking.threshold if ranking is not None else None,
        language=tell_weak_language(choice.conversation[-1].text)
        if choice.conversation and ranking is not None and ranking.strategy == EMBEDDED
        else None,
        match=match.name if match is not None else None,
        prefer=match.prefer if match is not None else "none",
        candidates=[
            OrderedCandidate(
                name,
                choice.is_suitable(name),
                choice.is_down(name),
                measure_cost(name, metrics),
                measure_latency(name, metrics),
            )
            for name in choice.list_routed(match)
        ],
    )


def answer_decision(
    trail: Trail,
    decision: Decision,
    candidates: Sequence[str],
    asked: str | None,
    explanation: Explanation | None,
) -> Answer:
    """Answer with the decision alone, in Plano's shape and with our reason.

    Args:
        trail: What is known of the request.
        decision: The decision.
        candidates: The models that may serve the request, in the order in which they are tried.
        asked: The request's own model as the client spelt it: with no match it stands alone.
        explanation: Why, where that was asked.
    """
    is_unmatched = decision.route is None and asked is not None and decision.kind != "retain"
    content: dict[str, object] = {
        "models": [asked] if is_unmatched else candidates,
        "route": decision.route,
        "trace_id": trail.trace_id,
        "session_id": trail.affinity_id,
        "pinned": decision.kind == "retain",
        "switched": decision.kind == "switch",
        "decision": decision.kind,
        "reason": decision.reason,
        "because": decision.because,
        "deployment": decision.deployment,
    }
    if explanation is not None:
        content["explanation"] = explanation
    headers = {**build_headers(trail), "content-type": "application/json"}
    return Answer(200, headers, msgspec.json.encode(content))
