"""Fields of a request that its reading leaves out, found by comparing the JSON with the types that it is read into.

A type's fields are those that are carried, or whose loss is accounted for; every other field of an object is found,
however deep it stands. Values that are kept untouched (schemas, a tool's input) are not looked into.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec
from msgspec import inspect

from plano_agents.protocol.adjustment import Tell, dropped_within
from plano_agents.protocol.decoding import BAD_JSON

_Kinds = Mapping[str | None, inspect.StructType]


class FieldFinder:
    """Finds what a type does not have.

    Args:
        kind: The type of a whole request.
        fields: The top-level fields that are looked into.
        harmless: Fields that may be left out untold, wherever they stand: they tell of earlier answers.
        opaque: Types that are not looked into: they are left out whole, and told so.
    """

    def __init__(
        self,
        kind: type,
        fields: tuple[str, ...],
        harmless: frozenset[str] = frozenset(),
        opaque: tuple[type, ...] = (),
    ) -> None:
        self._kind = kind
        self._fields = fields
        self._harmless = harmless
        self._opaque = opaque

    @cached_property
    def _whole(self) -> inspect.StructType:
        found = inspect.type_info(self._kind)
        assert isinstance(found, inspect.StructType), "a request is a struct"  # noqa: S101 - cannot happen
        return found

    def tell(self, request: Mapping[str, msgspec.Raw], tell: Tell) -> None:
        """Tell the names of fields that are left out, each once.

        Args:
            request: The request's top-level fields.
            tell: Called for each adjustment.
        """
        for name in self._fields:
            value = read_value(request.get(name))
            if value is not None:
                self.tell_of(name, value, tell)

    def tell_of(self, name: str, value: object, tell: Tell) -> None:
        """Tell those of one top-level field.

        Args:
            name: The field.
            value: Its value, decoded.
            tell: Called for each adjustment.
        """
        kind = next(field.type for field in self._whole.fields if field.encode_name == name)
        for unknown in dict.fromkeys(self._find(value, kind)):
            tell(dropped_within(name, unknown))

    def _find(self, value: object, kind: inspect.Type) -> Iterator[str]:
        if isinstance(value, list):
            item = _find_item(kind)
            if item is not None:
                for each in value:
                    yield from self._find(each, item)
        elif isinstance(value, dict):
            found = _choose(value, _list_kinds(kind))
            if found is not None and found.cls not in self._opaque:
                yield from self._find_in(value, found)

    def _find_in(self, value: dict[str, Any], kind: inspect.StructType) -> Iterator[str]:
        known = {field.encode_name: field.type for field in kind.fields}
        for name, inner in value.items():
            if name in known:
                yield from self._find(inner, known[name])
            elif inner is not None and name != kind.tag_field and name not in self._harmless:
                yield name


def read_value(raw: msgspec.Raw | None) -> object:
    """Read a value; None where there is none, or where it is beyond all numbers, for the carrier to refuse."""
    try:
        return msgspec.json.decode(raw) if raw is not None else None
    except BAD_JSON:
        return None


def _list_kinds(kind: inspect.Type) -> _Kinds:
    """List the structs that an object may be, by their tags."""
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return {None if each.tag is None else str(each.tag): each for each in kinds if isinstance(each, inspect.StructType)}


def _choose(value: dict[str, Any], kinds: _Kinds) -> inspect.StructType | None:
    tag_field = next((kind.tag_field for kind in kinds.values() if kind.tag_field is not None), None)
    tag = value.get(tag_field) if tag_field is not None else None
    return kinds.get(tag if isinstance(tag, str) else None)


def _find_item(kind: inspect.Type) -> inspect.Type | None:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return next((each.item_type for each in kinds if isinstance(each, inspect.VarTupleType)), None)
