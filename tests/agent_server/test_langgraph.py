"""The parts of LangGraph that are not its public interface, and that `plano_agents.agent_server.tools` leans on."""

import inspect
from importlib.metadata import requires, version

import pytest
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.pregel._read import PregelNode

from tests.agent_server.conftest import look_up

DECLARED = next((each for each in requires("plano-agents") or () if each.startswith("langgraph>")), "langgraph")
CHANGED = (
    f"LangGraph {version('langgraph')} has changed what plano_agents/agent_server/tools.py leans on. Follow it there, or narrow "
    f"the range in pyproject.toml, which is {DECLARED!r} now."
)


def test_a_tool_node_runs_each_call_in_one_method_that_can_be_overridden() -> None:
    assert inspect.iscoroutinefunction(getattr(ToolNode, "_arun_one", None)), CHANGED
    assert list(inspect.signature(ToolNode._arun_one).parameters) == [
        "self",
        "call",
        "input_type",
        "tool_runtime",
    ], CHANGED


@pytest.mark.parametrize(("attribute", "method"), [("func", "_func"), ("afunc", "_afunc")])
def test_a_tool_node_is_called_by_methods_that_it_keeps_as_attributes(attribute: str, method: str) -> None:
    node = ToolNode([look_up])
    assert getattr(node, attribute, None) == getattr(node, method, ...), CHANGED
    assert attribute in vars(node), CHANGED


def test_a_graphs_nodes_can_be_copied_with_another_runnable_and_its_subgraphs() -> None:
    assert {"bound", "subgraphs"} <= set(inspect.signature(PregelNode.__init__).parameters), CHANGED
    assert list(inspect.signature(PregelNode.copy).parameters) == ["self", "update"], CHANGED
    assert list(inspect.signature(CompiledStateGraph.copy).parameters) == ["self", "update"], CHANGED
