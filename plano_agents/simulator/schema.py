"""A tool's parameters as the simulated agent sees them: the part of JSON Schema that says what to fill in.

References, ``allOf`` and ``anyOf`` are followed to the first branch that is not ``null``. Whether a value satisfies
every keyword is left to the tool.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

JsonObject: TypeAlias = Mapping[str, JsonValue]

MAX_DEPTH = 4
"""How deep a schema is read; recursive ones never end."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of one value."""

    type: str = "string"
    """The JSON type: string, integer, number, boolean, array, object or null."""
    description: str = ""
    """What the tool's author says about it."""
    choices: tuple[JsonValue, ...] = ()
    """The values of ``enum`` or ``const``; empty where any will do."""
    default: JsonValue = None
    """The value of ``default``."""
    minimum: float | None = None
    """The lowest number allowed."""
    properties: tuple["Property", ...] = ()
    """An object's members."""
    items: "Schema | None" = None
    """An array's members."""


@dataclass(frozen=True, slots=True)
class Property:
    """One member of an object."""

    name: str
    """Its key."""
    required: bool
    """Whether it must be there."""
    schema: Schema
    """What its value must look like."""


def parse_schema(source: JsonValue) -> Schema:
    """Read a JSON Schema; what makes no sense in it is passed over."""
    root = source if isinstance(source, dict) else {}
    return _parse(root, root, 0)


def walk_schema(
    source: JsonObject, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
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


def _parse(source: JsonObject, root: JsonObject, depth: int) -> Schema:
    source = _follow(source, root)
    if depth >= MAX_DEPTH:
        return Schema()
    properties = to_object(source.get("properties"))
    required = source.get("required")
    names = required if isinstance(required, list) else []
    items = source.get("items")
    minimum = source.get("minimum")
    return Schema(
        type=_type(source),
        description=str(source.get("description") or ""),
        choices=list_choices(source) or (),
        default=source.get("default"),
        minimum=minimum if isinstance(minimum, int | float) else None,
        properties=tuple(
            Property(name, name in names, _parse(to_object(member), root, depth + 1))
            for name, member in properties.items()
        ),
        items=_parse(to_object(items), root, depth + 1) if items is not None else None,
    )


def _follow(source: JsonObject, root: JsonObject) -> JsonObject:
    """Replace references and combinations by what they stand for, keeping what stands beside them."""
    for _ in range(MAX_DEPTH):
        reference = source.get("$ref")
        branches = source.get("allOf") or source.get("anyOf") or source.get("oneOf")
        if isinstance(reference, str):
            found: JsonValue = dict(root)
            for step in filter(None, reference.removeprefix("#").split("/")):
                found = to_object(found).get(step)
            target = to_object(found)
        elif isinstance(branches, list):
            target = next((b for b in map(to_object, branches) if b.get("type") != "null"), {})
        else:
            break
        beside = {k: v for k, v in source.items() if k not in {"$ref", "allOf", "anyOf", "oneOf"}}
        source = {**target, **beside}
    return source


def _type(source: JsonObject) -> str:
    kind = source.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in source else "string"
