"""Problems and warnings of a file, one line each: ``FILE:LINE: what, the value, the way out``.

Decides the wording that all checks share: how a place is spelt (``model_providers[0].port``), how much of a
value, of a line and of all lines is shown, when a spelling is near enough to be proposed. What is a problem is left
to the checks.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import islice

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys and indices from the root, e.g. ``("model_providers", 0, "model")``."""

MAX_TOLD = 50
"""How many problems or warnings of one file are told, the first by line; of the others only their number is."""

MAX_LINE_CHARACTERS = 1_000
"""How much of one of them is told."""

MAX_OPTIONS = 200
"""How many spellings are compared with a wrong one."""

SHOWN_CHARACTERS = 60

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_SECRET_FOLLOWS = re.compile(r"(?<=access_key)\W|(?<=api_key)\W|(?<=admin_token)\W|(?<=client_keys)\W|(?<=key_salt)\W")


class Findings:
    """The problems and warnings of one file, in the order of its lines.

    Args:
        source: The file's name, as messages show it.
        lines: The line of each place, from 1; a place without one is told at the nearest that encloses it.
    """

    def __init__(self, source: str, lines: Mapping[KeyPath, int]) -> None:
        self.source = source
        self._lines = lines
        self._problems: dict[str, int] = {}
        self._warnings: dict[str, int] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems that make the file unusable, one line each; `MAX_TOLD` at most, and the number of the others."""
        return self._tell(self._problems, "problems")

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings for the operator, one line each, as for `problems`."""
        return self._tell(self._warnings, "warnings")

    def add_problem(self, path: KeyPath, message: str) -> None:
        """Note what makes the file unusable.

        Args:
            path: The place at fault.
            message: What, the value and the way out, on one line; never a key or a prompt.
        """
        self.add_problem_on(self.find_line(path), message)

    def add_problem_on(self, line: int, message: str) -> None:
        """Note a problem of a line that is not a place's own; the message is as for `add_problem`."""
        self._problems[self._word(line, message)] = line

    def add_warning(self, path: KeyPath, message: str) -> None:
        """Note what the operator should know; the arguments are those of `add_problem`."""
        line = self.find_line(path)
        self._warnings[self._word(line, message)] = line

    def find_line(self, path: KeyPath) -> int:
        """The line of a place, or of the nearest place that encloses it."""
        return self._lines.get(self.find_place(path), 1)

    def find_place(self, path: KeyPath) -> KeyPath:
        """The steps of a path that the file has; a validator's own steps (a union's tag) and absent keys go."""
        place: KeyPath = ()
        for step in path:
            if (*place, step) in self._lines:
                place = (*place, step)
        return place

    def _word(self, line: int, message: str) -> str:
        cut = message if len(message) <= MAX_LINE_CHARACTERS else message[:MAX_LINE_CHARACTERS] + "…"
        return f"{self.source}:{line}: {cut}"

    def _tell(self, found: Mapping[str, int], what: str) -> tuple[str, ...]:
        told = sorted(found, key=found.__getitem__)
        if len(told) <= MAX_TOLD:
            return tuple(told)
        return (*told[:MAX_TOLD], f"{self.source}: … and {len(told) - MAX_TOLD:,} more {what}.")


def format_path(path: KeyPath) -> str:
    """Spell a place as ``model_providers[0].port``; the root is the empty text."""
    return "".join(_format_step(step) for step in path).lstrip(".")


def _format_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{format_value(step)}]"


def format_value(value: str) -> str:
    """Quote a value or a key for a message.

    Only its first word is shown, 60 characters of it, and nothing after ``access_key:``: a forgotten colon or space
    makes YAML take the next line, or a key with its value, for one text.
    """
    first = value.split(maxsplit=1)[0] if value.split() else ""
    shown = _SECRET_FOLLOWS.split(first)[0][:SHOWN_CHARACTERS]
    return repr(shown) if shown == value else f"{shown!r}…"


def propose_nearest(name: str, options: Iterable[str]) -> str:
    """Word a proposal: ``; did you mean 'default'?``, or nothing when no option is near."""
    near = difflib.get_close_matches(name, list(islice(options, MAX_OPTIONS)), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
