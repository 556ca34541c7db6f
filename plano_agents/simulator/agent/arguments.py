"""Arguments that the simulated agent calls a tool with.

For each value, the first that there is: a choice that the user's text names, the default, the first choice, and
otherwise what in the text looks like the value: a number, an address, a quoted phrase, a name, or the text itself.
Optional parameters are filled only where the text names one of their choices; several numbers, one after the other.
Files, addresses and commands are taken from what the text itself says, never from what it quotes, unless that is asked
for.
"""

import re
from collections.abc import Sequence

from pydantic import JsonValue

from plano_agents.simulator.agent.envelopes import strip_quotations
from plano_agents.simulator.schema import Schema

MAX_TEXT = 200
"""How much of the user's text is used as a value, in characters."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ADDRESS = re.compile(r"https?://\S+|\S+@\S+\.\w+")
_QUOTED = re.compile(r"[\"“`']([^\"”`']{1,200})[\"”`'](?!\w)")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z]\w*(?: [A-Z]\w*)*")
_NUMBERS = frozenset({"integer", "number"})
_WHOLE_TEXT = re.compile(r"query|question|text|prompt|input|message|request|task|content")


_FILE = re.compile(
    r"(?:^|_)(?:path|file|filename|dir|directory|folder|cwd|notebook)(?:$|_)|[Pp]ath$|[Ff]ile$"
)
_URL = re.compile(r"(?:^|_)(?:url|uri|href)(?:$|_)|Ur[li]$")
_COMMAND = re.compile(r"(?:^|_)(?:cmd|command|script|code)(?:$|_)")
_PATH = re.compile(r"(?:[~.]{0,2}/)?[\w.@-]+(?:/[\w.@-]+)+/?|[~.]{0,2}/[\w.@-]+|\b[\w-]+\.[a-z]\w{0,5}\b")


def fill_arguments(schema: Schema, text: str, *, quoted: bool = False) -> dict[str, JsonValue]:
    """Fill an object's members.

    Args:
        schema: The tool's parameters.
        text: The user's words.
        quoted: Whether files and commands may be what the words quote.
    """
    filled: dict[str, JsonValue] = {}
    unused = text  # from the first number on that no member has had
    for member in schema.properties:
        if not member.required and not find_named(member.schema, text):
            continue
        takes = member.schema.type in _NUMBERS and member.schema.default is None and not member.schema.choices
        filled[member.name] = _fill(member.schema, member.name, unused if takes else text, quoted=quoted)
        if takes and (found := _NUMBER.search(unused)) and _NUMBER.search(unused, found.end()):
            unused = unused[found.end() :]
    return filled


def find_named(schema: Schema, text: str) -> list[JsonValue]:
    """Those of a schema's choices that a text names, in the text's order."""
    return find_choices(schema.choices, text)


def find_choices(choices: Sequence[JsonValue], text: str) -> list[JsonValue]:
    """Those of some values that a text names, in the text's order."""
    folded = _fold(text)
    places = {at: folded.find(f" {_fold(str(choice)).strip()}") for at, choice in enumerate(choices)}
    return [choices[at] for at in sorted(places, key=places.__getitem__) if places[at] >= 0]


def find_number(text: str) -> str | None:
    """The first number in a text."""
    found = _NUMBER.search(text)
    return found.group() if found else None


def pick_text(name: str, text: str) -> str:
    """Find the value of a name in a text: an address, a quotation, a name; else the text itself."""
    found = None if _WHOLE_TEXT.search(name.lower()) else _find_text(text)
    return (found or text.strip())[:MAX_TEXT]


def lacks_target(schema: Schema, text: str, *, quoted: bool) -> bool:
    """Whether a tool needs a file, an address or a command that a text does not name (or quote, where asked for)."""
    return any(
        _find_target(member.name, text, quoted=quoted) is None
        for member in schema.properties
        if member.required and _takes_target(member.schema, member.name)
    )


def can_fill(schema: Schema, text: str) -> bool:
    """Whether a text names what a tool needs: a choice, or something that looks like the value."""
    return any(
        find_named(member.schema, text)
        or (member.schema.type == "string" and not member.schema.choices and _find_text(text) is not None)
        or (member.schema.type in _NUMBERS and find_number(text) is not None)
        for member in schema.properties
        if member.required
    )


def _takes_target(schema: Schema, name: str) -> bool:
    return (
        schema.type == "string"
        and not schema.choices
        and schema.default is None
        and any(kind.search(name) for kind in (_FILE, _URL, _COMMAND))
    )


def _fill(schema: Schema, name: str, text: str, *, quoted: bool) -> JsonValue:
    default = [] if schema.default is None else [schema.default]
    if given := [*find_named(schema, text), *default, *schema.choices]:
        return given[0]
    if schema.type in _NUMBERS:
        found = find_number(text)
        number = float(found) if found else max(schema.minimum or 1, 1)
        return int(number) if schema.type == "integer" else number
    if schema.type == "object":
        return fill_arguments(schema, text, quoted=quoted)
    if schema.type == "array":
        items = schema.items or Schema()
        return [*find_named(items, text)] or [_fill(items, name, text, quoted=quoted)]
    if _takes_target(schema, name):
        return _find_target(name, text, quoted=quoted) or strip_quotations(text).strip()[:MAX_TEXT]
    return {"boolean": True, "null": None}.get(schema.type, pick_text(name, text))


def _find_target(name: str, text: str, *, quoted: bool) -> str | None:
    if _COMMAND.search(name):
        found = _QUOTED.search(text) if quoted else None
        return found.group(1) if found else None
    found = (_ADDRESS if _URL.search(name) else _PATH).search(text if quoted else strip_quotations(text))
    return found.group().rstrip(".,;:!?)") if found else None


def _find_text(text: str) -> str | None:
    if found := _ADDRESS.search(text):
        return found.group().rstrip(".,;:!?)")
    if found := _QUOTED.search(text):
        return found.group(1)
    found = _NAME.search(text)
    return found.group() if found else None


def _fold(text: str) -> str:
    return " " + " ".join(re.findall(r"[^\W_]+", text.casefold())) + " "
