"""A document as sections: its keys and values checked by their annotations, each problem told with its line.

Values are shown only where a single word is expected and the place cannot hold a secret.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin

from msgspec import Meta

from plano_agents.config.document import Document
from plano_agents.config.findings import Findings, KeyPath, format_path, format_value, propose_nearest
from plano_agents.config.sections import (
    MAY_BE_FILE,
    NOT_ACTED_ON,
    SecretFile,
    Section,
    find_sections,
    list_declared,
    split_notes,
)
from plano_agents.secret_str import SecretStr

SECRET_KEYS = frozenset({"access_key", "api_key", "headers", "client_keys", "admin_token", "key_salt"})
"""Keys whose values, at any depth, are never shown."""

TAG = "type"
"""The key that tells the sections of a union apart."""

S = TypeVar("S", bound=Section)

_WORDS: Mapping[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text; put it into quotes",
    SecretStr: "text; put it into quotes",
    list: "a list",
    tuple: "a list",
    dict: "a mapping",
}
_NUMBERS_AND_FLAGS = frozenset({bool, int, float})

_BOUNDS: Sequence[tuple[str, Callable[[Any, Any], bool], str]] = (
    ("ge", lambda value, bound: value >= bound, "at least"),
    ("gt", lambda value, bound: value > bound, "more than"),
    ("le", lambda value, bound: value <= bound, "at most"),
    ("lt", lambda value, bound: value < bound, "less than"),
)
"""`msgspec.Meta`'s bounds of numbers: the name, what holds within, and the words for it."""


_WRONG: Final = object()
"""Stands for a value that is not what its place takes; why has been told."""


@dataclass(frozen=True, slots=True)
class Sibling:
    """The other of the two files that a configuration consists of."""

    name: str
    """Its usual name, as messages show it."""
    kind: type[Section]
    """Its root section."""

    def holds(self, key: str, section: KeyPath) -> bool:
        """Check whether a key of the section at this place is one of its own."""
        known = list_declared(self.kind)
        return (not section or section[0] in known) and key in _find_keys(self.kind, section)


def check_document(document: Document, kind: type[S], sibling: Sibling) -> S | None:
    """Read a document as sections; problems and keys that nothing acts on go to the document's findings.

    Args:
        document: What the file holds.
        kind: The root section.
        sibling: The file that a key which is unknown here may belong in.

    Returns:
        The root section, less its unknown keys, so that what they stand beside can be checked further; None when
        keys are missing or values are wrong.
    """
    section = _Reader(document.findings, sibling).read(kind, document.data, ())
    if section is _WRONG:
        return None
    for path in _find_unused(section, document.data, ()):
        name = path[-1] if len(path) == 1 else format_path(path)
        document.findings.add_warning(path, f"{name!r} is Plano's; plano-agents does not act on it yet")
    return cast("S", section)


