"""``module:graph``: what is found, and what is told where nothing is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.graph.state import CompiledStateGraph

from plano_agents.agent_server.loading import load_graph
from plano_agents.errors import ConfigError

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
    (tmp_path / "misspelt_town.py").write_text("number = 1\ndef make(:\n    pass\n")
    (tmp_path / "town-hall.py").write_text(MODULE)
    yield tmp_path
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]
    for name in [each for each in sys.modules if each.startswith(("town", "broken_town", "misspelt_town"))]:
        del sys.modules[name]


@pytest.mark.parametrize("attribute", ["graph", "builder", "make"])
def test_a_graph_a_builder_and_a_function_are_found(folder: Path, attribute: str) -> None:
    assert isinstance(load_graph(f"town_graphs.all:{attribute}", folder), CompiledStateGraph)


@pytest.mark.parametrize("path", ["town_graphs/all.py", "./town_graphs/all.py", "town-hall.py"])
def test_a_files_path_is_as_good_as_its_modules_name(folder: Path, path: str) -> None:
    assert isinstance(load_graph(f"{path}:graph", folder), CompiledStateGraph)
    assert isinstance(load_graph(f"{folder / path}:graph", folder), CompiledStateGraph)


def test_a_syntax_error_is_told_with_the_users_file_and_line(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_graph("misspelt_town:graph", folder)
    assert f"SyntaxError: invalid syntax ({folder / 'misspelt_town.py'}:2)" in caught.value.message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("town_graphs.all:grahp", "has no 'grahp'. It has 'builder', 'graph'."),
        ("town_graphs.all:number", "is not a graph, but of type 'int'"),
        ("town_graphs.all:fail", "Calling 'town_graphs.all:fail' failed: RuntimeError: no luck ("),
        ("town_graphs.none:graph", "There is no module 'town_graphs.none' here"),
        ("no_town.all:graph", "There is no module 'no_town' here"),
        ("no_town.py:graph", "There is no file 'no_town.py' here"),
        ("../no_town.py:graph", "There is no file '../no_town.py' here"),
        ("broken_town:graph", "Importing 'broken_town' failed: ModuleNotFoundError"),
    ],
)
def test_what_is_no_graph_is_told_in_a_line(folder: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_graph(name, folder)
    assert told in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["cities", "cities:", ":graph", "cities.py", "no town:graph", ""])
def test_a_name_of_another_form_is_told_the_form(name: str) -> None:
    with pytest.raises(ConfigError, match=r"Write module:attribute.*or file\.py:attribute"):
        load_graph(name, Path())
