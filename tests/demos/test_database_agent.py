"""The demo's agent as a graph."""

import json

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents.demos.database_agent import build_graph, build_tools
from plano_agents.demos.database_selection import TOOLS


def test_tools_are_offered_as_the_demo_offers_them() -> None:
    offered = [(tool.name, tool.description, tool.args_schema) for tool in build_tools()]
    wanted = [tool["function"] for tool in TOOLS]
    assert offered == [(tool["name"], tool["description"], tool["parameters"]) for tool in wanted]


def test_a_tool_answers_with_the_demos_facts() -> None:
    benchmarks = build_tools()[0]
    facts = json.loads(benchmarks.invoke({"database": "postgres", "workload": "mixed"}))
    assert facts["source"] == "simulated"


@pytest.mark.parametrize("arguments", [{"database": "mysql", "workload": "mixed"}, {"database": "postgres"}, {}])
def test_a_wrong_call_is_answered_and_never_raises(arguments: dict[str, str]) -> None:
    benchmarks = build_tools()[0]
    assert "error" in json.loads(benchmarks.invoke(arguments))


def test_where_threads_are_kept_is_left_to_who_serves_the_graph_unless_told_otherwise() -> None:
    own = InMemorySaver()
    assert build_graph().checkpointer is None
    assert build_graph(checkpointer=own).checkpointer is own


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'localhost'"):
        build_graph(base_url="localhost")
