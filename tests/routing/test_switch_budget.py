"""The budget of switches: the formula, by figures worked out by hand, and what it promises for any sequence of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.switch_budget import Prices, Proposal, Weighed, find_prices, weigh

SONNET, MINI, OPUS = Prices(3.0, 0.3), Prices(0.15, 0.075), Prices(5.0, 0.5)


def propose(
    candidate: Prices | None = OPUS,
    *,
    kept: Prices | None = SONNET,
    context: int = 100_000,
    warm: int = 0,
    read: int = 900_000,
    spent: float = 0.0,
) -> Proposal:
    return Proposal(kept, candidate, SONNET, context, warm, read, spent)


@pytest.mark.parametrize(
    ("proposal", "percent", "expected"),
    [
        # 100,000 x 5 - 100,000 x 0.3 = 0.47 USD, of 20 % of 1,000,000 x 0.3 = 0.06 USD
        (propose(), 20, Weighed(False, "costs $0.470000, the budget has $0.060000")),
        # 1,000 x 5 - 1,000 x 0.3 = 0.0047 USD, of 20 % of 901,000 x 0.3 = 0.05406 USD
        (propose(context=1_000), 20, Weighed(True, "costs $0.004700 of $0.054060", 0.0047)),
        (propose(context=1_000, spent=0.05), 20, Weighed(False, "costs $0.004700, the budget has $0.004060")),
        (propose(context=1_000), 0, Weighed(False, "costs $0.004700, the budget has $0.000000")),
        # 100,000 x 0.15 - 100,000 x 0.3 is less than nothing
        (propose(MINI), 0, Weighed(True, "costs nothing")),
        # back to a model that has 95,000 of the tokens: 95,000 x 0.5 + 5,000 x 5 - 100,000 x 0.3 = 0.0425 USD
        (propose(warm=95_000), 20, Weighed(True, "costs $0.042500 of $0.060000", 0.0425)),
        (propose(warm=200_000), 20, Weighed(True, "costs $0.020000 of $0.060000", 0.02)),
        (propose(None), 0, Weighed(True, "price unknown")),
        (propose(kept=None), 0, Weighed(True, "price unknown")),
    ],
)
def test_a_switch_is_weighed(proposal: Proposal, percent: float, expected: Weighed) -> None:
    found = weigh(proposal, percent)
    assert found[:2] == expected[:2]
    assert found.usd == pytest.approx(expected.usd)


prices = st.builds(Prices, st.floats(0.01, 20), st.floats(0.01, 2))


@given(st.lists(st.tuples(prices, st.integers(1, 200_000)), max_size=20), st.floats(0, 100), prices)
def test_a_conversation_costs_at_most_so_many_percent_more_than_one_that_never_switches(
    turns: list[tuple[Prices, int]], percent: float, first: Prices
) -> None:
    kept, spent, read = first, 0.0, 0
    for candidate, context in turns:
        found = weigh(Proposal(kept, candidate, first, context, 0, read, spent), percent)
        spent += found.usd
        read += context
        kept = candidate if found.is_allowed else kept
        assert spent <= percent / 100 * read * first.cached / 1_000_000 + 1e-9


def test_prices_are_found_by_the_qualified_name_or_the_bare_one_and_cached_ones_are_estimated() -> None:
    metrics = {"gpt-4o": ModelMetrics(2.5, 10.0), "a/b": ModelMetrics(1.0, 2.0, cached_usd_per_million=0.5)}
    assert find_prices("openai/gpt-4o", metrics, 0.1) == Prices(2.5, 0.25)
    assert find_prices("a/b", metrics, 0.1) == Prices(1.0, 0.5)
    assert find_prices("x/y", metrics, 0.1) is None
