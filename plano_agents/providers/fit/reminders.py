"""Words of the system that stand in a user's place, marked as no user's words, on each wire alike."""

from plano_agents.protocol.envelopes import wrap_reminder
from plano_agents.providers.fit.document import Pieces, is_list, pack, read_text, split_list


def as_reminder(message: Pieces) -> Pieces:
    """Give a system message as the user's, its texts marked."""
    content = message.get("content")
    text = read_text(content)
    if text is not None:
        content = pack(wrap_reminder(text))
    elif is_list(content):
        content = pack([_mark(part) for part in split_list(content)])
    return {**message, "role": pack("user"), **({} if content is None else {"content": content})}


def _mark(part: Pieces) -> Pieces:
    text = read_text(part.get("text"))
    return part if text is None else {**part, "text": pack(wrap_reminder(text))}
