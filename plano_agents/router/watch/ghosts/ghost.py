"""A pinned turn's ghost: the model that would have served it without affinity, and what that would have come to.

Without affinity each request is routed by itself. Where that leads to another model than the turn before would have
had, it is a *would-be switch*: the new model's provider would have read the prompt anew, and what the provider of the
kept model read from its cache would have been read at the full price. So

- tokens read anew: the cached tokens that the provider reported, at a would-be switch; else none;
- list price without affinity: the reported tokens at the ghost's list price, at a would-be switch with none cached,
  else with as many cached as were reported.

What is read anew counts as plain input, although a provider may charge more where it writes that to its cache too. A
switch is taken to find nothing in the new model's cache: a session that comes back to a model soon enough finds a
part, so the tokens read anew are at most that. Tokens are counted as the model that served counts them. Nothing of a
prompt is in a ghost.
"""

from collections.abc import Mapping

import msgspec

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.cost import compute_cost


class Ghost(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A pinned turn without affinity. Its fields are the inspector page's, in JSON."""

    model: str
    """The model that would have served the turn, provider-qualified."""
    routing_ms: float
    """How long routing it took, in milliseconds."""
    before: str | None = None
    """The model that would have served the turn before; None where the transcript does not hold that turn."""
    input: int = 0
    """Prompt tokens as the provider reported; 0 where it reported none, or there is nothing to compare with."""
    anew: int = 0
    """Prompt tokens that would have been read anew."""
    kept_usd: float | None = None
    """The turn's list price as it was served; None where not both list prices are known, or ``input`` is 0."""
    usd: float | None = None
    """Its list price without affinity; None where ``kept_usd`` is."""

    @property
    def is_compared(self) -> bool:
        """True if it is known which model would have served the turn before."""
        return self.before is not None

    @property
    def is_switch(self) -> bool:
        """True if the turn would have been a switch."""
        return self.before is not None and self.before != self.model


def build_ghost(
    served: str,
    tokens: Tokens,
    model: str,
    before: str | None,
    *,
    routing_ms: float,
    prices: Mapping[str, ModelMetrics],
) -> Ghost:
    """Say what a turn would have come to without affinity.

    Args:
        served: The model that served it, provider-qualified.
        tokens: What its provider counted.
        model: The model that would have served it.
        before: The model that would have served the turn before; None where that is not known.
        routing_ms: How long routing the turn took, in milliseconds.
        prices: What is known of the models' prices, by name.
    """
    if before is None or tokens == NO_TOKENS:
        return Ghost(model, routing_ms, before)
    anew = tokens.cached if before != model else 0
    kept = compute_cost(served, tokens, prices)
    without = compute_cost(model, tokens._replace(cached=tokens.cached - anew), prices)
    if kept is None or without is None or kept.is_most or without.is_most:
        return Ghost(model, routing_ms, before, tokens.input, anew)
    return Ghost(model, routing_ms, before, tokens.input, anew, kept.usd, without.usd)
