"""Answers in JSON: a text that is valid for the schema that was asked for.

Values come from the user's words as a tool's arguments do. A reference is not followed inside itself, so a schema
that holds itself ends at the first chance: at the branch without it, at an empty array, at a member left out. What
the simulated models do not write, the keywords in `REFUSED` among it, is refused by its name.
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
    [
        "$dynamicRef",
        "$recursiveRef",
        "additionalItems",
        "contains",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "maxContains",
        "maxProperties",
        "minContains",
        "minProperties",
        "multipleOf",
        "not",
        "patternProperties",
        "propertyNames",
        "then",
        "else",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
"""Keywords of JSON Schema that no answer is written for."""

MAX_SIZE = 1000
"""How many items an array's ``minItems``, or characters a text's ``minLength``, may demand."""

_BRANCHES = ("anyOf", "oneOf", "allOf")
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
"""An example of each format."""

_SPELLINGS = {
    "date": re.compile(r"\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b"),
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}"),
    "uri": re.compile(r"https?://[\w./~%-]*\w"),
}
"""How a text spells the formats that are looked for in it; of a date the days that every month has."""

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
        attempts = self._list_attempts(source)
        problem = UnwritableError(f"a value for {name!r}, whose schema allows none")
        for attempt, kind in attempts:
            try:
                return (
                    self._write_kind(attempt, kind, name, inside)
                    if kind
                    else self.write(attempt, name, inside)
                )
            except UnwritableError as found:
                problem = found
        raise problem

    def _list_attempts(self, source: JsonObject) -> list[tuple[JsonObject, str]]:
        """The branches that may be taken, or types that a value may have, the best first, ``null`` last."""
        for keyword in _BRANCHES:
            branches = source.get(keyword)
            if isinstance(branches, list):
                if keyword == "allOf" and len(branches) > 1:
                    raise UnwritableError(
                        "answers for 'allOf' with several branches; write them as one schema"
                    )
                rest = {key: value for key, value in source.items() if key != keyword}
                joined = [_join(rest, to_object(branch)) for branch in branches]
                joined.sort(key=lambda each: (not self._is_named(each), each.get("type") == "null"))
                return [(each, "") for each in joined]
        kinds = source.get("type", _guess_type(source))
        listed = kinds if isinstance(kinds, list) else [kinds]
        return [(source, str(kind)) for kind in sorted(listed, key=lambda kind: kind == "null")]

    def _follow(self, source: JsonObject) -> JsonObject:
        """Replace a reference, if it is one, by what it stands for."""
        if "$ref" not in source:
            return source
        reference = str(source["$ref"])
        at: JsonValue = dict(self.root)
        for step in filter(None, reference.removeprefix("#").split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(at, dict) or key not in at:
                raise UnwritableError(f"a value for {reference!r}, which the schema does not define")
            at = at[key]
        return _join({key: value for key, value in source.items() if key != "$ref"}, to_object(at))

    def _is_named(self, schema: JsonValue | JsonObject) -> bool:
        """Whether the words name one of a schema's choices, or one of its members'."""
        source = self._follow(to_object(schema))
        members = [source, *map(self._follow, map(to_object, to_object(source.get("properties")).values()))]
        choices = [choice for member in members for choice in list_choices(member) or ()]
        return bool(find_choices([choice for choice in choices if isinstance(choice, str)], self.words))

    def _write_kind(self, source: JsonObject, kind: str, name: str, inside: frozenset[str]) -> JsonValue:
        choices = list_choices(source)
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
        found, items = source.get("prefixItems"), source.get("items", True)
        fixed = found if isinstance(found, list) else []
        least, most = _read_size(source, "minItems", 0), _read_size(source, "maxItems", math.inf)
        named = find_choices(list_choices(to_object(items)) or (), self.words)
        if source.get("uniqueItems") is True and not fixed and least > max(1, len(named)):
            raise UnwritableError(
                "answers for 'uniqueItems' with a 'minItems' above 1; leave one of them out"
            )
        values: list[JsonValue] = []
        while len(values) < max(least, min(max(len(fixed), len(named), 1), most)):
            at = len(values)
            choice: JsonValue = {"const": named[at]} if not fixed and at < len(named) else items
            try:
                values.append(self.write(fixed[at] if at < len(fixed) else choice, name, inside))
            except UnwritableError:
                if at < least:
                    raise
                break
        return values

    def _write_object(self, source: JsonObject, inside: frozenset[str]) -> JsonValue:
        members, needed = to_object(source.get("properties")), source.get("required")
        required = [str(name) for name in needed] if isinstance(needed, list) else []
        others = source.get("additionalProperties", True)
        value: dict[str, JsonValue] = {}
        for name in dict.fromkeys([*members, *required]):
            if name in required or self._is_named(members[name]):
                try:
                    value[name] = self.write(members.get(name, others), name, inside)
                except UnwritableError:
                    if name in required:
                        raise
        return value


def _join(one: JsonObject, two: JsonObject) -> JsonObject:
    """A schema that demands what both demand; they may not demand different things under one keyword."""
    for keyword in one.keys() & two.keys() - _ANNOTATIONS:
        if one[keyword] != two[keyword]:
            raise UnwritableError(f"answers for a schema that says {keyword!r} twice; write it as one schema")
    return {**one, **two}


def _guess_type(source: JsonObject) -> str:
    if {"properties", "required", "additionalProperties"} & source.keys():
        return "object"
    return "array" if {"items", "prefixItems", "minItems"} & source.keys() else "string"


def _read_size(source: JsonObject, keyword: str, default: float) -> float:
    """The length or count that a schema demands."""
    found = source.get(keyword)
    if not isinstance(found, int | float):
        return default
    if keyword.startswith("min") and found > MAX_SIZE:
        raise UnwritableError(f"an answer with {keyword} {found!r}; {MAX_SIZE} is the most")
    return found


def _write_number(source: JsonObject, words: str, *, whole: bool) -> int | float:
    """The number that the words name, else 1, moved to where the bounds allow it."""
    low, above, high, below = (
        float(bound) if isinstance(bound := source.get(keyword), int | float) else none
        for keyword, none in (
            ("minimum", -math.inf),
            ("exclusiveMinimum", -math.inf),
            ("maximum", math.inf),
            ("exclusiveMaximum", math.inf),
        )
    )
    least, most = max(low, above), min(high, below)
    # An open end is left by a step of 1, or by half the way to the other end.
    wanted = [float(find_number(words) or 1), least, most, least + 1, most - 1, least + (most - least) / 2, 1]
    steps = (round, math.ceil, math.floor) if whole else (float, round)
    for number in (step(number) for number in wanted if math.isfinite(number) for step in steps):
        if low <= number <= high and above < number < below:
            return int(number) if number == int(number) else number
    raise UnwritableError("a number within the bounds that the schema sets")


def _write_text(source: JsonObject, name: str, words: str) -> str:
    """What the words say for a name, in the format, length and pattern that the schema asks for."""
    least, most = _read_size(source, "minLength", 0), _read_size(source, "maxLength", math.inf)
    kind, pattern = source.get("format"), source.get("pattern")
    if isinstance(pattern, str):
        try:
            fitting = [text for text in (pick_text(name, words), *words.split()) if re.search(pattern, text)]
        except re.error:
            fitting = []
        fitting = [text for text in fitting if least <= len(text) <= most]
        if not fitting:
            raise UnwritableError(
                f"a text for the pattern {pattern!r} by themselves; name one in your message, or leave the pattern out"
            )
        return fitting[0]
    if isinstance(kind, str) and kind in _EXAMPLES:
        spelt = kind in _SPELLINGS and _SPELLINGS[kind].search(words)
        return spelt.group() if spelt else _EXAMPLES[kind]
    if most < least:
        raise UnwritableError("a text within the lengths that the schema sets")
    text = pick_text(name, words)
    return text[: int(min(len(text), most))].ljust(int(least), ".")
