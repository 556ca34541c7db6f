"""Values that would run code where a checkpoint is read carelessly; each writes a file if it does."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ormsgpack

Serialized = tuple[str, bytes]
"""A kind of serialization, and bytes."""

SINGLE, POSITIONAL, KEYWORDS, METHOD, PYDANTIC_V1, PYDANTIC_V2, SNAPSHOT = 0, 1, 2, 3, 4, 5, 7


def name(code: int, *parts: object) -> ormsgpack.Ext:
    """One of LangGraph's extensions."""
    return ormsgpack.Ext(code, ormsgpack.packb(parts))


def system(canary: Path) -> ormsgpack.Ext:
    return name(SINGLE, "os", "system", f"touch {canary}")


def evaluate(canary: Path) -> ormsgpack.Ext:
    return name(SINGLE, "builtins", "eval", f"open({str(canary)!r}, 'w')")


class _Pickled:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return eval, (f"open({str(self.canary)!r}, 'w')",)


def message(**fields: object) -> ormsgpack.Ext:
    return name(PYDANTIC_V2, "langchain_core.messages.human", "HumanMessage", fields, "model_validate_json")


MSGPACK: dict[str, Callable[[Path], object]] = {
    "os.system": system,
    "subprocess.check_output": lambda canary: name(POSITIONAL, "subprocess", "check_output", [["touch", str(canary)]]),
    "subprocess.call": lambda canary: name(KEYWORDS, "subprocess", "call", {"args": ["touch", str(canary)]}),
    "builtins.eval": evaluate,
    "pathlib.Path.touch": lambda canary: name(METHOD, "pathlib", "Path", str(canary), "touch"),
    "subprocess.Popen": lambda canary: name(PYDANTIC_V1, "subprocess", "Popen", {"args": ["touch", str(canary)]}),
    "subprocess.run": lambda canary: name(PYDANTIC_V2, "subprocess", "run", {"args": ["touch", str(canary)]}, ""),
}
"""Values that name a callable, by the name that the log tells."""

PLACES: dict[str, Callable[[object], object]] = {
    "alone": lambda value: value,
    "in a list": lambda value: ["hi", [value]],
    "in a map's key": lambda value: {"key": {"hi": [{1: value}]}},
    "in a set": lambda value: name(SINGLE, "builtins", "set", [value]),
    "in a message": lambda value: message(content="hi", additional_kwargs={"x": [value]}),
    "in a dataclass": lambda value: name(KEYWORDS, "langgraph.types", "Interrupt", {"value": value}),
    "in a snapshot": lambda value: ormsgpack.Ext(SNAPSHOT, ormsgpack.packb(value)),
    "in an allowed name's place": lambda value: name(SINGLE, value, "UUID", "x"),
}
"""Where in a channel's value such a one may stand."""


def pack(value: object) -> Serialized:
    return "msgpack", ormsgpack.packb(value, option=ormsgpack.OPT_NON_STR_KEYS)


def construct(lc: int, *path: str, **arguments: object) -> Serialized:
    """LangChain's JSON form."""
    return "json", json.dumps({"x": [{"lc": lc, "type": "constructor", "id": path, **arguments}]}).encode()


OTHER: dict[str, Callable[[Path], Serialized]] = {
    "pickle": lambda canary: ("pickle", pickle.dumps(_Pickled(canary))),
    "os.system": lambda canary: construct(2, "os", "system", args=[f"touch {canary}"]),
    "subprocess.call": lambda canary: construct(1, "subprocess", "call", kwargs={"args": ["touch", str(canary)]}),
    "langchain_core.prompts.prompt.PromptTemplate": lambda canary: construct(
        1, "langchain_core", "prompts", "prompt", "PromptTemplate", kwargs={"template": str(canary)}
    ),
    "unknown": lambda canary: (f"{canary}", b"x"),
}
"""Other serializations, by what the log tells."""


def list_hostile() -> list[tuple[str, Callable[[Path], Serialized]]]:
    """Every hostile value, with what the log tells of it."""
    found: list[tuple[str, Callable[[Path], Serialized]]] = list(OTHER.items())
    for told, build in MSGPACK.items():
        found.append((told, lambda canary, build=build: pack(build(canary))))  # type: ignore[misc]
    for place in PLACES.values():
        found.append(  # noqa: PERF401 - two loops read better
            ("os.system", lambda canary, place=place: pack(place(system(canary))))  # type: ignore[misc]
        )
    return found
