"""A request beside a passage: ``Shorten this: the patient was admitted …`` is about shortening, not about medicine.

What is asked stands before the passage or after it, in a few words. Both ends of a text are read by themselves; where
one asks for work on a given text (see `WORK_ON_A_TEXT`), its vector outweighs the whole's (see `Scorer.read_request`).
"""

import re

WORK_ON_A_TEXT = ("edit", "summarize", "translate", "extract")
"""The kinds of task that are done to a passage, whatever it is about."""

EXTRACT, DATA = "extract", "data"
"""Extracting is done to a text alone: what is extracted from a table is a matter of data."""

MOST_WORDS, MOST_CHARACTERS = 20, 160
"""How long an end may be; a longer one is not a request alone."""

LEAST_PASSAGE = 30
"""How many characters must stand beside it, and never fewer than it has itself."""

SEEN = 1_000
"""How many characters of each end are looked at."""

_BREAK = re.compile(
    r"(?<=[.!?:;\u2026\u0589\u061f\u06d4\u0964\u1362\uff1b])\s+|(?<=[.!?][\"'\u2019\u201d])\s+"
    r"|\n+|\s(?:--?|\u2013|\u2014)\s|(?<=[\u3002\uff1f\uff01\uff1a\uff1b])"
)
"""Where a sentence ends: after Latin, Armenian, Arabic, Urdu, Hindi and Ethiopic stops and spaces, or a CJK one."""


def list_ends(text: str) -> tuple[str, ...]:
    """List the first and the last sentence of a text, those that are short enough to be a bare request.

    Args:
        text: A message.

    Returns:
        Two at most; none for a text of one sentence.
    """
    text = text.strip()
    head = _split(text[:SEEN])
    tail = _split(text[-SEEN:])
    if len(head) < 2 and len(tail) < 2:  # noqa: PLR2004 - a passage needs a request beside it
        return ()
    return tuple(end for end in dict.fromkeys((head[0], tail[-1])) if _may_be_a_request(end, text))


def _split(text: str) -> list[str]:
    return [stripped for part in _BREAK.split(text) if (stripped := part.strip())]


def _may_be_a_request(end: str, text: str) -> bool:
    passage = len(text) - len(end)
    return len(end) <= MOST_CHARACTERS and len(end.split()) <= MOST_WORDS and passage >= max(LEAST_PASSAGE, len(end))
