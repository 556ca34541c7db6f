"""Base classes of a file's sections, and the check of a document against them; each problem is reported with its line.

Pydantic checks keys and types; this module words what it finds, with the nearest valid spelling. Values are shown
only where a single word is expected and the place cannot hold a secret.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails

from plano_agents.config.document import Document
from plano_agents.config.findings import Findings, KeyPath, format_path, format_value, propose_nearest

NOT_ACTED_ON = "Plano acts on it, plano-agents does not yet"

T = TypeVar("T")
NotActedOn = Annotated[T, NOT_ACTED_ON]
"""A key that is accepted for Plano's sake, and told to the operator."""

MAX_LIFETIME_SECONDS = 315_360_000
"""Ten years; a clock cannot be told more than some hundreds."""
DAY_SECONDS = 86_400

Lifetime = Annotated[int, Field(ge=1, le=MAX_LIFETIME_SECONDS)]
Duration = Annotated[float, Field(gt=0, le=DAY_SECONDS, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0, le=DAY_SECONDS, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Listing = Annotated[tuple[T, ...], Field(strict=False)]
"""A list of the file, as a tuple."""
Port = Annotated[int, Field(ge=0, le=65_535)]
Text = Annotated[str, Field(min_length=1)]


class SecretFile(SecretStr):
    """A secret that stands in a file of its own; its value is the file's path."""


def _read_secret(value: object) -> object:
    if not isinstance(value, dict):
        return value
    path = value.get("file")
    if len(value) != 1 or not isinstance(path, str) or not path:
        raise ValueError("a secret is text, $VAR, or 'file:' and the path of the file that it stands in.")
    return SecretFile(path)


Secret = Annotated[SecretStr, BeforeValidator(_read_secret)]
"""A secret of our settings: text, ``$VAR``, or ``{file: PATH}``."""
Loose = NotActedOn[dict[str, object] | None]
LooseList = NotActedOn[list[object] | None]


class Section(BaseModel):
    """A mapping of the file: no unknown keys, no conversions, no values in errors.

    A key that is absent is None; the file itself holds no nulls (``document`` refuses them, as Plano does).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Values:
    """A mapping of the file whose values are used as they are read: the base of frozen dataclasses.

    The rules are `Section`'s.
    """

    __slots__ = ()
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler.resolve_ref_schema(handler(source))
        return {**schema, "strict": False}  # a mapping will do; the values in it are strict all the same


def list_fields(kind: type[Section | Values]) -> Mapping[str, FieldInfo]:
    """The keys of a section, with what is declared of each."""
    if issubclass(kind, Section):
        return kind.model_fields
    declared = fields(kind)  # type: ignore[arg-type]  # those that are not a `Section` are dataclasses
    return {each.name: FieldInfo.from_annotated_attribute(cast("type", each.type), each) for each in declared}


SECRET_KEYS = frozenset({"access_key", "api_key", "headers", "client_keys", "admin_token", "key_salt"})
"""Keys whose values, at any depth, are never shown."""

S = TypeVar("S", bound=Section)

_EXPECTED: Mapping[str, str] = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text; put it into quotes",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
}

_BOUNDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"must be at least {context['ge']:.15g}",
    "greater_than": lambda context: f"must be more than {context['gt']:.15g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:.15g}",
    "literal_error": lambda context: f"must be one of {context['expected']}",
}

_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_NUMBERS_AND_FLAGS = frozenset({"bool_type", "int_type", "float_type", "finite_number"})


@dataclass(frozen=True, slots=True)
class Sibling:
    """The other of the two files that a configuration consists of."""

    name: str
    """Its usual name, as messages show it."""
    kind: type[Section]
    """Its root section."""

    def holds(self, key: str, section: KeyPath) -> bool:
        """Check whether a key of the section at this place is one of its own."""
        known = list_fields(self.kind)
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
    data, findings = document.data, document.findings
    errors = _validate(data, kind)
    for error in errors:
        if not _is_told(error, findings):
            findings.add_problem(error["loc"], _explain(error, kind, sibling, findings))
    unknown = [findings.find_place(error["loc"]) for error in errors if error["type"] in _UNKNOWN_KEY]
    if len(unknown) < len(errors):
        return None
    section = kind.model_validate(_without(data, unknown))
    for path in _find_unused(section, data, ()):
        name = path[-1] if len(path) == 1 else format_path(path)
        findings.add_warning(path, f"{name!r} is Plano's; plano-agents does not act on it yet")
    return section


def _validate(data: Mapping[str, object], kind: type[Section]) -> list[ErrorDetails]:
    """Collect pydantic's errors."""
    try:
        kind.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _is_told(error: ErrorDetails, findings: Findings) -> bool:
    """Check whether reading the YAML has reported it already: the key is there, its value could not be read."""
    if error["type"] == "missing":
        return findings.find_place(error["loc"])[-1:] == error["loc"][-1:]
    return error["input"] is None


def _explain(error: ErrorDetails, kind: type[Section], sibling: Sibling, findings: Findings) -> str:
    """Word one of pydantic's errors."""
    loc, context = error["loc"], error.get("ctx", {})
    path = findings.find_place(loc)
    if error["type"] in _UNKNOWN_KEY:
        return _explain_unknown(str(loc[-1]), path, sorted(_find_keys(kind, loc[:-1])), sibling)
    if error["type"] == "missing":
        where = f"in {format_path(path)}" if path else "at the top level"
        return f"the key {loc[-1]!r} is missing {where}. Add it."
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return _explain_tag(context, path)
    if error["type"] in {"string_too_short", "too_short"}:
        return f"{format_path(path)} is empty. Give it a value."
    got = _show(error["input"], path)
    if error["type"] in _BOUNDS:
        nearest = propose_nearest(str(error["input"]), _words(context)) if got else ""
        return f"{format_path(path)} {_BOUNDS[error['type']](context)}{got}{nearest}"
    expected = _EXPECTED.get(error["type"])
    shown = got if error["type"] in _NUMBERS_AND_FLAGS else ""
    return (
        f"{format_path(path)} must be {expected}{shown}"
        if expected
        else f"{format_path(path)}: {context.get('error', error['msg'])}"
    )


def _explain_unknown(key: str, path: KeyPath, keys: Iterable[str], sibling: Sibling) -> str:
    """Word a key that is none of the section's."""
    where = f"in {format_path(path[:-1])}" if path[:-1] else "at the top level"
    if sibling.holds(key, path[:-1]):
        return f"the key {format_value(key)} {where} belongs in {sibling.name}. Move it there."
    proposal = propose_nearest(key, keys) or f"; valid keys: {', '.join(keys)}"
    return f"unknown key {format_value(key)} {where}{proposal}"


def _explain_tag(context: Mapping[str, Any], path: KeyPath) -> str:
    """Word a missing or wrong ``type`` of an entry that has several."""
    key = str(context["discriminator"]).strip("'")
    if "tag" not in context:
        return f"the key {key!r} is missing in {format_path(path)}. Add it."
    tags, tag = str(context["expected_tags"]), str(context["tag"])
    nearest = propose_nearest(tag, tags.split("'")[1::2])
    return f"{format_path((*path, key))} must be one of {tags}, not {format_value(tag)}{nearest}"


def _words(context: Mapping[str, Any]) -> list[str]:
    """The words of a closed set, from pydantic's ``'a', 'b' or 'c'``."""
    return str(context.get("expected", "")).split("'")[1::2]


def _show(value: object, path: KeyPath) -> str:
    """Word what stands there instead, where it is one word and no secret."""
    if SECRET_KEYS.intersection(path) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    return f", not {format_value(value)}" if isinstance(value, str) else f", not {value!r}"


def _without(data: Mapping[str, object], unknown: Iterable[KeyPath]) -> dict[str, object]:
    """A copy of the data that lacks some keys."""
    dropped = frozenset(unknown)

    def copy(value: object, path: KeyPath) -> object:
        if isinstance(value, dict):
            return {key: copy(item, (*path, key)) for key, item in value.items() if (*path, key) not in dropped}
        if isinstance(value, list):
            return [copy(item, (*path, index)) for index, item in enumerate(value)]
        return value

    return {key: copy(item, (key,)) for key, item in data.items() if (key,) not in dropped}


def _find_keys(kind: type[Section], loc: KeyPath) -> set[str]:
    """The keys that are valid at a place, by the sections' own annotations."""
    kinds: list[type[Section | Values]] = [kind]
    for step in loc:
        tagged = [each for each in kinds if _has_tag(each, step)]
        if tagged:
            kinds = tagged
            continue
        found = [list_fields(each).get(str(step)) for each in kinds]
        if any(found):
            kinds = [each for field in found if field is not None for each in _find_sections(field.annotation)]
    return {key for each in kinds for key in list_fields(each)}


def _has_tag(kind: type[Section | Values], step: str | int) -> bool:
    """Check whether a step of pydantic's is the tag that chose this section of a union, not a key."""
    field = list_fields(kind).get("type")
    return field is not None and step in get_args(field.annotation)


def _find_sections(annotation: object) -> Iterator[type[Section | Values]]:
    """The sections that an annotation mentions, such as that of ``list[Alias] | None``."""
    if inspect.isclass(annotation) and issubclass(annotation, Section | Values):
        yield annotation
    for argument in get_args(annotation):
        yield from _find_sections(argument)


def _find_unused(value: object, given: object, path: KeyPath) -> Iterator[KeyPath]:
    """The places of a section that the file names, and nothing acts on."""
    if isinstance(value, Section | Values) and isinstance(given, dict):
        for name, field in list_fields(type(value)).items():
            if name not in given:
                continue
            if NOT_ACTED_ON in field.metadata:
                yield (*path, name)
            else:
                yield from _find_unused(getattr(value, name), given[name], (*path, name))
    elif isinstance(value, list) and isinstance(given, list):
        for index, (item, each) in enumerate(zip(value, given, strict=True)):
            yield from _find_unused(item, each, (*path, index))