class _Reader:
    """Reads values by annotations; every problem is told, and `_WRONG` given in the value's place."""

    def __init__(self, findings: Findings, sibling: Sibling) -> None:
        self._findings = findings
        self._sibling = sibling

    def read(self, annotation: object, value: object, path: KeyPath) -> object:
        """Read the value at a place."""
        return self._read_noted(*split_notes(annotation), value, path)

    def _read_noted(self, kind: object, notes: tuple[object, ...], value: object, path: KeyPath) -> object:
        """Read a value, and hold it to the notes of its annotation."""
        if MAY_BE_FILE in notes and isinstance(value, dict):
            read = self._read_secret_file(value, path)
        else:
            read = self._read_plain(kind, value, path)
        for note in notes:
            if read is _WRONG:
                break
            if isinstance(note, Meta):
                read = self._hold_to(note, read, value, path)
            elif callable(note):
                read = self._check(note, read, path)
        return read

    def _read_plain(self, kind: object, value: object, path: KeyPath) -> object:
        origin, arguments = get_origin(kind), get_args(kind)
        if value is None:  # could not be read as YAML, which was told
            read: object = _WRONG
        elif origin in {Union, UnionType}:
            read = self._read_union([each for each in arguments if each is not NoneType], value, path)
        elif origin is Literal:
            read = value if value in arguments else self._refuse_word(arguments, " or ", value, path)
        elif origin in {list, tuple}:
            read = self._read_list(cast("type", origin), arguments[0], value, path)
        elif origin is dict:
            read = self._read_mapping(arguments[1], value, path)
        elif isinstance(kind, type) and issubclass(kind, Section):
            read = self._read_section(kind, value, path)
        else:
            read = value if kind is object else self._read_scalar(kind, value, path)
        return read

    def _read_section(self, kind: type[Section], value: object, path: KeyPath) -> object:
        if not isinstance(value, dict):
            return self._refuse(dict, value, path)
        keys = list_declared(kind)
        read: dict[str, object] = {}
        for name, key in keys.items():
            if name in value:
                read[name] = self._read_noted(key.annotation, key.notes, value[name], (*path, name))
            elif key.is_required:
                read[name] = self._miss(name, path)
        for name in [each for each in value if each not in keys]:
            self._findings.add_problem((*path, name), self._explain_unknown(name, path, keys))
        return _WRONG if _has_wrong(read.values()) else kind(**read)

    def _read_mapping(self, annotation: object, value: object, path: KeyPath) -> object:
        if not isinstance(value, dict):
            return self._refuse(dict, value, path)
        read = {name: self.read(annotation, each, (*path, name)) for name, each in value.items()}
        return _WRONG if _has_wrong(read.values()) else read

    def _read_list(self, kind: type, annotation: object, value: object, path: KeyPath) -> object:
        if not isinstance(value, list):
            return self._refuse(kind, value, path)
        read = [self.read(annotation, each, (*path, index)) for index, each in enumerate(value)]
        return _WRONG if _has_wrong(read) else kind(read)

    def _read_union(self, members: Sequence[object], value: object, path: KeyPath) -> object:
        """Read what one of several annotations takes; of several sections, that which has the value's `TAG`."""
        if len(members) == 1:
            return self.read(members[0], value, path)
        sections = {tag: each for each in members for tag in _list_tags(each)}
        if not sections:
            is_mapping = isinstance(value, dict)
            chosen = next(each for each in members if _takes_mapping(each) is is_mapping)
            return self.read(chosen, value, path)
        if not isinstance(value, dict):
            return self._refuse(dict, value, path)
        if TAG not in value:
            return self._miss(TAG, path)
        tag = value[TAG]
        if isinstance(tag, str) and tag in sections:
            return self.read(sections[tag], value, path)
        return self._refuse_word(list(sections), ", ", tag, (*path, TAG))

    def _read_secret_file(self, value: Mapping[str, object], path: KeyPath) -> object:
        file = value.get("file")
        if len(value) == 1 and isinstance(file, str) and file:
            return SecretFile(file)
        return self._tell(path, ": a secret is text, $VAR, or 'file:' and the path of the file that it stands in.")

    def _read_scalar(self, kind: object, value: object, path: KeyPath) -> object:
        if kind is SecretStr and isinstance(value, str):
            return SecretStr(value)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            return self._refuse(kind, value, path)
        if isinstance(value, float) and not math.isfinite(value):
            return self._tell(path, f" must be a finite number{_show(value, path)}")
        return value

    def _hold_to(self, meta: Meta, read: Any, value: object, path: KeyPath) -> object:  # noqa: ANN401 - compared, or counted
        """Hold what was read of a value to its bounds."""
        for name, is_within, words in _BOUNDS:
            bound = getattr(meta, name)
            if bound is not None and not is_within(read, bound):
                return self._tell(path, f" must be {words} {bound:.15g}{_show(value, path)}")
        if meta.min_length is not None and len(read) < meta.min_length:
            return self._tell(path, " is empty. Give it a value.")
        if meta.max_length is not None and len(read) > meta.max_length:
            what = "characters" if isinstance(read, str) else "entries"
            return self._tell(path, f" must have at most {meta.max_length:,} {what}, not {len(read):,}")
        return read

    def _check(self, check: Callable[[Any], object], value: object, path: KeyPath) -> object:
        try:
            return check(value)
        except ValueError as error:
            return self._tell(path, f": {error}")

    def _refuse(self, kind: object, value: object, path: KeyPath) -> object:
        """Tell what a place takes."""
        return self._tell(path, f" must be {_WORDS[kind]}{_show(value, path) if kind in _NUMBERS_AND_FLAGS else ''}")

    def _refuse_word(self, words: Sequence[str], last: str, value: object, path: KeyPath) -> object:
        """Tell the words that a place takes, the last of them after ``last``."""
        *others, end = map(repr, words)
        listed = f"{', '.join(others)}{last}{end}" if others else end
        got = _show(value, path)
        nearest = propose_nearest(str(value), words) if got else ""
        return self._tell(path, f" must be one of {listed}{got}{nearest}")

    def _miss(self, name: str, path: KeyPath) -> object:
        """Tell of a key that is missing, unless its value could not be read as YAML, which was told."""
        if self._findings.find_place((*path, name)) == path:
            where = f"in {format_path(path)}" if path else "at the top level"
            self._findings.add_problem(path, f"the key {name!r} is missing {where}. Add it.")
        return _WRONG

    def _tell(self, path: KeyPath, message: str) -> object:
        """Tell a problem of a place, whose name the message follows."""
        self._findings.add_problem(path, f"{format_path(path)}{message}")
        return _WRONG

    def _explain_unknown(self, name: str, path: KeyPath, keys: Iterable[str]) -> str:
        """Word a key that is none of the section's."""
        where = f"in {format_path(path)}" if path else "at the top level"
        if self._sibling.holds(name, path):
            return f"the key {format_value(name)} {where} belongs in {self._sibling.name}. Move it there."
        valid = sorted(keys)
        proposal = propose_nearest(name, valid) or f"; valid keys: {', '.join(valid)}"
        return f"unknown key {format_value(name)} {where}{proposal}"


