"""Single values of answers in JSON: choices, numbers and texts within the bounds that a schema sets.

Each can be asked for as the ``nth`` of several that may not be equal; 0 is the one that fits the words best.
"""

import math
import re
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import overload

from pydantic import JsonValue

from plano_agents.simulator.agent.arguments import find_choices, find_number, pick_text
from plano_agents.simulator.schema import JsonObject

MAX_LENGTH = 100_000
"""How long a text is made to reach a minimum, in characters."""

_EXAMPLES = {
    "date": "2025-01-{:02}",
    "date-time": "2025-01-{:02}T12:00:00Z",
    "time": "12:00:{:02}Z",
    "duration": "P{}D",
    "email": "user{}@example.com",
    "hostname": "host{}.example.com",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{}",
    "uri": "https://example.com/{}",
    "uuid": "00000000-0000-4000-8000-{:012}",
}
"""An example of each format, with a place for a number from 1 to 28."""

_SPELLINGS = {
    "date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}"),
    "uri": re.compile(r"https?://[\w./~%-]*\w"),
    "uuid": re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE),
}
"""How a text spells the formats that are looked for in it."""

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


class UnwritableError(Exception):
    """A schema that the simulated models cannot write a value for.

    Args:
        what: What cannot be written.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"The simulated models cannot write {what}.")


def order_choices(choices: list[JsonValue], kind: str | None, words: str, nth: int) -> JsonValue:
    """The nth of a schema's choices: those that the words name come first.

    Raises:
        UnwritableError: There are fewer of that JSON type.
    """
    fitting = [choice for choice in choices if kind is None or _is_kind(choice, kind)]
    named = find_choices([choice for choice in fitting if isinstance(choice, str)], words)
    ordered = named + [choice for choice in fitting if choice not in named]
    if nth >= len(ordered):
        raise UnwritableError(f"{nth + 1} values where {len(ordered)} are allowed")
    return ordered[nth]


@overload
def read_size(source: JsonObject, keyword: str, default: int, limit: int | None) -> int: ...
@overload
def read_size(source: JsonObject, keyword: str, default: None, limit: int | None) -> int | None: ...
def read_size(source: JsonObject, keyword: str, default: int | None, limit: int | None) -> int | None:
    """A length or count that a schema demands.

    Args:
        source: The schema.
        keyword: Its name, e.g. ``minItems``.
        default: What counts where the schema does not say.
        limit: What no answer exceeds.

    Raises:
        UnwritableError: It exceeds the limit.
    """
    found = source.get(keyword)
    if not isinstance(found, int | float) or isinstance(found, bool) or not math.isfinite(found):
        return default
    if limit is not None and found > limit:
        raise UnwritableError(f"an answer with {keyword} {found!r}; {limit} is the most")
    return int(found)


def write_number(source: JsonObject, words: str, nth: int, *, whole: bool) -> int | float:
    """The number that the words name, else 1, moved to where the bounds and ``multipleOf`` allow it.

    Raises:
        UnwritableError: There is no such number, or not so many.
    """
    lows = [(_read(source, "minimum"), False), (_read(source, "exclusiveMinimum"), True)]
    highs = [(_read(source, "maximum"), False), (_read(source, "exclusiveMaximum"), True)]
    low = max(((bound, is_open) for bound, is_open in lows if bound is not None), default=None)
    high = min(((bound, not is_open) for bound, is_open in highs if bound is not None), default=None)
    step = _read(source, "multipleOf")
    found = find_number(words)
    wanted = Fraction(found) if found else Fraction(1)
    if not whole and step is None and not nth and _fits(wanted, low, high):
        return _spell(wanted)
    if whole and step is not None:
        step = Fraction(step.numerator)  # the integers among the multiples of p/q are those of p
    unit = step or Fraction(1)
    first = None if low is None else math.floor(low[0] / unit) + 1 if low[1] else math.ceil(low[0] / unit)
    last = None if high is None else math.floor(high[0] / unit) if high[1] else math.ceil(high[0] / unit) - 1
    if first is None or last is None or last - first >= nth:
        return _spell(_count_up(wanted / unit, first, last, nth) * unit)
    if not whole and step is None and low is not None and high is not None and low[0] < high[0]:
        return _spell(low[0] + (high[0] - low[0]) / (nth + 2))
    if not whole and step is None and not nth and low is not None and _fits(low[0], low, high):
        return _spell(low[0])
    raise UnwritableError(f"{nth + 1} numbers within the bounds that the schema sets")


def _count_up(start: Fraction, first: int | None, last: int | None, nth: int) -> int:
    """The nth integer of a range, counted from the one that is nearest to the start, around its end."""
    at = round(start)
    at = at if first is None else max(at, first)
    at = at if last is None else min(at, last)
    if last is None:
        return at + nth
    return at - nth if first is None else first + (at - first + nth) % (last - first + 1)


def _fits(number: Fraction, low: tuple[Fraction, bool] | None, high: tuple[Fraction, bool] | None) -> bool:
    above = low is None or number > low[0] or (number == low[0] and not low[1])
    return above and (high is None or number < high[0] or (number == high[0] and high[1]))


def _spell(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)


def write_text(source: JsonObject, name: str, words: str, nth: int) -> str:
    """What the words say for a name, in the format, length and pattern that the schema asks for.

    Raises:
        UnwritableError: Nothing in the words matches the pattern, or no text is so long or so short.
    """
    least = read_size(source, "minLength", 0, MAX_LENGTH)
    most = read_size(source, "maxLength", None, None)
    kind, pattern = source.get("format"), source.get("pattern")
    if isinstance(pattern, str):
        return _match(pattern, [pick_text(name, words), *words.split()], least, most, nth)
    if isinstance(kind, str) and kind in _EXAMPLES:
        found = [spelt for spelt in _find_spelt(kind, words) if not nth]
        return found[0] if found else _EXAMPLES[kind].format(nth + 1)
    number = f" {nth + 1}" if nth else ""
    room = MAX_LENGTH if most is None else most - len(number)
    if room < 0 or room + len(number) < least:
        raise UnwritableError(f"{nth + 1} texts within the lengths that the schema sets")
    return pick_text(name, words)[:room].ljust(least - len(number), ".") + number


def _match(pattern: str, candidates: Sequence[str], least: int, most: int | None, nth: int) -> str:
    try:
        fitting = [
            text
            for text in dict.fromkeys(candidates)
            if re.search(pattern, text) and least <= len(text) and (most is None or len(text) <= most)
        ]
    except re.error:
        fitting = []
    if nth >= len(fitting):
        raise UnwritableError(
            f"a text for the pattern {pattern!r} by themselves; name one in your message, or leave the pattern out"
        )
    return fitting[nth]


def _find_spelt(kind: str, words: str) -> list[str]:
    spelling = _SPELLINGS.get(kind)
    found = spelling.findall(words) if spelling is not None else []
    return [text for text in found if kind != "date" or _is_date(text)]


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_kind(value: JsonValue, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    whole = kind == "integer" and isinstance(value, float) and value.is_integer()
    return whole or isinstance(value, _KINDS.get(kind, ()))


def _read(source: JsonObject, keyword: str) -> Fraction | None:
    found = source.get(keyword)
    if not isinstance(found, int | float) or isinstance(found, bool) or not math.isfinite(found):
        return None
    return Fraction(str(found))
