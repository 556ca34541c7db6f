"""What routing reads of a conversation.

The recent conversation as Plano reads it: what users and assistants said in words, no system prompts, no tool
results, no message without text; the last 16, each and all within a budget. A long message keeps its head and its
tail, where requests and conclusions stand.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

MAX_MESSAGES = 16
"""How many messages back are read."""

MAX_MESSAGE_CHARS = 4_000
"""How much of one message is read, in characters: two thirds from its head, one from its tail."""

MAX_CHARS = 16_000
"""How much of the conversation is read, in characters, the latest first."""

_SPOKEN = frozenset({"user", "assistant"})


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


def read_conversation(messages: Sequence[Message]) -> tuple[str, ...]:
    """Take from a conversation what routing reads.

    Args:
        messages: The whole conversation, oldest first.

    Returns:
        The texts, oldest first; none is empty.
    """
    texts: list[str] = []
    left = MAX_CHARS
    for text in _spoken_texts(reversed(messages)):
        taken = _cut(text, min(left, MAX_MESSAGE_CHARS))
        left -= len(taken)
        texts.append(taken)
        if len(texts) == MAX_MESSAGES or left <= 0:
            break
    return tuple(reversed(texts))


def _spoken_texts(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        if message.role in _SPOKEN:
            text = _text_of(message.content).strip()
            if text:
                yield text


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
