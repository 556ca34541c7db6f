"""The text of a conversation that routing reads.

By default the recent conversation as Plano reads it: what users and assistants said in words, no system prompts, no
tool results, no message without text; the last 16, each and all within a budget. With ``route_on_user_only`` what users
said, alone. A long message keeps its head and its tail, where requests and conclusions stand.

What agents' harnesses write into users' messages (``protocol.envelopes``) is taken out; a message that was nothing
else is not a user's word, and is not read.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from plano_agents.protocol.envelopes import Stripper
from plano_agents.protocol.user_turns import Part, read_text

MAX_MESSAGES = 16
"""How many messages back are read."""

MAX_MESSAGE_CHARS = 4_000
"""How much of one message is read, in characters: two thirds from its head, one from its tail."""

MAX_CHARS = 16_000
"""How much of the conversation is read, in characters, the latest first."""

_SPOKEN = frozenset({"user", "assistant"})


class Utterance(NamedTuple):
    """The text of one message."""

    role: str
    """``user`` or ``assistant``."""
    text: str
    """Its words; never empty."""


class Message(Protocol):
    """A message of a conversation, as far as it is read here."""

    @property
    def role(self) -> str:
        """The speaker's role."""

    @property
    def content(self) -> str | Sequence[Part] | None:
        """The text."""


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
    strip = Stripper().strip
    for message in reversed(messages):
        if message.role in roles:
            text = strip(read_text(message.content))
            if text:
                yield Utterance(message.role, text)


def _cut(text: str, size: int) -> str:
    """Keep the head and the tail of a text that is longer than ``size`` characters."""
    if len(text) <= size:
        return text
    tail = size // 3
    return text[: size - tail] + text[len(text) - tail :]
