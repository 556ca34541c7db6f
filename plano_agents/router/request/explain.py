"""Why a request is routed as it is: what was read, every preference's score, the candidates in order and why.

What is explained is routing, whatever a session makes of it: the decision itself, a pin's included, stands beside it
in the answer. A pinned request is ranked for its explanation alone.
"""

from msgspec import Struct

from plano_agents.router.request.choice import Choice
from plano_agents.routing.candidates import measure_cost, measure_latency

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
    """From 0 to 1; None from a routing model, which only names one."""


class OrderedCandidate(Struct, frozen=True):
    """A model that may serve the request."""

    model: str
    can_serve: bool
    """Whether it can, as far as is known: its context window, images and tools."""
    left_alone: bool
    """Whether it failed several times in a row, and is left alone for a while."""
    usd_per_million_tokens: float | None
    """Its price for a million tokens in and a million out, where it is known."""
    latency: float | None
    """In the unit of the configured query, where it is known."""


class Explanation(Struct, frozen=True):
    """Why a request is routed as it is."""

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
    match: str | None
    """The preference that the request matches."""
    prefer: str
    """How its candidates are ordered, among those that can serve the request and are not left alone."""
    candidates: list[OrderedCandidate]
    """In the order in which they would be tried; the request's own model alone where nothing matches."""


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
