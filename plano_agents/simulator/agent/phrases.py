"""Values found in a text: a number, an address, a quoted phrase, a name, a file, or one of some choices."""

import re
from collections.abc import Sequence

from pydantic import JsonValue

from plano_agents.simulator.agent.envelopes import strip_quotations

MAX_TEXT = 200
"""How much of a text is used as a value, in characters."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ADDRESS = re.compile(r"https?://\S+|\S+@\S+\.\w+")
_QUOTED = re.compile(r"[\"“`']([^\"”`']{1,200})[\"”`'](?!\w)")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z]\w*(?: [A-Z]\w*)*")
_WHOLE_TEXT = re.compile(r"query|question|text|prompt|input|message|request|task|content")

_FILE = re.compile(r"(?:^|_)(?:path|file|filename|dir|directory|folder|cwd|notebook)(?:$|_)|[Pp]ath$|[Ff]ile$")
_URL = re.compile(r"(?:^|_)(?:url|uri|href)(?:$|_)|Ur[li]$")
_COMMAND = re.compile(r"(?:^|_)(?:cmd|command|script|code)(?:$|_)")
_PATH = re.compile(r"(?:[~.]{0,2}/)?[\w.@-]+(?:/[\w.@-]+)+/?|[~.]{0,2}/[\w.@-]+|\b[\w-]+\.[a-z]\w{0,5}\b")


def find_choices(choices: Sequence[JsonValue], text: str) -> list[JsonValue]:
    """Those of some values that a text names, in the text's order."""
    folded = _fold(text)
    places = {at: folded.find(f" {_fold(str(choice)).strip()}") for at, choice in enumerate(choices)}
    return [choices[at] for at in sorted(places, key=places.__getitem__) if places[at] >= 0]


def find_number(text: str) -> str | None:
    """The first number in a text."""
    found = _NUMBER.search(text)
    return found.group() if found else None


def skip_number(text: str) -> str:
    """A text from after its first number on, if there is another one."""
    found = _NUMBER.search(text)
    return text[found.end() :] if found and _NUMBER.search(text, found.end()) else text


def find_phrase(text: str) -> str | None:
    """Find what in a text looks like a value: an address, a quotation, a name."""
    if found := _ADDRESS.search(text):
        return found.group().rstrip(".,;:!?)")
    if found := _QUOTED.search(text):
        return found.group(1)
    found = _NAME.search(text)
    return found.group() if found else None


def pick_text(name: str, text: str) -> str:
    """Find the value of a name in a text; else the text itself."""
    found = None if _WHOLE_TEXT.search(name.lower()) else find_phrase(text)
    return (found or text.strip())[:MAX_TEXT]


def is_target(name: str) -> bool:
    """Check whether the value of that name is a file, an address or a command."""
    return any(kind.search(name) for kind in (_FILE, _URL, _COMMAND))


def find_target(name: str, text: str, *, quoted: bool) -> str | None:
    """The file, address or command that a text names; what it quotes counts where that is asked for."""
    if _COMMAND.search(name):
        found = _QUOTED.search(text) if quoted else None
        return found.group(1) if found else None
    found = (_ADDRESS if _URL.search(name) else _PATH).search(text if quoted else strip_quotations(text))
    return found.group().rstrip(".,;:!?)") if found else None


def _fold(text: str) -> str:
    return " " + " ".join(re.findall(r"[^\W_]+", text.casefold())) + " "
