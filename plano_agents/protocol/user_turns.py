"""The users' own words in a conversation.

A user's turn is a message of the role ``user`` with text of its own: tool results that travel under that role have
none, and what agents' harnesses write into users' messages (`envelopes`) is not a user's word. A conversation whose
last messages, those after the model's last one, hold a tool's result is a step of a tool loop, whatever stands beside
it.
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


def read_user_turns(messages: Sequence[HeadMessage], *, wordless: bool = False) -> list[str]:
    """List what users have said.

    Args:
        messages: The whole conversation, oldest first.
        wordless: Whether a message without words, an image alone, counts too.

    Returns:
        Their texts, oldest first, envelopes left out; empty are those of wordless messages.
    """
    strip = Stripper().strip
    users = [each for each in messages if each.role == "user"]
    texts = [(strip(read_text(each.content)), each) for each in users]
    return [text for text, message in texts if text or (wordless and _shows_something(message))]


_TOOLS = frozenset({"tool", "function"})
"""The roles of tools' results."""
_MODEL = "assistant"
_RESULT = "tool_result"
"""What the type of a tool's result ends with that stands in a user's message."""
_OBSERVED = "Observation:"
"""How a tool's result begins that a framework writes as a user's text (smolagents, and others of ReAct's kind)."""


def ends_with_user(messages: Sequence[HeadMessage]) -> bool:
    """Check whether a conversation ends with a user's own message; one that ends with a step of a tool loop does not.

    Args:
        messages: The whole conversation, oldest first.
    """
    strip, is_users = Stripper().strip, False
    for message in reversed(messages):
        if message.role == _MODEL:
            break
        parts = message.content if isinstance(message.content, tuple) else ()
        if message.role in _TOOLS or any(part.type.endswith(_RESULT) for part in parts):
            return False
        if message.role != "user":
            continue
        text = strip(read_text(message.content))
        if text.startswith(_OBSERVED):
            return False
        is_users = is_users or bool(text) or _shows_something(message)
    return is_users


def _shows_something(message: HeadMessage) -> bool:
    """True if a message has a part that is neither text nor a tool's result."""
    parts = message.content if isinstance(message.content, tuple) else ()
    return any(part.text is None and not part.type.endswith(_RESULT) for part in parts)


def read_text(content: str | Sequence[Part] | None) -> str:
    """Take a message's text, its parts joined by line feeds."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if part.text)
