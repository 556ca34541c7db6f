"""The cost of a request, from the tokens that its provider counted and the prices that a source names.

``(input - cached - written) x input price + cached x cached price + written x written price + output x output price``,
prices per million tokens. Where the price of cached tokens is not known they count as any other, and the cost is at
most that; so do those that were written to a cache, where the provider charges nothing more for it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.routing.candidates import ModelMetrics

_MILLION = 1_000_000


class Cost(NamedTuple):
    """The cost of a request."""

    usd: float
    """In USD."""
    is_most: bool
    """Whether it may have been less."""


def compute_cost(model: str, tokens: Tokens, metrics: Mapping[str, ModelMetrics]) -> Cost | None:
    """Compute what a request cost.

    Args:
        model: Who served it, provider-qualified.
        tokens: What the provider counted.
        metrics: What is known, by qualified name or bare id.

    Returns:
        The cost; None where the model's prices are not known, or the provider counted nothing.
    """
    if tokens == NO_TOKENS:
        return None
    for name in (model, model.partition("/")[2]):
        prices = metrics.get(name)
        if prices is None or prices.input_usd_per_million is None or prices.output_usd_per_million is None:
            continue
        cached_price = prices.cached_usd_per_million
        usd = (
            (tokens.input - tokens.cached - tokens.written) * prices.input_usd_per_million
            + tokens.written * (prices.written_usd_per_million or prices.input_usd_per_million)
            + tokens.cached * (prices.input_usd_per_million if cached_price is None else cached_price)
            + tokens.output * prices.output_usd_per_million
        ) / _MILLION
        return Cost(usd, is_most=cached_price is None and tokens.cached > 0)
    return None
