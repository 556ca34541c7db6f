import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.routing.embedded.conversation import TEMPERATURE, weigh_messages


def weigh(*rows: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    scores = weigh_messages(np.array(rows, np.float32), weights or [1.0] * len(rows))
    return [float(score) for score in scores]


def test_of_one_message_the_score_is_the_probability_against_the_likeliest_other_answer() -> None:
    assert weigh([2, 0])[0] == pytest.approx(1 / (1 + math.exp(-2 / TEMPERATURE)))
    assert weigh([2, 0])[1] == pytest.approx(1 / (1 + math.exp(2 / TEMPERATURE)))
    assert weigh([-1, -2])[0] == pytest.approx(1 / (1 + math.exp(1 / TEMPERATURE)))


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_at_most_one_preference_is_likelier_than_every_other_answer(row: list[float]) -> None:
    scores = weigh(row)
    assert sum(score > 0.5 for score in scores) <= 1
    assert (max(row) > 0.001) <= (max(scores) >= 0.5)


def test_the_latest_message_weighs_most() -> None:
    first, second = weigh([5, -5], [-5, 5])
    assert second > first
    assert second > 0.5


def test_a_message_that_fits_nothing_leaves_the_topic_as_it_was() -> None:
    first, second = weigh([5, -5], [-4, -3])
    assert first > 0.5 > second


def test_many_messages_that_fit_nothing_end_the_topic() -> None:
    first, _ = weigh([5, -5], *[[-9, -9]] * 12)
    assert first < 0.5


def test_a_message_without_weight_changes_nothing_but_the_prior() -> None:
    assert weigh([5, -5], [-5, 5], weights=[1, 0])[0] > 0.5


evidence = st.floats(-1e4, 1e4, width=32)


@given(st.lists(st.tuples(evidence, evidence, evidence), min_size=1, max_size=16))
def test_scores_lie_between_zero_and_one(rows: list[tuple[float, float, float]]) -> None:
    assert all(0 <= score <= 1 for score in weigh(*rows))


@pytest.mark.parametrize("value", [-3.0, 0.0, 2.0])
def test_more_evidence_never_scores_less(value: float) -> None:
    assert weigh([value + 1, 0])[0] > weigh([value, 0])[0]
