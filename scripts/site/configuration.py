"""Writes the tables of ``docs/configuration.md`` from the schemas: keys, types, defaults, descriptions.

Run by ``scripts/docs``; a test fails while the page is not what this writes.
"""

import ast
import inspect
import json
import re
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from plano_agents.config.schema import PlanoFile
from plano_agents.config.sections import MAY_BE_FILE, NOT_ACTED_ON, DeclaredKey, Section, list_declared
from plano_agents.config.settings import Settings
from plano_agents.secret_str import SecretStr

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true`, `false`",
    SecretStr: "secret, `$VAR`",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a file."""

    path: str
    """``routing.session_ttl_seconds``; ``[]`` stands for any entry, ``<name>`` for any name."""
    type: str
    """What it takes, in words."""
    default: str
    """What holds where it is absent."""
    meaning: str
    """What the code says of it."""
    is_acted_on: bool
    """True if anything acts on it."""


def write_page() -> None:
    """Bring the page up to date."""
    PAGE.write_text(render_page(PAGE.read_text()))


def render_page(text: str) -> str:
    """Put the tables between their marks.

    Args:
        text: The page as it is.

    Returns:
        The page as it is to be.
    """
    for name, kind in (("config.yaml", PlanoFile), ("plano-agents.yaml", Settings)):
        start, end = f"<!-- keys: {name} -->", f"<!-- /keys: {name} -->"
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        text = f"{before}{start}\n{render_keys(kind)}\n{end}{after}"
    return text


def render_keys(kind: type[Section]) -> str:
    """Write a file's table, and below it the keys that nothing acts on."""
    keys = list(list_keys(kind))
    rows = ["| key | takes | default | |", "|---|---|---|---|"]
    rows += [f"| `{key.path}` | {key.type} | {key.default} | {key.meaning} |" for key in keys if key.is_acted_on]
    others = ", ".join(f"`{key.path}`" for key in keys if not key.is_acted_on)
    told = f"\n\nAccepted for Plano's sake, and named in a warning at start: {others}." if others else ""
    return "\n".join(rows) + told


def list_keys(kind: type[Section], prefix: str = "") -> Iterator[Key]:
    """List a section's keys that hold values, those of sections within it included."""
    homes: dict[str, str] = {}
    texts = read_docstrings(kind)
    for name, field in list_declared(kind).items():
        path = f"{prefix}{name}"
        told = _tidy(texts.get(name, ""))
        inner = _find_sections(field.annotation)
        shape = repr(field.annotation)
        if NOT_ACTED_ON in field.notes:
            yield Key(path, "", "", told, is_acted_on=False)
        elif not inner:
            yield Key(path, _name_type(field), _name_default(field), told, is_acted_on=True)
        elif shape in homes:
            yield Key(path, f"as `{homes[shape]}`", "", told, is_acted_on=True)
        elif field.annotation is not None:
            homes[shape] = path
            for way, sections in inner.items():
                yield from _merge(sections, f"{path}{way}")


def _merge(sections: list[type[Section]], path: str) -> Iterable[Key]:
    """The keys of the sections that may stand at a place, each once, with all that it takes."""
    keys: dict[str, Key] = {}
    for section in sections:
        for key in list_keys(section, f"{path}."):
            known = keys.get(key.path, key)
            takes = ", ".join(dict.fromkeys((known.type, key.type)))
            meaning = "; ".join(dict.fromkeys((known.meaning, key.meaning)))
            keys[key.path] = replace(known, type=takes, meaning=meaning)
    return keys.values()


def _find_sections(annotation: object) -> dict[str, list[type[Section]]]:
    """The sections that an annotation holds, by what follows the key on the way to theirs: ``[]``, ``.<name>``."""
    found: dict[str, list[type[Section]]] = {}

    def visit(part: object, at: str) -> None:
        if inspect.isclass(part) and issubclass(part, Section):
            found.setdefault(at, []).append(part)
        elif get_origin(part) in {list, tuple}:
            visit(get_args(part)[0], f"{at}[]")
        elif get_origin(part) is dict:
            visit(get_args(part)[1], f"{at}.<name>")
        elif get_origin(part) is Annotated:
            visit(get_args(part)[0], at)
        else:
            for each in get_args(part):
                visit(each, at)

    visit(annotation, "")
    return found


def read_docstrings(kind: type) -> dict[str, str]:
    """The text on the line under each field of a class, and of the sections that it extends."""
    body = next(each.body for each in ast.parse(inspect.getsource(kind)).body if isinstance(each, ast.ClassDef))
    extended = [read_docstrings(each) for each in kind.__bases__ if issubclass(each, Section)]
    return {name: text for texts in extended for name, text in texts.items()} | {
        field.target.id: text.value.value
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _name_type(field: DeclaredKey) -> str:
    return _name(field.annotation) + _name_bounds(field)


def _name(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _name(arguments[0]) + (", `{file: PATH}`" if MAY_BE_FILE in get_args(annotation) else "")
    if origin in {Union, types.UnionType}:
        return ", ".join(dict.fromkeys(_name(each) for each in arguments if each is not types.NoneType))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin in {list, tuple}:
        return f"list of {_name(arguments[0])}"
    if origin is dict:
        return f"{_name(arguments[1])} by name"
    return _WORDS.get(annotation, "anything") if isinstance(annotation, type) else "anything"


def _name_bounds(field: DeclaredKey) -> str:
    told = []
    for each in (*field.notes, *_find_bounds(field.annotation)):
        for name, words in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            value = getattr(each, name, None)
            if value is not None and (name, value) != ("ge", 0):
                told.append(f"{words} {value:,}")
    return f" {', '.join(told)}" if told else ""


def _find_bounds(annotation: object) -> Iterator[object]:
    for each in get_args(annotation):
        if get_origin(each) is Annotated:
            yield from get_args(each)[1:]


def _name_default(field: DeclaredKey) -> str:
    if field.is_required:
        return "required"
    default = field.default
    if default in (None, [], (), {}, ""):
        return ""
    return f"`{f'{default:g}' if isinstance(default, float) else json.dumps(default).strip(chr(34))}`"


def _tidy(text: str) -> str:
    """One line, literals as Markdown has them, and no full stop."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split())).rstrip(".").replace("|", "\\|")


if __name__ == "__main__":
    write_page()
