"""The users' own words in a conversation.

A user's turn is a message of the role ``user`` with text of its own: tool results that travel under that role have
none, and what agents' harnesses write into users' messages, in envelopes such as
``<system-reminder>…</system-reminder>``, is no user's word.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from plano_agents.protocol.openai_chat import HeadMessage

ENVELOPES = (
    "system-reminder",
    "system_reminder",
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


class Part(Protocol):
    """A piece of a message's content."""

    @property
    def text(self) -> str | None:
        """Its text; None where it is none."""


SEARCHED_CHARACTERS = 2_000_000
"""How much of one conversation is searched for envelopes: several times what the largest context window holds."""


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


def read_user_turns(messages: Sequence[HeadMessage]) -> list[str]:
    """List what users have said.

    Args:
        messages: The whole conversation, oldest first.

    Returns:
        Their texts, oldest first, envelopes left out; none is empty.
    """
    strip = Stripper().strip
    texts = (strip(read_text(each.content)) for each in messages if each.role == "user")
    return [text for text in texts if text]


def read_text(content: str | Sequence[Part] | None) -> str:
    """Take a message's text, its parts joined by line feeds."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if part.text)


def strip_envelopes(text: str) -> str:
    """Take out what harnesses wrote, nested or not; an envelope that is never closed stays."""
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
    return "".join([*kept, text[done:]])
