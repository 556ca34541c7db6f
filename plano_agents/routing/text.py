"""What routing reads of a conversation.

By default the recent conversation as Plano reads it: what users and assistants said in words, no system prompts, no
tool results, no message without text; the last 16, each and all within a budget. With ``route_on_user_only`` what users
said, alone. A long message keeps its head and its tail, where requests and conclusions stand.

Agents' harnesses write into users' messages too, in envelopes such as ``<system-reminder>…</system-reminder>``. Those
are taken out; a message that was nothing else is no user's word, and is not read.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

MAX_MESSAGES = 16
"""How many messages back are read."""

MAX_MESSAGE_CHARS = 4_000
"""How much of one message is read, in characters: two thirds from its head, one from its tail."""

MAX_CHARS = 16_000
"""How much of the conversation is read, in characters, the latest first."""

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
_SPOKEN = frozenset({"user", "assistant"})


class Utterance(NamedTuple):
    """What one message says."""

    role: str
    """``user`` or ``assistant``."""
    text: str
    """Its words; never empty."""


class Part(Protocol):
    """A piece of a message's content."""

    @property
    def text(self) -> str | None:
        """Its text; None where it is none."""


class Message(Protocol):
    """A message of a conversation, as far as it is read here."""

    @property
    def role(self) -> str:
        """Who speaks."""

    @property
    def content(self) -> str | Sequence[Part] | None:
        """What is said."""


def read_conversation(messages: Sequence[Message], *, user_only: bool = False) -> tuple[Utterance, ...]:
    """Take from a conversation what routing reads.

    Args:
        messages: The whole conversation, oldest first.
        user_only: Whether only users' messages are read.

    Returns:
        What was said, oldest first.
    """
    read: list[Utterance] = []
    left = MAX_CHARS
    for role, text in _spoken(messages, frozenset({"user"}) if user_only else _SPOKEN):
        taken = _cut(text, min(left, MAX_MESSAGE_CHARS))
        left -= len(taken)
        read.append(Utterance(role, taken))
        if len(read) == MAX_MESSAGES or left <= 0:
            break
    return tuple(reversed(read))


def _spoken(messages: Sequence[Message], roles: frozenset[str]) -> Iterator[Utterance]:
    """Give what was said, the latest first."""
    for message in reversed(messages):
        if message.role in roles:
            text = _open_envelopes(_text_of(message.content)).strip()
            if text:
                yield Utterance(message.role, text)


def _open_envelopes(text: str) -> str:
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


def _text_of(content: str | Sequence[Part] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if part.text)


def _cut(text: str, size: int) -> str:
    """Keep the head and the tail of a text that is longer than ``size`` characters."""
    if len(text) <= size:
        return text
    tail = size // 3
    return text[: size - tail] + text[len(text) - tail :]
