"""The budget for leaving a model whose provider has the session's prompts in its cache; Plano's ``routing_budget``.

A switch costs what the candidate reads anew, less what the kept model would have read from its cache::

    switch   = warm x candidate's cached price + (context - warm) x candidate's price
               - context x kept model's cached price
    baseline = (prompt tokens of all turns so far + context) x first model's cached price

``warm`` is what the candidate still has of an earlier visit. Output is not counted: nobody knows its length. A switch
that costs nothing is free, and frees nothing. Any other is allowed while all of a session's switches together cost at
most ``max_switch_spend_pct`` percent of the baseline: what the session would have paid for its prompts by never
switching. Where a cache is cold by now, or a price is not known, nothing is held. Warmth is told by the time:
providers keep a cache for five minutes after its last use, some longer (Anthropic, "Prompt caching"; OpenAI, "Prompt
caching").
"""

from collections.abc import Mapping
from typing import NamedTuple

from plano_agents.routing.candidates import ModelMetrics

WARM_SECONDS = 300.0
"""How long after its last use a provider's cache is taken to be warm."""

_MILLION = 1_000_000


class Prices(NamedTuple):
    """The prices of a model's prompts, in USD for a million tokens."""

    read: float
    """Of what is read anew."""
    cached: float
    """Of what is read from its cache."""


class Proposal(NamedTuple):
    """A switch that routing proposes."""

    kept: Prices | None
    """Of the model that the session is on; None where they are not known."""
    candidate: Prices | None
    """Of the one proposed."""
    first: Prices | None
    """Of the one that the session would be on without any switch."""
    context: int
    """How many tokens the prompt has."""
    warm: int
    """How many of them the candidate has in its cache."""
    read: int
    """How many prompt tokens all turns of the session had so far."""
    spent_usd: float
    """What the session's switches have cost."""


class Weighed(NamedTuple):
    """The outcome for a proposal."""

    is_allowed: bool
    """True if the budget allows it."""
    because: str
    """Why, in words for a header."""
    usd: float = 0.0
    """What is added to what the session's switches have cost."""


def find_prices(model: str, metrics: Mapping[str, ModelMetrics], cache_read_discount: float) -> Prices | None:
    """Find the prices of a model's prompts.

    Args:
        model: Provider-qualified.
        metrics: What is known, by qualified name or bare id.
        cache_read_discount: The share of the price that a cached token is taken to cost where that is not known.

    Returns:
        The prices; None where they are not known.
    """
    for name in (model, model.partition("/")[2]):
        found = metrics.get(name)
        if found is not None and found.input_usd_per_million is not None:
            read, cached = found.input_usd_per_million, found.cached_usd_per_million
            return Prices(read, read * cache_read_discount if cached is None else cached)
    return None


def weigh(proposal: Proposal, max_switch_spend_pct: float) -> Weighed:
    """Weigh a switch against the budget.

    Args:
        proposal: The switch.
        max_switch_spend_pct: How much all switches may cost, in percent of the baseline.
    """
    kept, candidate, first = proposal.kept, proposal.candidate, proposal.first
    if kept is None or candidate is None or first is None:
        return Weighed(is_allowed=True, because="price unknown")
    warm = min(proposal.warm, proposal.context)
    there = warm * candidate.cached + (proposal.context - warm) * candidate.read
    usd = (there - proposal.context * kept.cached) / _MILLION
    if usd <= 0:
        return Weighed(is_allowed=True, because="costs nothing")
    allowed = max_switch_spend_pct / 100 * (proposal.read + proposal.context) * first.cached / _MILLION
    left = max(0.0, allowed - proposal.spent_usd)
    if usd > left:
        return Weighed(is_allowed=False, because=f"costs ${usd:.6f}, the budget has ${left:.6f}")
    return Weighed(is_allowed=True, because=f"costs ${usd:.6f} of ${left:.6f}", usd=usd)
