"""Answers in JSON: a text that is valid for the schema that was asked for.

Values come from the user's words as a tool's arguments do. A reference is not followed inside itself, so what holds
itself ends at the first chance: at the branch without it, at an empty array, at a member left out. Keywords that the
providers do not take in strict schemas (``not``, ``if``, ``contains``, ``patternProperties``, …) are passed over.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from plano_agents.simulator.agent.arguments import find_choices
from plano_agents.simulator.agent.json_values import (
    UnwritableError,
    order_choices,
    read_size,
    write_number,
    write_text,
)
from plano_agents.simulator.conversation import AnswerFormat
from plano_agents.simulator.schema import JsonObject

_KEY_WORD = re.compile(r"\b(?:keys?|fields?)\b", re.IGNORECASE)
_QUOTED_KEY = re.compile(r"""(["'`])([A-Za-z_]\w*)\1""")

MAX_ITEMS = 1000
"""How many items or members an answer's array or object has at most."""


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
        value = _Writer(wanted.schema, words).write(dict(wanted.schema), _Place("answer", 0, frozenset("#")))
    return json.dumps(value, ensure_ascii=False)


def _name_keys(words: str) -> list[str]:
    """The keys that a request in words wants an object to have; none where it speaks of none."""
    sentences = re.split(r"[.!?]\s", words)
    return [
        key
        for sentence in sentences
        if _KEY_WORD.search(sentence)
        for _, key in _QUOTED_KEY.findall(sentence)
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is written."""

    name: str
    """The key that it stands under."""
    nth: int
    """Which of several values that may not be equal it is, from 0."""
    inside: frozenset[str]
    """The references that were followed to get there."""


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes values for one schema."""

    root: JsonObject
    """The whole schema."""
    words: str
    """Where values are looked for."""

    def write(self, schema: JsonValue, place: _Place) -> JsonValue:
        """Write a value that is valid for a schema inside the root."""
        if schema is False:
            raise UnwritableError(f"a value for {place.name!r}, whose schema allows none")
        source, place = self._resolve(_object(schema), place)
        for keyword in ("anyOf", "oneOf"):
            branches = source.get(keyword)
            if isinstance(branches, list):
                return self._write_branch({k: v for k, v in source.items() if k != keyword}, branches, place)
        problem = UnwritableError(f"a value for {place.name!r}, whose schema allows none")
        for kind in _name_types(source):
            try:
                return self._write_kind(kind, source, place)
            except UnwritableError as found:
                problem = found
        raise problem

    def _resolve(self, source: JsonObject, place: _Place) -> tuple[JsonObject, _Place]:
        """Replace references and ``allOf`` by what they stand for."""
        while "$ref" in source or "allOf" in source:
            reference = source.get("$ref")
            rest: JsonObject = {k: v for k, v in source.items() if k not in {"$ref", "allOf"}}
            if reference is not None:
                if str(reference) in place.inside:
                    raise UnwritableError(f"a value for {place.name!r}, which holds itself without end")
                place = _Place(place.name, place.nth, place.inside | {str(reference)})
                rest = _merge(rest, self._look_up(str(reference)))
            branches = source.get("allOf")
            for branch in branches if isinstance(branches, list) else []:
                rest = _merge(rest, _object(branch))
            source = rest
        return source, place

    def _look_up(self, reference: str) -> JsonObject:
        at: JsonValue = dict(self.root)
        for step in filter(None, reference.removeprefix("#").split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(at, dict) or key not in at:
                raise UnwritableError(f"a value for {reference!r}, which the schema does not define")
            at = at[key]
        return _object(at)

    def _write_branch(self, rest: JsonObject, branches: list[JsonValue], place: _Place) -> JsonValue:
        """Write for the branch that the words name, else for the first that can be written; ``null`` comes last."""
        problem = UnwritableError(f"a value for {place.name!r}, whose schema has no branches")
        ranked = sorted(
            branches, key=lambda b: (not self._is_named(b, place), _object(b).get("type") == "null")
        )
        for branch in ranked:
            try:
                return self.write(dict(_merge(rest, _object(branch))), place)
            except UnwritableError as found:
                problem = found
        raise problem

    def _is_named(self, schema: JsonValue, place: _Place) -> bool:
        """Whether the words name one of a schema's choices, or one of its members'."""
        try:
            source, _ = self._resolve(_object(schema), place)
        except UnwritableError:
            return False
        members = [source, *map(_object, _object(source.get("properties")).values())]
        choices = [choice for member in members for choice in _list_choices(member) or []]
        return bool(find_choices([c for c in choices if isinstance(c, str)], self.words))

    def _write_kind(self, kind: str, source: JsonObject, place: _Place) -> JsonValue:
        choices = _list_choices(source)
        if choices is not None:
            return order_choices(choices, kind if "type" in source else None, self.words, place.nth)
        if kind in {"integer", "number"}:
            return write_number(source, self.words, place.nth, whole=kind == "integer")
        if kind == "string":
            return write_text(source, place.name, self.words, place.nth)
        if kind == "array":
            return self._write_array(source, place)
        if kind == "object":
            return self._write_object(source, place)
        return order_choices([None] if kind == "null" else [True, False], None, "", place.nth)

    def _write_array(self, source: JsonObject, place: _Place) -> JsonValue:
        found = source.get("prefixItems")
        fixed = found if isinstance(found, list) else []
        least, most = read_size(source, "minItems", 0, MAX_ITEMS), read_size(source, "maxItems", None, None)
        rest = source.get("items", True)
        named = find_choices(_list_choices(_object(rest)) or [], self.words)
        count = max(least, min(max(len(fixed), len(named), 1), MAX_ITEMS if most is None else most))
        values: list[JsonValue] = []
        for at in range(count):
            schema = fixed[at] if at < len(fixed) else rest
            try:
                values.append(
                    self._write_item(schema, values, place, unique=source.get("uniqueItems") is True)
                )
            except UnwritableError:
                if at < least:
                    raise
                break
        return values

    def _write_item(
        self, schema: JsonValue, values: list[JsonValue], place: _Place, *, unique: bool
    ) -> JsonValue:
        """Write the next item: another one than those before it, where there is another or must be one."""
        try:
            value = self.write(schema, _Place(place.name, len(values), place.inside))
        except UnwritableError:
            if unique:
                raise
            return self.write(schema, _Place(place.name, 0, place.inside))
        if unique and json.dumps(value) in map(json.dumps, values):
            raise UnwritableError(f"{len(values) + 1} different items of {place.name!r}")
        return value

    def _write_object(self, source: JsonObject, place: _Place) -> JsonValue:
        members = _object(source.get("properties"))
        required = source.get("required")
        needed = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        least = read_size(source, "minProperties", 0, MAX_ITEMS)
        most = read_size(source, "maxProperties", None, None)
        others = source.get("additionalProperties", True)
        value: dict[str, JsonValue] = {}
        room = MAX_ITEMS if most is None else most - len(needed)
        wanted = [n for n in members if n not in needed and self._is_named(members[n], place)][: max(room, 0)]
        spare = (n for n in [*members, *(f"key{at}" for at in range(least))] if n not in {*needed, *wanted})
        chosen = [n for n in members if n in {*needed, *wanted}]
        chosen += [n for n in needed if n not in members]
        for name in chosen:
            try:
                value[name] = self._write_member(members.get(name, others), name, place)
            except UnwritableError:
                if name in needed:
                    raise
        while len(value) < least:
            extra = next(spare)  # as many are spare as are needed
            value[extra] = self._write_member(members.get(extra, others), extra, place)
        return value

    def _write_member(self, schema: JsonValue, name: str, place: _Place) -> JsonValue:
        try:
            return self.write(schema, _Place(name, place.nth, place.inside))
        except UnwritableError:
            if not place.nth:
                raise
            return self.write(schema, _Place(name, 0, place.inside))


_STRICTER = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
}


def _merge(one: JsonObject, two: JsonObject) -> JsonObject:
    """A schema that demands what both demand, for the keywords that can be joined; the second wins on the others."""
    merged = {**one, **two}
    for key in one.keys() & two.keys():
        left, right = one[key], two[key]
        if key == "properties":
            both = {**_object(left), **_object(right)}
            shared = _object(left).keys() & _object(right).keys()
            merged[key] = both | {n: {"allOf": [_object(left)[n], _object(right)[n]]} for n in shared}
        elif key in {"required", "allOf"} and isinstance(left, list) and isinstance(right, list):
            merged[key] = [*left, *(member for member in right if member not in left)]
        elif key == "enum" and isinstance(left, list) and isinstance(right, list):
            merged[key] = [member for member in left if member in right]
        elif key in _STRICTER and isinstance(left, int | float) and isinstance(right, int | float):
            merged[key] = _STRICTER[key](left, right)
    return merged


def _name_types(source: JsonObject) -> list[str]:
    """The types that a value may have, ``null`` last."""
    kind = source.get("type")
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, list):
        return sorted((str(k) for k in kind), key=lambda k: k == "null")
    if {"properties", "required", "additionalProperties", "minProperties"} & source.keys():
        return ["object"]
    return ["array"] if {"items", "prefixItems", "minItems"} & source.keys() else ["string"]


def _list_choices(source: JsonObject) -> list[JsonValue] | None:
    if "const" in source:
        return [source["const"]]
    enum = source.get("enum")
    return enum if isinstance(enum, list) else None


def _object(value: JsonValue | Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return dict(value) if isinstance(value, Mapping) else {}
