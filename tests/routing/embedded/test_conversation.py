from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.routing.embedded.conversation import weigh_messages


def weigh(*rows: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    scores = weigh_messages(np.array(rows, np.float32), weights or [1.0] * len(rows))
    return [float(score) for score in scores]


def test_of_one_message_the_score_is_its_evidence() -> None:
    strong, even, weak = weigh([5, 0, -9])
    assert strong > 0.95
    assert 0.5 < even < 0.6
    assert weak < 0.3


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
