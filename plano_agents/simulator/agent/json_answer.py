"""Answers in JSON: a text that is valid for the schema that was asked for.

Values come from the user's words as a tool's arguments do. What SDKs make of types is written: objects, arrays,
choices, alternatives, references, bounds, lengths and formats; the keywords in `REFUSED` are refused by name. Members
that are not required are left out. A reference is not followed inside itself, so a schema that holds itself ends at the
first chance: at the branch without it, or at an empty array.
"""

import json
import math
import re
from dataclasses import dataclass

from pydantic import JsonValue

from plano_agents.simulator.agent.arguments import find_choices, find_number, pick_text
from plano_agents.simulator.conversation import AnswerFormat
from plano_agents.simulator.schema import JsonObject, list_choices, to_object

REFUSED = frozenset(
    re.findall(
        r"\S+",
        "$dynamicRef $recursiveRef additionalItems contains dependencies dependentRequired dependentSchemas else if"
        " maxContains maxProperties minContains minProperties multipleOf not pattern patternProperties prefixItems"
        " propertyNames then unevaluatedItems unevaluatedProperties",
    )
)
"""Keywords of JSON Schema that no answer is written for."""

MAX_SIZE = 1000
"""How many items an array's ``minItems``, or characters a text's ``minLength``, may demand."""

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

_KEY_WORD = re.compile(r"\b(?:keys?|fields?)\b", re.IGNORECASE)
_QUOTED_KEY = re.compile(r"""(["'`])([A-Za-z_]\w*)\1""")


class UnwritableError(Exception):
    """A schema that the simulated models cannot write a value for.

    Args:
        what: What cannot be written.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"The simulated models cannot write {what}.")


def write_json(wanted: AnswerFormat, words: str, text: str) -> str:
    """Write an answer in JSON.

    Args:
        wanted: What it must be valid for.
        words: Where values are looked for: the user's words, or what was found for them.
        text: The answer in words; where any object will do it is all there is to say, under the keys that ``words``
            names in quotation marks ("with 'setup' and 'punchline' keys").

    Raises:
        UnwritableError: The simulated models cannot write a value for the schema; says why.
    """
    value: JsonValue = dict.fromkeys(_name_keys(words) or ["answer"], text)
    if wanted.schema is not None:
        value = _Writer(wanted.schema, words).write(wanted.schema, "answer", frozenset("#"))
    return json.dumps(value, ensure_ascii=False)


def _name_keys(words: str) -> list[str]:
    """The keys that a request in words wants an object to have; none where it speaks of none."""
    sentences = filter(_KEY_WORD.search, re.split(r"[.!?]\s", words))
    return [key for sentence in sentences for _, key in _QUOTED_KEY.findall(sentence)]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes values for one schema; each is named by the key it stands under, ``inside`` the references followed."""

    root: JsonObject
    """The whole schema."""
    words: str
    """Where values are looked for."""

    def write(self, schema: JsonValue | JsonObject, name: str, inside: frozenset[str]) -> JsonValue:
        """Write a value that is valid for a schema inside the root."""
        if schema is False:
            raise UnwritableError(f"a value for {name!r}, whose schema allows none")
        source = to_object(schema)
        if (reference := source.get("$ref")) is not None:
            if reference in inside:
                raise UnwritableError(f"a value for {name!r}, which holds itself without end")
            return self.write(self._follow(source), name, inside | {str(reference)})
        if refused := sorted(REFUSED & source.keys()):
            raise UnwritableError(
                f"answers for the schema keyword {refused[0]!r}; leave it out of the schema"
            )
        branches = _list_branches(source)
        write, attempts = (
            (self.write, branches) if branches is not None else (self._write_kind, _list_types(source))
        )
        problem = UnwritableError(f"a value for {name!r}, whose schema allows none")
        for attempt in attempts:
            try:
                return write(attempt, name, inside)
            except UnwritableError as found:
                problem = found
        raise problem

    def _follow(self, source: JsonObject) -> JsonObject:
        """Replace a reference by what it stands for."""
        reference = str(source["$ref"])
        at: JsonValue = dict(self.root)
        for step in filter(None, reference.removeprefix("#").split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(at, dict) or key not in at:
                raise UnwritableError(f"a value for {reference!r}, which the schema does not define")
            at = at[key]
        return _join({key: value for key, value in source.items() if key != "$ref"}, to_object(at))

    def _write_kind(self, source: JsonObject, name: str, inside: frozenset[str]) -> JsonValue:
        choices, kind = list_choices(source), source["type"]
        if choices is not None:
            named = find_choices([choice for choice in choices if isinstance(choice, str)], self.words)
            if not choices:
                raise UnwritableError(f"a value for {name!r}, whose schema allows none")
            return [*named, *choices][0]
        if kind in {"integer", "number"}:
            return _write_number(source, self.words, whole=kind == "integer")
        if kind == "string":
            return _write_text(source, name, self.words)
        if kind == "array":
            return self._write_array(source, name, inside)
        if kind == "object":
            return self._write_object(source, inside)
        return None if kind == "null" else True

    def _write_array(self, source: JsonObject, name: str, inside: frozenset[str]) -> JsonValue:
        items, least = source.get("items", True), _read_size(source, "minItems", 0)
        named = find_choices(list_choices(to_object(items)) or (), self.words)
        size = int(max(least, min(len(named) or 1, _read_size(source, "maxItems", math.inf))))
        if source.get("uniqueItems") is True and least > max(1, len(named)):
            raise UnwritableError(
                "answers for 'uniqueItems' with a 'minItems' above 1; leave one of them out"
            )
        try:
            return [*named[:size], *(self.write(items, name, inside) for _ in range(size - len(named)))]
        except UnwritableError:
            if least:
                raise
            return []

    def _write_object(self, source: JsonObject, inside: frozenset[str]) -> JsonValue:
        members, required = to_object(source.get("properties")), source.get("required")
        others = source.get("additionalProperties", True)
        names = [str(name) for name in required] if isinstance(required, list) else []
        ordered = [*filter(names.__contains__, members), *names]
        return {name: self.write(members.get(name, others), name, inside) for name in dict.fromkeys(ordered)}


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
    kinds = source.get("type", _guess_type(source))
    listed = sorted(kinds if isinstance(kinds, list) else [kinds], key=lambda kind: kind == "null")
    return [{**source, "type": kind} for kind in listed]


def _join(one: JsonObject, two: JsonObject) -> JsonObject:
    """A schema that demands what both demand; they may not demand different things under one keyword."""
    for keyword in one.keys() & two.keys() - _ANNOTATIONS:
        if one[keyword] != two[keyword]:
            raise UnwritableError(f"answers for a schema that says {keyword!r} twice; write it as one schema")
    return {**one, **two}


def _guess_type(source: JsonObject) -> str:
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


def _write_text(source: JsonObject, name: str, words: str) -> str:
    """Find the words' value for a name, in the format and length that the schema asks for."""
    least, most = _read_size(source, "minLength", 0), _read_size(source, "maxLength", math.inf)
    if most < least:
        raise UnwritableError("a text within the lengths that the schema sets")
    text = _EXAMPLES.get(str(source.get("format"))) or pick_text(name, words)
    return text[: int(min(len(text), most))].ljust(int(least), ".")
