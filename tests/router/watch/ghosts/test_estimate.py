"""Estimates from samples, and their margins."""

import math
import random
from collections.abc import Sequence
from statistics import mean, variance

import pytest

from plano_agents.router.watch.ghosts.estimate import (
    CountedStratum,
    MeasuredStratum,
    estimate_share,
    estimate_total,
)
from plano_agents.router.watch.ghosts.sums import Moments


def measure(population: int, values: Sequence[float]) -> MeasuredStratum:
    moments = Moments()
    for value in values:
        moments.add(value)
    return MeasuredStratum(population, len(values), moments)


def test_a_share_has_wilsons_interval() -> None:
    """Of a population without end: the figures of Brown, Cai and DasGupta's formula for 10 of 40."""
    found = estimate_share([CountedStratum(10**9, 40, 10)])
    assert found[:3] == pytest.approx((0.25, 0.1419, 0.4019), abs=1e-4)


def test_nothing_among_few_is_no_proof_of_nothing() -> None:
    share, low, high, _ = estimate_share([CountedStratum(1_000, 20, 0)])
    assert (share, low) == (0.0, 0.0)
    assert high is not None
    assert 0.1 < high < 0.2


def test_a_total_is_the_mean_times_the_turns_with_the_standard_error() -> None:
    values = [float(number % 7) for number in range(50)]
    found = estimate_total([measure(200, values)])
    half = 1.959963984540054 * 200 * math.sqrt(variance(values) / 50 * (1 - 50 / 200))
    assert found.value == pytest.approx(200 * mean(values))
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))
    assert not found.is_rough


def test_a_sample_of_all_turns_has_no_margin() -> None:
    assert estimate_share([CountedStratum(9, 9, 4)])[:3] == pytest.approx((4 / 9, 4 / 9, 4 / 9))
    found = estimate_total([measure(4, [1.0, 0.0, 0.0, 9.0])])
    assert found == (10.0, 10.0, 10.0, False)


def test_from_few_turns_a_total_has_no_margin() -> None:
    assert estimate_total([measure(1_000, [3.0] * 29)])[1:3] == (None, None)
    assert estimate_total([measure(1_000, [3.0, 5.0] * 15)]).low is not None


@pytest.mark.parametrize("value", [0.0, 0.1, 3.0])
def test_turns_that_are_all_alike_say_nothing_of_the_others(value: float) -> None:
    total, low, high, is_rough = estimate_total([measure(1_000, [value] * 100)])
    assert total == pytest.approx(1_000 * value)
    assert (low, high, is_rough) == (None, None, False)


def test_a_margin_that_few_large_turns_dominate_is_rough() -> None:
    assert estimate_total([measure(10_000, [0.0] * 99 + [50_000.0])]).is_rough


def test_shares_of_sampling_are_strata_of_their_own() -> None:
    """A day that was sampled more does not count for more."""
    few, all_of_them = measure(1_000, [0.0, 2.0] * 20), measure(100, [10.0] * 100)
    found = estimate_total([few, all_of_them])
    assert found.value == pytest.approx(1_000 + 1_000)
    alone = estimate_total([few])
    assert found.high is not None
    assert alone.high is not None
    assert found.high - found.value == pytest.approx(alone.high - alone.value)
    share = estimate_share([CountedStratum(900, 90, 45), CountedStratum(100, 100, 0)])
    assert share.value == pytest.approx(0.45)


def test_margins_hold_for_95_of_100_samples_of_one_population() -> None:
    """Turns of sessions that resemble each other: of 400 samples at 20 %, some 380 margins hold the truth."""
    draw = random.Random(7)
    turns = [(size if draw.random() < 0.4 else 0.0) for _ in range(300) for size in [draw.uniform(500, 4_000)] * 5]
    truth, share = sum(turns), sum(value > 0 for value in turns) / len(turns)
    held_total = held_share = 0
    for _ in range(400):
        seen = [value for value in turns if draw.random() < 0.2]
        total = estimate_total([measure(len(turns), seen)])
        counted = estimate_share([CountedStratum(len(turns), len(seen), sum(value > 0 for value in seen))])
        held_total += (total.low or 0) <= truth <= (total.high or 0)
        held_share += (counted.low or 0) <= share <= (counted.high or 0)
    assert 367 <= held_total <= 393  # four standard errors below, and above, what is expected
    assert 367 <= held_share <= 393
