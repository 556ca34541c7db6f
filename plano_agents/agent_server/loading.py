"""Finds the graph that ``plano-agents serve module:graph``, or ``file.py:graph``, names."""

import importlib
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import cast

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from plano_agents.agent_server.tools import Graph
from plano_agents.errors import ConfigError

_EXAMPLE = "'my_package.my_module:graph', or file.py:attribute, such as './my_agent.py:graph'"
_MODULE_PART = re.compile(r"[\w-]+")


def load_graph(name: str, folder: Path) -> Graph:
    """Import a graph.

    Args:
        name: ``module:attribute`` or ``file.py:attribute``; the attribute is a compiled graph, a `StateGraph`, or a
            function without arguments that returns one of them.
        folder: Where modules are looked for first.

    Raises:
        ConfigError: There is no such module or attribute, it fails, or it is not a graph.
    """
    where, _, attribute = name.rpartition(":")
    module_name = _find_module(where, folder) if where.endswith(".py") else where
    if not where or not attribute or not all(_MODULE_PART.fullmatch(part) for part in module_name.split(".")):
        raise ConfigError(f"{name!r} does not name a graph. Write module:attribute, such as {_EXAMPLE}.")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module = _try(lambda: importlib.import_module(module_name), f"Importing {module_name!r}", module_name)
    try:
        found: object = getattr(module, attribute)
    except AttributeError:
        graphs = [each for each, value in vars(module).items() if isinstance(value, Pregel | StateGraph)]
        there = f" It has {', '.join(map(repr, graphs))}." if graphs else " It has no graph at all."
        raise ConfigError(f"The module {module_name!r} has no {attribute!r}.{there}") from None
    if callable(found) and not isinstance(found, Pregel | StateGraph):
        found = _try(found, f"Calling {name!r}", module_name)
    if isinstance(found, StateGraph):
        found = found.compile()
    if not isinstance(found, Pregel):
        raise ConfigError(
            f"{name!r} is not a graph, but of type {type(found).__name__!r}. Name what StateGraph(…).compile() or "
            "langchain.agents.create_agent(…) returns, or a function without arguments that returns it."
        )
    return cast("Graph", found)


def _find_module(path: str, folder: Path) -> str:
    """Find the module that a file is, seen from a folder.

    Raises:
        ConfigError: There is no such file, or it is not below the folder.
    """
    file = (folder / path).resolve()
    if not file.is_file():
        raise ConfigError(f"There is no file {path!r} here. Run this in the folder that holds it.")
    if not file.is_relative_to(folder.resolve()):
        raise ConfigError(f"The file {path!r} is not below {str(folder)!r}. Run this in the folder that holds it.")
    return ".".join(file.relative_to(folder.resolve()).with_suffix("").parts)


def _try(action: Callable[[], object], what: str, module_name: str) -> object:
    """Run the user's own code; what it raises is told in a line, with the place."""
    try:
        return action()
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"There is no module {error.name!r} here. Run this in the folder that holds it, or install it."
            ) from error
        raise ConfigError(f"{what} failed: {_describe(error)}") from error
    except Exception as error:
        raise ConfigError(f"{what} failed: {_describe(error)}") from error


def _describe(error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({frames[-1].filename}:{frames[-1].lineno})"