def _has_wrong(read: Iterable[object]) -> bool:
    return any(each is _WRONG for each in read)


def _list_tags(annotation: object) -> tuple[str, ...]:
    """The values of `TAG` that choose a section of a union."""
    if not (isinstance(annotation, type) and issubclass(annotation, Section)):
        return ()
    tag = list_declared(annotation).get(TAG)
    return get_args(tag.annotation) if tag is not None else ()


def _takes_mapping(annotation: object) -> bool:
    kind, _ = split_notes(annotation)
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, Section))


def _show(value: object, path: KeyPath) -> str:
    """Word what stands there instead, where it is one word and no secret."""
    if SECRET_KEYS.intersection(path) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    return f", not {format_value(value)}" if isinstance(value, str) else f", not {value!r}"


def _find_keys(kind: type[Section], path: KeyPath) -> set[str]:
    """The keys that are valid at a place, by the sections' own annotations."""
    kinds = [kind]
    for step in path:
        keys = [found for each in kinds if (found := list_declared(each).get(str(step))) is not None]
        if keys:
            kinds = [each for key in keys for each in find_sections(key.annotation)]
    return {name for each in kinds for name in list_declared(each)}


def _find_unused(value: object, given: object, path: KeyPath) -> Iterator[KeyPath]:
    """The places of a section that the file names, and nothing acts on."""
    if isinstance(value, Section) and isinstance(given, dict):
        for name, key in list_declared(type(value)).items():
            if name not in given:
                continue
            if NOT_ACTED_ON in key.notes:
                yield (*path, name)
            else:
                yield from _find_unused(getattr(value, name), given[name], (*path, name))
    elif isinstance(value, list) and isinstance(given, list):
        for index, (item, each) in enumerate(zip(value, given, strict=True)):
            yield from _find_unused(item, each, (*path, index))
