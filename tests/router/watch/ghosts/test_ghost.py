"""A pinned turn without affinity: what would have been read anew, and the list price."""

from dataclasses import replace

import pytest

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.router.watch.ghosts.ghost import build_ghost
from plano_agents.routing.candidates import ModelMetrics

BIG, SMALL = "openai/big", "openai/small"
PRICES = {
    BIG: ModelMetrics(10.0, 40.0, cached_usd_per_million=1.0),
    SMALL: ModelMetrics(1.0, 4.0, cached_usd_per_million=0.5),
}
SPENT = Tokens(input=1_000, output=100, cached=800)


def test_at_a_would_be_switch_all_that_was_cached_is_read_anew() -> None:
    ghost = build_ghost(BIG, SPENT, SMALL, BIG, routing_ms=7.0, prices=PRICES)
    assert (ghost.is_switch, ghost.input, ghost.anew, ghost.routing_ms) == (True, 1_000, 800, 7.0)
    assert ghost.kept_usd == pytest.approx((200 * 10 + 800 * 1 + 100 * 40) / 1e6)
    assert ghost.usd == pytest.approx((1_000 * 1 + 100 * 4) / 1e6)


def test_where_the_model_would_have_stayed_its_cache_is_as_warm_and_its_own_price_counts() -> None:
    ghost = build_ghost(BIG, SPENT, SMALL, SMALL, routing_ms=7.0, prices=PRICES)
    assert (ghost.is_switch, ghost.anew) == (False, 0)
    assert ghost.usd == pytest.approx((200 * 1 + 800 * 0.5 + 100 * 4) / 1e6)


def test_what_was_written_counts_at_its_own_price_and_what_is_read_anew_as_plain_input() -> None:
    prices = {**PRICES, SMALL: replace(PRICES[SMALL], written_usd_per_million=1.25)}
    ghost = build_ghost(BIG, SPENT._replace(written=100), SMALL, BIG, routing_ms=7.0, prices=prices)
    assert ghost.usd == pytest.approx((900 * 1 + 100 * 1.25 + 100 * 4) / 1e6)


def test_coming_back_to_the_kept_model_is_a_switch_too() -> None:
    ghost = build_ghost(BIG, SPENT, BIG, SMALL, routing_ms=7.0, prices=PRICES)
    assert (ghost.is_switch, ghost.anew) == (True, 800)
    assert ghost.usd == pytest.approx((1_000 * 10 + 100 * 40) / 1e6)


def test_without_the_turn_before_nothing_is_compared() -> None:
    ghost = build_ghost(BIG, SPENT, SMALL, None, routing_ms=7.0, prices=PRICES)
    assert (ghost.is_compared, ghost.is_switch, ghost.input, ghost.anew, ghost.usd) == (False, False, 0, 0, None)


def test_without_reported_tokens_a_switch_is_one_and_has_no_figures() -> None:
    ghost = build_ghost(BIG, NO_TOKENS, SMALL, BIG, routing_ms=7.0, prices=PRICES)
    assert (ghost.is_switch, ghost.input, ghost.anew, ghost.kept_usd, ghost.usd) == (True, 0, 0, None, None)


@pytest.mark.parametrize(
    "prices",
    [
        {},
        {BIG: PRICES[BIG]},
        {SMALL: PRICES[SMALL]},
        {BIG: ModelMetrics(10.0, 40.0), SMALL: PRICES[SMALL]},  # the cached tokens' own price is not known
    ],
)
def test_a_price_that_is_not_known_leaves_both_out(prices: dict[str, ModelMetrics]) -> None:
    ghost = build_ghost(BIG, SPENT, SMALL, BIG, routing_ms=7.0, prices=prices)
    assert (ghost.anew, ghost.kept_usd, ghost.usd) == (800, None, None)
