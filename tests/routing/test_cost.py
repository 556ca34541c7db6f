"""The cost of a request."""

import pytest

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.cost import Cost, compute_cost

SPENT = Tokens(input=1_000_000, output=100_000, cached=600_000)


@pytest.mark.parametrize("name", ["openai/gpt-4o", "gpt-4o"])
def test_cached_tokens_have_their_own_price(name: str) -> None:
    prices = {name: ModelMetrics(2.5, 10.0, cached_usd_per_million=1.25)}
    cost = compute_cost("openai/gpt-4o", SPENT, prices)
    assert cost is not None
    assert cost.usd == pytest.approx(0.4 * 2.5 + 0.6 * 1.25 + 0.1 * 10.0)
    assert not cost.is_most


def test_without_a_price_for_cached_tokens_the_cost_is_at_most_that() -> None:
    prices = {"openai/gpt-4o": ModelMetrics(2.5, 10.0)}
    assert compute_cost("openai/gpt-4o", SPENT, prices) == Cost(3.5, is_most=True)
    assert compute_cost("openai/gpt-4o", Tokens(1_000_000, 0, 0), prices) == Cost(2.5, is_most=False)


@pytest.mark.parametrize(
    ("model", "tokens"), [("openai/other", SPENT), ("openai/slow", SPENT), ("openai/gpt-4o", NO_TOKENS)]
)
def test_what_is_not_known_has_no_cost(model: str, tokens: Tokens) -> None:
    prices = {"openai/gpt-4o": ModelMetrics(2.5, 10.0), "openai/slow": ModelMetrics(latency=1.0)}
    assert compute_cost(model, tokens, prices) is None


def test_what_was_written_to_a_cache_has_its_own_price() -> None:
    """Claude's writing costs a quarter more than its input."""
    spent = Tokens(input=1_000_000, output=0, cached=600_000, written=200_000)
    prices = {"m": ModelMetrics(3.0, 15.0, cached_usd_per_million=0.3, written_usd_per_million=3.75)}
    cost = compute_cost("m", spent, prices)
    assert cost is not None
    assert cost.usd == pytest.approx(0.2 * 3 + 0.6 * 0.3 + 0.2 * 3.75)
    without = {"m": ModelMetrics(3.0, 15.0, cached_usd_per_million=0.3)}
    cost = compute_cost("m", spent, without)
    assert cost is not None
    assert cost.usd == pytest.approx(0.4 * 3 + 0.6 * 0.3)
