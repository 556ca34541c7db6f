"""Medians, spreads and ratios."""

import pytest

from benchmarks.gateway.measurement import Results, Sample, Spread, compare, summarize


def test_a_spread_is_the_median_and_the_ends() -> None:
    assert summarize([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)


def test_an_even_number_of_values_has_the_mean_of_its_middle_ones_as_its_median() -> None:
    assert summarize([4.0, 1.0]).median == 2.5


def test_a_spread_of_many_values_is_told_by_its_quartiles() -> None:
    assert summarize([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 900.0]) == Spread(5.0, 3.0, 7.0)


def test_a_ratio_is_taken_round_by_round() -> None:
    # In the second round both took twice as long: the machine was busy, and the ratio is the same.
    assert compare({0: 10.0, 1: 20.0, 2: 12.0}, {0: 5.0, 1: 10.0, 2: 4.0}) == Spread(2.0, 2.0, 3.0)


def test_a_round_that_one_of_them_lacks_does_not_count() -> None:
    assert compare({0: 99.0, 5: 10.0}, {5: 5.0, 6: 1.0}) == Spread(2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("values", "base"), [({}, {0: 1.0}), ({0: 1.0}, {}), ({0: 1.0}, {0: 0.0}), ({0: 1.0}, {1: 1.0})]
)
def test_there_is_no_ratio_without_values(values: dict[int, float], base: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="No ratio"):
        compare(values, base)


def test_cpu_time_is_divided_by_what_was_answered() -> None:
    sample = Sample(requests=1_000, errors=0, seconds=1.0, cpu_seconds=0.5, chunks=50_000)
    assert (sample.cpu_us_per("request"), sample.cpu_us_per("chunk")) == (500.0, 10.0)


def test_a_subject_without_processes_has_no_cpu_time() -> None:
    results = Results({}, "", {})
    results.add("pinned-1kb", "direct", Sample(1_000, 0, 1.0, None))
    assert results.cpu_us("pinned-1kb", "direct") == {}
