"""What users themselves have said in a conversation.

A user's turn is a message of the role ``user`` with text of its own: tool results that travel under that role have none,
and what a harness wraps around or beside a user's words (`ENVELOPES`) is none of theirs.
"""

from collections.abc import Sequence

from plano_agents.protocol.openai_chat import HeadMessage, HeadPart

ENVELOPES = ("system-reminder",)
"""The tags between which coding agents put reminders of their own into users' messages."""


def read_user_turns(messages: Sequence[HeadMessage]) -> list[str]:
    """List what users have said.

    Args:
        messages: The whole conversation, oldest first.

    Returns:
        Their texts, oldest first, envelopes left out; none is empty.
    """
    texts = (strip_envelopes(read_text(each.content)).strip() for each in messages if each.role == "user")
    return [text for text in texts if text]


def read_text(content: str | Sequence[HeadPart] | None) -> str:
    """Take a message's text, its parts joined by line feeds."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if part.text)


def strip_envelopes(text: str) -> str:
    """Leave out what stands between an envelope's tags; one that is not closed is text."""
    for tag in ENVELOPES:
        text = _strip(text, f"<{tag}>", f"</{tag}>")
    return text


def _strip(text: str, opening: str, closing: str) -> str:
    kept: list[str] = []
    position = 0
    while True:
        start = text.find(opening, position)
        end = text.find(closing, start) if start >= 0 else -1
        if end < 0:
            return "".join([*kept, text[position:]])
        kept.append(text[position:start])
        position = end + len(closing)
