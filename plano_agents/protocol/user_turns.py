"""The users' own words in a conversation.

A user's turn is a message of the role ``user`` with text of its own: tool results that travel under that role have
none, and what agents' harnesses write into users' messages (`envelopes`) is no user's word.
"""

from collections.abc import Sequence
from typing import Protocol

from plano_agents.protocol.envelopes import Stripper
from plano_agents.protocol.openai_chat import HeadMessage


class Part(Protocol):
    """A piece of a message's content."""

    @property
    def text(self) -> str | None:
        """Its text; None where it is none."""


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
