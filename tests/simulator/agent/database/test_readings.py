import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plano_agents.simulator.agent.database.readings import (
    Benchmark,
    CaseStudy,
    read_benchmark,
    read_case_studies,
    read_feature,
)
from plano_agents.simulator.agent.job import Finding
from plano_agents.simulator.conversation import ToolCall

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["p99", "qps", "name", "supported", "lesson"]), inner)
    ),
)


def found(data: JsonValue) -> Finding:
    call = ToolCall("1", "f", {"database": "A", "workload": "mixed", "feature": "x"})
    return Finding(call, data, problem=None, is_new=True)


@given(json_values)
def test_any_answer_can_be_read(data: JsonValue) -> None:
    read_benchmark(found(data))
    read_case_studies(found(data))
    read_feature(found(data))


@pytest.mark.parametrize(
    "data",
    [
        {"p99_ms": 4, "throughput_ops_per_s": 900},
        {"results": {"latency": {"p50": 1, "p99": 4}, "throughput": {"ops_sec": 900}}},
        {"p95_latency_ms": 4, "tps": 900},
    ],
)
def test_a_benchmark_is_read_from_any_shape(data: JsonValue) -> None:
    assert read_benchmark(found(data)) == Benchmark("A", "mixed", 4, 900)


def test_a_benchmark_without_numbers_is_none() -> None:
    assert read_benchmark(found({"p99_ms": "fast"})) is None


def test_case_studies_are_the_objects_that_name_a_company() -> None:
    data: JsonValue = {
        "database": "A",
        "cases": [{"company": "Acme", "outcome": "success", "lesson": "It held."}],
    }
    assert read_case_studies(found(data)) == [CaseStudy("A", "Acme", "success", "It held.")]


@pytest.mark.parametrize(
    ("data", "support"),
    [
        ({"supported": True}, "full"),
        ({"supported": False}, "none"),
        ({"support": "full"}, "full"),
        ({"support": "partial"}, "partial"),
        ({"status": "not supported"}, "none"),
        ({"status": "limited"}, "partial"),
    ],
)
def test_support_is_read_from_flags_and_words(data: JsonValue, support: str) -> None:
    check = read_feature(found(data))
    assert check is not None
    assert check.support == support


def test_an_answer_that_does_not_say_is_none() -> None:
    assert read_feature(found({"feature": "x"})) is None
