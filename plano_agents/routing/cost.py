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
    """True if it may have been less."""


def compute_cost(model: str, tokens: Tokens, metrics: Mapping[str, ModelMetrics]) -> Cost | None:
    """Compute what a request cost.

    Args:
        model: Who served it, provider-qualified.
        tokens: What the provider counted.
        metrics: What is known, by qualified name or bare id.

    Returns:
        The cost; None where the model's prices are not known, or the provider counted nothing.
    """
    prices = find_prices(model, metrics)
    return price_tokens(tokens, prices) if prices is not None else None


def find_prices(model: str, metrics: Mapping[str, ModelMetrics]) -> ModelMetrics | None:
    """Find a model's prices; None where they are not known.

    Args:
        model: The model, provider-qualified.
        metrics: What is known, by qualified name or bare id.
    """
    found = (metrics.get(name) for name in (model, model.partition("/")[2]))
    return next((each for each in found if each is not None and _is_priced(each)), None)


def price_tokens(tokens: Tokens, prices: ModelMetrics) -> Cost | None:
    """Compute what tokens cost, of one request or of several with the same prices.

    Args:
        tokens: What the provider counted.
        prices: The model's.

    Returns:
        The cost; None where the prices are not known, or the provider counted nothing.
    """
    given, taken, cached_price = (
        prices.input_usd_per_million,
        prices.output_usd_per_million,
        prices.cached_usd_per_million,
    )
    if tokens == NO_TOKENS or given is None or taken is None:
        return None
    usd = (
        (tokens.input - tokens.cached - tokens.written) * given
        + tokens.written * (prices.written_usd_per_million or given)
        + tokens.cached * (given if cached_price is None else cached_price)
        + tokens.output * taken
    ) / _MILLION
    return Cost(usd, is_most=cached_price is None and tokens.cached > 0)


def _is_priced(prices: ModelMetrics) -> bool:
    return prices.input_usd_per_million is not None and prices.output_usd_per_million is not None
