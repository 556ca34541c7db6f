"""The number of JSON values in a text, bounded without decoding it.

What handles a request takes its time by the values that it decodes, hardly by their bytes: 32 MiB of one text take
milliseconds, and 32 MiB of empty messages take seconds in which nobody else is served. So a body may hold `MAX_VALUES`.
Every value but the first of its array or object follows a comma, and commas, brackets and braces are counted without
decoding, a few milliseconds for 32 MiB; where there are too many, they are counted again outside of strings.
"""

MAX_VALUES = 100_000
"""The most JSON values of a request: several times those of the longest conversations of agents."""

SURE_BYTES = 2 * MAX_VALUES
"""How many bytes hold no more values than that, whatever they are."""

_QUOTES = 4
"""How many a value has at most: its own and its name's."""


def has_more_values(text: bytes, most: int) -> bool:
    """Check whether a JSON text has more values than so many.

    Args:
        text: What is JSON, or claims to be.
        most: How many it may have; empty objects and arrays count twice.
    """
    if len(text) <= 2 * most or _count_separators(text) <= most:
        return False
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    if text.count(b'"') > _QUOTES * most:
        return True
    return _count_separators(b"".join(text.split(b'"')[::2])) > most


def _count_separators(text: bytes) -> int:
    """Count what every value but the outermost follows."""
    return text.count(b",") + text.count(b"{") + text.count(b"[")
