import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Preference
from plano_agents.routing.candidates import ModelMetrics, merge_metrics, order_candidates

DEAR, MID, CHEAP = "openai/dear", "openai/mid", "groq/cheap"
METRICS = {
    DEAR: ModelMetrics(5, 20, latency=0.2),
    MID: ModelMetrics(3, 15, latency=0.9),
    CHEAP: ModelMetrics(0.1, 0.4, latency=0.5),
}


def prefer(policy: str, *models: str) -> Preference:
    return Preference("route", "", models, policy)  # type: ignore[arg-type]  # the test's own literals


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("none", (MID, DEAR, CHEAP)), ("cheapest", (CHEAP, MID, DEAR)), ("fastest", (DEAR, CHEAP, MID))],
)
def test_a_policy_orders_by_its_measure(policy: str, expected: tuple[str, ...]) -> None:
    assert order_candidates(prefer(policy, MID, DEAR, CHEAP), METRICS) == expected


def test_the_price_is_the_sum_of_input_and_output() -> None:
    metrics = {"a/input": ModelMetrics(5, 1), "a/output": ModelMetrics(1, 4)}
    assert order_candidates(prefer("cheapest", "a/input", "a/output"), metrics) == ("a/output", "a/input")


@pytest.mark.parametrize("policy", ["cheapest", "fastest"])
def test_models_without_measurements_come_last_in_the_order_given(policy: str) -> None:
    preference = prefer(policy, "a/unknown", "b/unknown", DEAR, "c/unknown")
    assert order_candidates(preference, METRICS) == (DEAR, "a/unknown", "b/unknown", "c/unknown")


def test_a_measurement_by_bare_id_counts() -> None:
    metrics = {"b": ModelMetrics(latency=1), "a": ModelMetrics(latency=2)}
    assert order_candidates(prefer("fastest", "x/a", "x/b"), metrics) == ("x/b", "x/a")


def test_a_latency_by_bare_id_counts_beside_a_price_by_qualified_name() -> None:
    metrics = merge_metrics({"x/b": ModelMetrics(1, 1)}, {"b": ModelMetrics(latency=1), "a": ModelMetrics(latency=2)})
    assert order_candidates(prefer("fastest", "x/a", "x/b"), metrics) == ("x/b", "x/a")


def test_what_is_no_number_is_not_known() -> None:
    metrics = {"x/a": ModelMetrics(latency=math.nan), "x/b": ModelMetrics(latency=9)}
    assert order_candidates(prefer("fastest", "x/a", "x/b"), metrics) == ("x/b", "x/a")


def test_merging_keeps_prices_and_latencies_of_each_model() -> None:
    merged = merge_metrics({"a": ModelMetrics(1, 2)}, {"a": ModelMetrics(latency=3), "b": ModelMetrics(latency=4)})
    assert merged == {"a": ModelMetrics(1, 2, 3), "b": ModelMetrics(latency=4)}


numbers = st.none() | st.floats(min_value=0, allow_infinity=False)
names = st.sampled_from(["a/x", "b/x", "a/y", "x", "y", "c/z"])


@given(
    models=st.lists(names, unique=True),
    metrics=st.dictionaries(names, st.builds(ModelMetrics, numbers, numbers, numbers)),
    policy=st.sampled_from(["none", "cheapest", "fastest"]),
)
def test_ordering_keeps_the_models_and_is_stable(
    models: list[str], metrics: dict[str, ModelMetrics], policy: str
) -> None:
    ordered = order_candidates(prefer(policy, *models), metrics)
    assert sorted(ordered) == sorted(models)
    assert order_candidates(prefer(policy, *ordered), metrics) == ordered
