"""A request's document on its target's wire, taken apart only as far as a rule looks into it.

Values that no rule changes keep their bytes. What is not in the wire's form is left as it is: the provider's own
answer tells the client.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

import msgspec

from plano_agents.protocol.adjustment import Adjustment

Pieces = dict[str, msgspec.Raw]
"""A JSON object, its values untouched."""

_NULL = b"null"
_PIECES = msgspec.json.Decoder(Pieces)
_LIST = msgspec.json.Decoder(list[Pieces])
_TEXT = msgspec.json.Decoder(str)


def split(raw: msgspec.Raw) -> Pieces:
    """Take an object apart.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    return _PIECES.decode(raw)


def split_list(raw: msgspec.Raw) -> list[Pieces]:
    """Take a list of objects apart.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    return _LIST.decode(raw)


def read_text(raw: msgspec.Raw | None) -> str | None:
    """Read a string; None for anything else."""
    if raw is None or not bytes(raw).startswith(b'"'):
        return None
    return _TEXT.decode(raw)


def pack(value: object) -> msgspec.Raw:
    """Write a value."""
    return msgspec.Raw(msgspec.json.encode(value))


def is_list(raw: msgspec.Raw | None) -> TypeGuard[msgspec.Raw]:
    """Check whether a value is a list."""
    return raw is not None and bytes(memoryview(raw)[:1]) == b"["


class Document:
    """One request while it is fitted.

    Args:
        fields: Its top-level fields; they are not changed.
        is_translated: Whether the router wrote it, from another wire.
        sets_marks: Whether it is to have marks for Anthropic's cache.
    """

    __slots__ = ("adjustments", "fields", "is_translated", "names", "sets_marks")

    def __init__(
        self, fields: Mapping[str, msgspec.Raw], *, is_translated: bool = False, sets_marks: bool = False
    ) -> None:
        self.fields = dict(fields)
        """The top-level fields as they are by now."""
        self.is_translated = is_translated
        """True if the router wrote it, from another wire."""
        self.sets_marks = sets_marks
        """True if it is to have marks for Anthropic's cache."""
        self.adjustments: dict[Adjustment, None] = {}
        """What was changed, in order: a set that keeps it."""
        self.names: dict[str, str] = {}
        """The tools' names as they are sent, to the client's own."""

    def has(self, name: str) -> bool:
        """Check whether a field says something; null says nothing."""
        raw = self.fields.get(name)
        return raw is not None and bytes(raw) != _NULL

    def read(self, name: str) -> Any:  # noqa: ANN401 - JSON of any shape
        """Read a field; None where it says nothing."""
        return msgspec.json.decode(self.fields[name]) if name in self.fields else None

    def write(self, name: str, value: object) -> None:
        """Set a field."""
        self.fields[name] = pack(value)

    def drop(self, name: str) -> None:
        """Leave a field out."""
        self.fields.pop(name, None)

    def tell(self, *adjustments: Adjustment) -> None:
        """Note what was changed, once each."""
        self.adjustments |= dict.fromkeys(adjustments)

    def edit_list(self, name: str, edit: Callable[[list[Pieces]], list[Pieces] | None]) -> None:
        """Change a list of objects, such as ``messages``; where the change gives None it stays byte for byte."""
        raw = self.fields.get(name)
        if raw is None or not is_list(raw):
            return
        changed = edit(split_list(raw))
        if changed is not None:
            self.write(name, changed)

    def contains(self, name: str, marks: Iterable[bytes]) -> bool:
        """Check whether a field holds any of some bytes."""
        raw = self.fields.get(name)
        if raw is None:
            return False
        content = bytes(raw)
        return any(mark in content for mark in marks)
