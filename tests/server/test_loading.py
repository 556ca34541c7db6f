"""``module:graph``: what is found, and what is told where nothing is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.graph.state import CompiledStateGraph

from plano_agents.errors import ConfigError
from plano_agents.server.loading import load_graph

MODULE = """
from langgraph.graph import START, MessagesState, StateGraph

builder = StateGraph(MessagesState)
builder.add_node("answer", lambda state: {"messages": []})
builder.add_edge(START, "answer")
graph = builder.compile()
number = 5

def make():
    return builder

def fail():
    raise RuntimeError("no\\nluck")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with modules, which Python forgets again."""
    (tmp_path / "town_graphs").mkdir()
    (tmp_path / "town_graphs" / "all.py").write_text(MODULE)
    (tmp_path / "broken_town.py").write_text("import no_such_package\n")
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in [each for each in sys.modules if each.startswith(("town_graphs", "broken_town"))]:
        del sys.modules[name]


@pytest.mark.parametrize("attribute", ["graph", "builder", "make"])
def test_a_graph_a_builder_and_a_function_are_found(folder: Path, attribute: str) -> None:
    assert isinstance(load_graph(f"town_graphs.all:{attribute}", folder), CompiledStateGraph)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("town_graphs.all:grahp", "has no 'grahp'. It has 'builder', 'graph'."),
        ("town_graphs.all:number", "is no graph but 'int'"),
        ("town_graphs.all:fail", "Calling 'town_graphs.all:fail' failed: RuntimeError: no luck ("),
        ("town_graphs.none:graph", "There is no module 'town_graphs.none' here"),
        ("no_town.all:graph", "There is no module 'no_town' here"),
        ("broken_town:graph", "Importing 'broken_town' failed: ModuleNotFoundError"),
    ],
)
def test_what_is_no_graph_is_told_in_a_line(folder: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_graph(name, folder)
    assert told in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["cities", "cities:", ":graph", "./cities.py:graph", ""])
def test_a_name_of_another_form_is_told_the_form(name: str) -> None:
    with pytest.raises(ConfigError, match="Write module:attribute"):
        load_graph(name, Path())
