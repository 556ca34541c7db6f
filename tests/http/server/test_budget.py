"""The bytes buffered for clients: counted, bounded, and given back exactly once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import OverloadedError
from plano_agents.http.server.budget import BufferBudget, Holding

LIMIT = 100
STEPS = st.tuples(st.integers(0, 2), st.sampled_from(["grow", "resize", "release"]), st.integers(0, 60))


@given(st.lists(STEPS))
def test_what_is_held_is_what_all_holdings_have(steps: list[tuple[int, str, int]]) -> None:
    budget = BufferBudget(LIMIT)
    holdings = [Holding(budget) for _ in range(3)]
    expected = [0, 0, 0]
    for index, step, size in steps:
        if step == "release":
            holdings[index].release()
            expected[index] = 0
        elif step == "resize":
            holdings[index].resize(size)
            expected[index] = size
        elif sum(expected) - expected[index] + size <= LIMIT:
            holdings[index].grow(size)
            expected[index] = size
        else:
            with pytest.raises(OverloadedError):
                holdings[index].grow(size)
        assert [each.size for each in holdings] == expected
        assert budget.held == sum(expected)


def test_who_is_refused_is_told_the_limit_and_when_to_come_again() -> None:
    with pytest.raises(OverloadedError, match=r"limit of 10 \(max_buffered_bytes\)") as caught:
        Holding(BufferBudget(10)).grow(11)
    assert caught.value.retry_after_seconds == 1


def test_a_lower_limit_holds_for_what_is_new() -> None:
    budget = BufferBudget(10)
    holding = Holding(budget)
    holding.grow(10)
    budget.limit = 5
    with pytest.raises(OverloadedError):
        Holding(budget).grow(1)
    assert budget.held == 10
