"""The types that a thread's state may hold: a checkpoint that names any other is refused before anything is imported.

Allowed are plain standard types, LangChain's messages and LangGraph's own (`STANDARD`), the types that the graph's
state is annotated with (`find_state_types`), data types of the operator's own modules (`is_own_data`), and those that
the setting ``checkpoint_types`` names (`load_types`).
"""

import dataclasses
import importlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints, is_typeddict

from langgraph.pregel import Pregel
from pydantic import BaseModel

from plano_agents.errors import ConfigError

TypeName = tuple[str, str]
"""A module and a name in it, as LangGraph's checkpoints have them."""

_LANGCHAIN_MESSAGES = {
    "ai": ("AIMessage", "AIMessageChunk"),
    "base": ("BaseMessage", "BaseMessageChunk"),
    "chat": ("ChatMessage", "ChatMessageChunk"),
    "function": ("FunctionMessage", "FunctionMessageChunk"),
    "human": ("HumanMessage", "HumanMessageChunk"),
    "modifier": ("RemoveMessage",),
    "system": ("SystemMessage", "SystemMessageChunk"),
    "tool": ("ToolMessage", "ToolMessageChunk"),
}

_BY_MODULE = {
    **{f"langchain_core.messages.{module}": names for module, names in _LANGCHAIN_MESSAGES.items()},
    "langchain_core.documents.base": ("Document",),
    "langgraph.types": ("Command", "Interrupt", "Overwrite", "Send", "TimeoutPolicy"),
    "langgraph.store.base": ("Item",),
    "builtins": ("frozenset", "set"),
    "collections": ("deque",),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "ipaddress": (
        "IPv4Address",
        "IPv4Interface",
        "IPv4Network",
        "IPv6Address",
        "IPv6Interface",
        "IPv6Network",
    ),
    "pathlib": ("Path", "PosixPath", "WindowsPath"),
    "pathlib._local": ("Path", "PosixPath", "WindowsPath"),  # Python 3.13
    "re": ("compile",),
    "uuid": ("UUID",),
    "zoneinfo": ("ZoneInfo",),
}

STANDARD: frozenset[TypeName] = frozenset((module, name) for module, names in _BY_MODULE.items() for name in names)
"""Types that hold data and do nothing when they are made."""

_FORMS = "Write 'my_module:MyType', or 'my_module' for all classes that it defines."

MESSAGES: frozenset[str] = frozenset(name for names in _LANGCHAIN_MESSAGES.values() for name in names)
"""The names of LangChain's messages."""


def load_types(named: str) -> frozenset[TypeName]:
    """Import the types that a setting names.

    Args:
        named: ``module:Type``, or ``module`` for all classes that it defines.

    Raises:
        ConfigError: There is no such module or class.
    """
    module_name, _, type_name = named.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigError(
            f"checkpoint_types: the module {module_name!r} cannot be imported ({type(error).__name__}). {_FORMS}"
        ) from error
    if not type_name:
        found = [each for each in vars(module).values() if _is_of(each, module_name)]
        if not found:
            raise ConfigError(f"checkpoint_types: the module {module_name!r} defines no class. {_FORMS}")
    else:
        found = [getattr(module, type_name, None)]
        if not inspect.isclass(found[0]):
            raise ConfigError(f"checkpoint_types: {named!r} is not a class. {_FORMS}")
    return frozenset((each.__module__, each.__name__) for each in found)


def _is_of(value: object, module_name: str) -> bool:
    return inspect.isclass(value) and value.__module__ == module_name


def is_own_data(name: TypeName) -> bool:
    """Check for a data type that a module of the operator's own program defines.

    An agent may keep such types in its state where no annotation names them: `create_agent(response_format=Model)`
    does. The module must be loaded already, for naming one must not import it, and be neither Python's nor an installed
    package's; the type must be a dataclass, a pydantic model, an enum or a named tuple.

    Args:
        name: The module and the type's name in it.
    """
    module = sys.modules.get(name[0])
    if module is None or name[0].partition(".")[0] == "plano_agents" or not _is_own_module(module):
        return False
    kind = vars(module).get(name[1])
    return inspect.isclass(kind) and kind.__module__ == name[0] and _is_data(kind)


def _is_own_module(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and not any(Path(file).is_relative_to(folder) for folder in _installed_folders())


@lru_cache(maxsize=1)
def _installed_folders() -> frozenset[str]:
    paths = sysconfig.get_paths()
    return frozenset(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def _is_data(kind: type) -> bool:
    return (
        dataclasses.is_dataclass(kind)
        or issubclass(kind, BaseModel | Enum)
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )


def find_state_types(graph: Pregel[Any, Any, Any, Any]) -> frozenset[TypeName]:
    """Find the data types that a graph's state, and its subgraphs' states, are annotated with."""
    found: set[TypeName] = set()
    seen: dict[int, object] = {}  # kept, for the id of what is gone is given anew
    graphs = (graph, *(subgraph for _, subgraph in graph.get_subgraphs(recurse=True)))
    for each in graphs:
        for channel in each.channels.values() if isinstance(each, Pregel) else ():
            found.update(_walk(getattr(channel, "ValueType", None), seen))
    return frozenset(found)


def _walk(annotation: Any, seen: dict[int, object]) -> Iterator[TypeName]:  # noqa: ANN401 - whatever one may be
    if id(annotation) in seen:
        return
    seen[id(annotation)] = annotation
    for argument in get_args(annotation):
        yield from _walk(argument, seen)
    if hasattr(annotation, "__supertype__"):
        yield from _walk(annotation.__supertype__, seen)
    if not inspect.isclass(annotation):
        return
    is_data = _is_data(annotation)
    if is_data:
        yield annotation.__module__, annotation.__name__
    if is_data or is_typeddict(annotation):
        for hint in _read_hints(annotation):
            yield from _walk(hint, seen)


def _read_hints(kind: type) -> list[object]:
    try:
        return list(get_type_hints(kind).values())
    except Exception:  # noqa: BLE001 - a name that only type checkers import
        return []
