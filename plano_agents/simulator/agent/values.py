"""Values for a schema, from the user's words: a tool's arguments, or an answer in JSON.

For each value, the first that there is: a choice that the words name, the default, the first choice, and otherwise
what in the words looks like the value. Members that are not required are written only where the words name one of
their choices; several numbers, one after the other. What SDKs make of types is written: objects, arrays, choices,
alternatives, references, bounds, lengths and formats; the keywords in `REFUSED` are refused by name. A reference is not
followed inside itself, so a schema that holds itself ends at the first chance: at the branch without it, or at an empty
array.
"""

import math
import re
from contextlib import suppress
from dataclasses import dataclass, replace

from pydantic import JsonValue

from plano_agents.simulator.agent.phrases import (
    find_choices,
    find_number,
    find_phrase,
    find_target,
    is_target,
    pick_text,
    skip_number,
)
from plano_agents.simulator.schema import JsonObject, find_reference, list_choices, resolve, to_object

REFUSED = frozenset(
    re.findall(
        r"\S+",
        "$dynamicRef $recursiveRef additionalItems contains dependencies dependentRequired dependentSchemas else if"
        " maxContains maxProperties minContains minProperties multipleOf not pattern patternProperties prefixItems"
        " propertyNames then unevaluatedItems unevaluatedProperties",
    )
)
"""Keywords of JSON Schema that no value is written for."""

MAX_SIZE = 1000
"""How many items an array's ``minItems``, or characters a text's ``minLength``, may demand."""

