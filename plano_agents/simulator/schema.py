"""JSON Schemas as they come: what stands inside them, and what a reference or an alternative in them stands for."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pydantic import JsonValue

JsonObject: TypeAlias = Mapping[str, JsonValue]

MAX_STEPS = 4
"""How many references and alternatives are followed, one after the other; recursive ones never end."""


def walk_schema(source: JsonObject, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """Every schema inside a JSON Schema with the keys that lead to it, the outer ones first."""
    yield path, source
    for name in ("properties", "$defs", "definitions"):
        for key, member in to_object(source.get(name)).items():
            yield from walk_schema(to_object(member), (*path, name, key))
    items = source.get("items")
    if isinstance(items, dict):
        yield from walk_schema(items, (*path, "items"))
    for name in ("anyOf", "oneOf", "allOf"):
        branches = source.get(name)
        for at, branch in enumerate(branches if isinstance(branches, list) else []):
            yield from walk_schema(to_object(branch), (*path, name, str(at)))


def list_choices(source: JsonObject) -> tuple[JsonValue, ...] | None:
    """The values of ``const`` or ``enum``; None where there is neither."""
    if "const" in source:
        return (source["const"],)
    enum = source.get("enum")
    return tuple(enum) if isinstance(enum, list) else None


def to_object(value: JsonValue | JsonObject) -> dict[str, JsonValue]:
    """A value as an object; an empty one where it is none."""
    return dict(value) if isinstance(value, Mapping) else {}


def find_reference(reference: str, root: JsonObject) -> dict[str, JsonValue] | None:
    """Find what a ``$ref`` stands for; None where the schema does not define it."""
    at: JsonValue = dict(root)
    for step in filter(None, reference.removeprefix("#").split("/")):
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, dict) or key not in at:
            return None
        at = at[key]
    return to_object(at)


def resolve(source: JsonValue | JsonObject, root: JsonObject) -> dict[str, JsonValue]:
    """Replace references by what they stand for, and alternatives by the first that is not ``null``."""
    found = to_object(source)
    for _ in range(MAX_STEPS):
        reference = found.get("$ref")
        branches = found.get("allOf") or found.get("anyOf") or found.get("oneOf")
        if isinstance(reference, str):
            target = find_reference(reference, root) or {}
        elif isinstance(branches, list):
            target = next((each for each in map(to_object, branches) if each.get("type") != "null"), {})
        else:
            break
        beside = {key: each for key, each in found.items() if key not in {"$ref", "allOf", "anyOf", "oneOf"}}
        found = {**target, **beside}
    return found
