"""Sections of a file: the base class, and what a key may be said to take.

A section is a frozen dataclass whose annotations are the schema. They are made of ``bool``, ``int``, ``float``,
``str``, `SecretStr`, ``Literal``, ``list``, ``tuple``, ``dict``, other sections, and unions: of sections, which the
key ``type`` tells apart, or of a mapping and another form. ``Annotated`` adds bounds (`msgspec.Meta`), functions that
check a value or turn it into the one that is used, and the marks of this module. Reading a document by them is left
to ``reading``.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, TypeVar, get_args, get_origin

from msgspec import Meta

from plano_agents.secret_str import SecretStr

NOT_ACTED_ON = "Plano acts on it, plano-agents does not yet"
MAY_BE_FILE = "{file: PATH} will do"

T = TypeVar("T")
NotActedOn = Annotated[T, NOT_ACTED_ON]
"""A key that is accepted for Plano's sake, and told to the operator."""

MAX_LIFETIME_SECONDS = 315_360_000
"""Ten years; a clock cannot be told more than some hundreds."""
DAY_SECONDS = 86_400

Lifetime = Annotated[int, Meta(ge=1, le=MAX_LIFETIME_SECONDS)]
Duration = Annotated[float, Meta(gt=0, le=DAY_SECONDS)]
Wait = Annotated[float, Meta(ge=0, le=DAY_SECONDS)]
Count = Annotated[int, Meta(ge=1)]
Listing = tuple[T, ...]
"""A list of the file, as a tuple."""
Port = Annotated[int, Meta(ge=0, le=65_535)]
Text = Annotated[str, Meta(min_length=1)]


class SecretFile(SecretStr):
    """A secret that stands in a file of its own; its value is the file's path."""

    __slots__ = ()


Secret = Annotated[SecretStr, MAY_BE_FILE]
"""A secret of our settings: text, ``$VAR``, or ``{file: PATH}``."""
Loose = NotActedOn[dict[str, object] | None]
LooseList = NotActedOn[list[object] | None]


class Section:
    """A mapping of the file, as a frozen dataclass: no unknown keys, no conversions.

    A key that is absent has its default; the file itself holds no nulls (``document`` refuses them, as Plano does).
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """A key of a section, as it is declared."""

    annotation: object
    """What it takes, less the notes."""
    notes: tuple[object, ...]
    """Bounds, checks and marks."""
    default: object
    """What holds where it is absent; `MISSING` where it is required."""

    @property
    def is_required(self) -> bool:
        """True if it must not be absent."""
        return self.default is MISSING


def list_declared(kind: type[Section]) -> Mapping[str, DeclaredKey]:
    """The keys of a section, with what is declared of each."""
    found = {}
    for each in fields(kind):  # type: ignore[arg-type]  # every section is a dataclass
        annotation, notes = split_notes(each.type)
        default = each.default if each.default_factory is MISSING else each.default_factory()
        found[each.name] = DeclaredKey(annotation, notes, default)
    return found


def split_notes(annotation: object) -> tuple[object, tuple[object, ...]]:
    """Split an annotation into the type and its notes."""
    if get_origin(annotation) is not Annotated:
        return annotation, ()
    kind, *notes = get_args(annotation)
    return kind, tuple(notes)


def find_sections(annotation: object) -> Iterator[type[Section]]:
    """The sections that an annotation mentions, such as that of ``list[Alias] | None``."""
    if inspect.isclass(annotation) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from find_sections(argument)