_NUMBERS = frozenset({"integer", "number"})
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$comment", "deprecated"})
_EXAMPLES = {
    "date": "2025-01-01",
    "date-time": "2025-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "user@example.com",
    "hostname": "host.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/1",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
"""What is written in each format."""


class UnwritableError(Exception):
    """A schema that the simulated models cannot write a value for.

    Args:
        what: What cannot be written.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"The simulated models cannot write {what}.")


def fill_arguments(schema: JsonObject, words: str, *, quoted: bool = False) -> dict[str, JsonValue]:
    """Fill a tool's parameters.

    Args:
        schema: The parameters.
        words: The user's.
        quoted: Whether files, addresses and commands may be what the words quote.

    Raises:
        UnwritableError: They cannot be filled; says why.
    """
    return to_object(write_value({"type": "object", **schema}, words, quoted=quoted))


def write_value(schema: JsonObject, words: str, *, quoted: bool = True) -> JsonValue:
    """Write a value that is valid for a schema.

    Raises:
        UnwritableError: The simulated models cannot write one; says why.
    """
    return _Writer(schema, words, quoted).write(schema, "answer", frozenset("#"))


def can_fill(schema: JsonObject, words: str) -> bool:
    """Check whether words name what a tool needs: a choice, or something that looks like the value."""
    for member in list_required(schema).values():
        choices, kind = list_choices(member), guess_type(member)
        if choices is not None:
            if find_choices(choices, words):
                return True
        elif (kind == "string" and find_phrase(words)) or (kind in _NUMBERS and find_number(words)):
            return True
    return False


def lacks_target(schema: JsonObject, words: str, *, quoted: bool) -> bool:
    """Check whether a tool needs a file, an address or a command, and the words name none."""
    return any(
        is_target(name)
        and guess_type(member) == "string"
        and not {"enum", "const", "default"} & member.keys()
        and find_target(name, words, quoted=quoted) is None
        for name, member in list_required(schema).items()
    )


def list_required(schema: JsonObject) -> dict[str, JsonObject]:
    """The members that an object must have."""
    source = resolve(schema, schema)
    members, required = to_object(source.get("properties")), source.get("required")
    names = [str(name) for name in required] if isinstance(required, list) else []
    return {name: resolve(member, schema) for name, member in members.items() if name in names}


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes values for one schema; each is named by the key it stands under, ``inside`` the references followed."""

    root: JsonObject
    """The whole schema."""
    words: str
    """Where values are looked for."""
    quoted: bool
    """True if files, addresses and commands may be what the words quote."""

    def write(self, schema: JsonValue | JsonObject, name: str, inside: frozenset[str]) -> JsonValue:
        """Write a value that is valid for a schema inside the root."""
        if schema is False:
            raise UnwritableError(f"a value for {name!r}, whose schema allows none")
        source = to_object(schema)
        if (reference := source.pop("$ref", None)) is not None:
            if reference in inside:
                raise UnwritableError(f"a value for {name!r}, which holds itself without end")
            target = find_reference(str(reference), self.root)
            if target is None:
                raise UnwritableError(f"a value for {reference!r}, which the schema does not define")
            return self.write(_join(source, target), name, inside | {str(reference)})
        if refused := sorted(REFUSED & source.keys()):
            raise UnwritableError(f"a value for the schema keyword {refused[0]!r}; leave it out of the schema")
        branches = _list_branches(source)
        write, attempts = (self.write, branches) if branches is not None else (self._write_kind, _list_types(source))
        problem = UnwritableError(f"a value for {name!r}, whose schema allows none")
        for attempt in attempts:
            try:
                return write(attempt, name, inside)
            except UnwritableError as found:
                problem = found
        raise problem

    def _write_kind(self, source: JsonObject, name: str, inside: frozenset[str]) -> JsonValue:
        choices, kind = list_choices(source), source["type"]
        default = [] if source.get("default") is None else [source["default"]]
        if given := [*find_choices(choices or (), self.words), *default, *(choices or ())]:
            return given[0]
        if choices is not None:
            raise UnwritableError(f"a value for {name!r}, whose schema allows none")
        if kind in _NUMBERS:
            return _write_number(source, self.words, whole=kind == "integer")
        if kind == "array":
            return self._write_array(source, name, inside)
        if kind == "object":
            return self._write_object(source, inside)
        constants: dict[JsonValue, JsonValue] = {"boolean": True, "null": None}
        return constants[kind] if kind in constants else self._write_text(source, name)

    def _write_array(self, source: JsonObject, name: str, inside: frozenset[str]) -> JsonValue:
        items, least = source.get("items", True), _read_size(source, "minItems", 0)
        named = find_choices(list_choices(to_object(items)) or (), self.words)
        size = int(max(least, min(len(named) or 1, _read_size(source, "maxItems", math.inf))))
        if source.get("uniqueItems") is True and least > max(1, len(named)):
            raise UnwritableError("answers for 'uniqueItems' with a 'minItems' above 1; leave one of them out")
        try:
            return [*named[:size], *(self.write(items, name, inside) for _ in range(size - len(named)))]
        except UnwritableError:
            if least:
                raise
            return []

    def _write_object(self, source: JsonObject, inside: frozenset[str]) -> JsonValue:
        members, required = to_object(source.get("properties")), source.get("required")
        others = source.get("additionalProperties", True)
        needed = [str(name) for name in required] if isinstance(required, list) else []
        value: dict[str, JsonValue] = {}
        unused = self.words  # from the first number on that no member has had
        for name in dict.fromkeys([*members, *needed]):
            member = resolve(members.get(name, others), self.root)
            choices = list_choices(member)
            if name not in needed:
                if find_choices(choices or (), self.words):
                    with suppress(UnwritableError):
                        value[name] = self.write(members[name], name, inside)
                continue
            takes = guess_type(member) in _NUMBERS and choices is None and member.get("default") is None
            writer = replace(self, words=unused) if takes else self
            value[name] = writer.write(members.get(name, others), name, inside)
            unused = skip_number(unused) if takes else unused
        return value

    def _write_text(self, source: JsonObject, name: str) -> str:
        """Find the words' value for a name, in the format and length that the schema asks for."""
        least, most = _read_size(source, "minLength", 0), _read_size(source, "maxLength", math.inf)
        if most < least:
            raise UnwritableError("a text within the lengths that the schema sets")
        text = find_target(name, self.words, quoted=self.quoted) if is_target(name) else None
        text = text or _EXAMPLES.get(str(source.get("format"))) or pick_text(name, self.words)
        return text[: int(min(len(text), most))].ljust(int(least), ".")


def _list_branches(source: JsonObject) -> list[JsonObject] | None:
    """The alternatives that a value may be written for, ``null`` last; None where there are none."""
    for keyword in ("anyOf", "oneOf", "allOf"):
        branches = source.get(keyword)
        if isinstance(branches, list):
            if keyword == "allOf" and len(branches) > 1:
                raise UnwritableError("answers for 'allOf' with several branches; write them as one schema")
            rest = {key: value for key, value in source.items() if key != keyword}
            joined = [_join(rest, to_object(branch)) for branch in branches]
            return sorted(joined, key=lambda each: each.get("type") == "null")
    return None


def _list_types(source: JsonObject) -> list[JsonObject]:
    """The same schema for each type that a value may have, ``null`` last."""
    kinds = source.get("type", guess_type(source))
    listed = sorted(kinds if isinstance(kinds, list) else [kinds], key=lambda kind: kind == "null")
    return [{**source, "type": str(kind)} for kind in listed]


def _join(one: JsonObject, two: JsonObject) -> JsonObject:
    """A schema that demands what both demand; they may not demand different things under one keyword."""
    for keyword in one.keys() & two.keys() - _ANNOTATIONS:
        if one[keyword] != two[keyword]:
            raise UnwritableError(f"answers for a schema that says {keyword!r} twice; write it as one schema")
    return {**one, **two}


def guess_type(source: JsonObject) -> str:
    """The type of a value, the first one that is not ``null``; by the other keywords where none is named."""
    kinds = source.get("type")
    if kinds is not None:
        listed = kinds if isinstance(kinds, list) else [kinds]
        return str(next((kind for kind in listed if kind != "null"), "null"))
    if {"properties", "required", "additionalProperties"} & source.keys():
        return "object"
    return "array" if {"items", "minItems"} & source.keys() else "string"


def _read_size(source: JsonObject, keyword: str, default: float) -> float:
    """The length, count or bound that a schema demands."""
    found = source.get(keyword)
    if not isinstance(found, int | float):
        return default
    if keyword in {"minItems", "minLength"} and found > MAX_SIZE:
        raise UnwritableError(f"an answer with {keyword} {found!r}; {MAX_SIZE} is the most")
    return found


def _write_number(source: JsonObject, words: str, *, whole: bool) -> int | float:
    """The number that the words name, else 1, moved to where the bounds allow it."""
    low, high = _read_size(source, "minimum", -math.inf), _read_size(source, "maximum", math.inf)
    above = _read_size(source, "exclusiveMinimum", -math.inf)
    below = _read_size(source, "exclusiveMaximum", math.inf)
    least, most = max(low, above), min(high, below)
    wanted = [float(find_number(words) or 1), least, most, least + 1, most - 1, (least + most) / 2]
    for number in filter(math.isfinite, wanted):
        for moved in (math.floor(number), math.ceil(number)) if whole else (number,):
            if low <= moved <= high and above < moved < below:
                return int(moved) if moved == int(moved) else moved
    raise UnwritableError("a number within the bounds that the schema sets")
