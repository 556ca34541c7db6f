"""Envelopes: text that agents' harnesses put into users' messages, as ``<system-reminder>…</system-reminder>``."""

import re

ENVELOPES = (
    "system-reminder",
    "system_reminder",
    "user-prompt-submit-hook",
    "environment_context",
    "environment_details",
    "user_instructions",
    "command-name",
    "command-message",
    "command-args",
    "local-command-stdout",
    "local-command-stderr",
    "local-command-caveat",
    "bash-input",
    "bash-stdout",
    "bash-stderr",
    "ide_selection",
    "ide_opened_file",
    "function_results",
    "tool_result",
)
"""Tags that agents' harnesses put around what no user wrote."""

_TAG = re.compile(rf"<(/?)({'|'.join(ENVELOPES)})(?:\s[^<>]{{0,200}})?>")

REMINDER = "system-reminder"
"""The tag around what the system says in a user's place, as Claude Code writes it."""

SEARCHED_CHARACTERS = 2_000_000
"""How much of one conversation is searched for envelopes: several times what the largest context window holds."""


def wrap_reminder(text: str) -> str:
    """Mark a text that stands in a user's place as no user's words; one that is marked already stays."""
    if not strip_envelopes(text).strip():
        return text
    return f"<{REMINDER}>\n{text}\n</{REMINDER}>"


class Stripper:
    """Takes harnesses' envelopes out of a conversation's texts, as far as `SEARCHED_CHARACTERS`.

    Texts beyond stay as they are, for a search takes its time by the characters, and one request would hold all others
    up.
    """

    def __init__(self) -> None:
        self._left = SEARCHED_CHARACTERS

    def strip(self, text: str) -> str:
        """Take the envelopes out of the conversation's next text, and the white space around what is left."""
        if "<" in text:
            self._left -= len(text)
            if self._left >= 0:
                text = strip_envelopes(text)
        return text.strip()


def strip_envelopes(text: str) -> str:
    """Take out what harnesses wrote, nested or not.

    An envelope that is never closed reaches to the end where no words stand before it; after words it stays, for a user
    may speak of one.
    """
    if "<" not in text:
        return text
    kept: list[str] = []
    opened: tuple[str, int, int] | None = None
    done = 0
    for found in _TAG.finditer(text):
        closing, name = found.groups()
        if opened is None:
            if not closing:
                opened = (name, found.start(), 1)
            continue
        tag, start, depth = opened
        if name != tag:
            continue
        depth += -1 if closing else 1
        opened = (tag, start, depth) if depth else None
        if not depth:
            kept.append(text[done:start])
            done = found.end()
    if opened is not None and not "".join([*kept, text[done : opened[1]]]).strip():
        return "".join([*kept, text[done : opened[1]]])
    return "".join([*kept, text[done:]])
