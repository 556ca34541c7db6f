"""Anthropic's marks for its prompt cache, left out where the provider refuses fields that it does not know.

Anthropic takes a few of them: what is more is left out, the earliest first, for the last hold most of a conversation.

They stand at messages, at their parts and calls, at tools and at functions; providers that refuse them cache by
themselves.
"""

from plano_agents.protocol.adjustment import dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, split, split_list
from plano_agents.providers.fit.rules import Rules

MARK = "cache_control"

_WITHIN = ("content", "tool_calls", "function")
"""Fields whose pieces may be marked."""


MOST_MARKS = 4
"""How many Anthropic takes: platform.claude.com, prompt caching; griffinmartin/opencode-claude-auth#121."""

_QUOTED = b'"cache_control"'


def fit_cache_marks(document: Document, rules: Rules) -> None:
    """Leave out marks that the provider refuses."""
    if rules.wire is Form.ANTHROPIC_MESSAGES:
        _limit_marks(document)
    if rules.dialect.cache_marks or rules.wire is not Form.OPENAI_CHAT:
        return
    for field in ("messages", "tools"):
        if document.contains(field, (b'"cache_control"',)):
            document.edit_list(field, lambda pieces: _unmark_all(document, pieces))


def _unmark_all(document: Document, pieces: list[Pieces]) -> list[Pieces] | None:
    fitted = [_unmark(piece) for piece in pieces]
    if all(new is old for new, old in zip(fitted, pieces, strict=True)):
        return None
    document.tell(dropped(MARK))
    return fitted


def _unmark(piece: Pieces) -> Pieces:
    kept = {name: raw for name, raw in piece.items() if name != MARK}
    for name in _WITHIN:
        raw = kept.get(name)
        if raw is None or b'"cache_control"' not in bytes(raw):
            continue
        if is_list(raw):
            kept[name] = pack([_unmark(each) for each in split_list(raw)])
        elif bytes(raw).startswith(b"{"):
            kept[name] = pack(_unmark(split(raw)))
    return piece if kept == piece else kept


def _limit_marks(document: Document) -> None:
    """Leave out the earliest marks of the conversation, then of the system prompt, down to as many as are taken."""
    places = ("messages", "system", "tools")
    found = sum(bytes(document.fields.get(field, b"")).count(_QUOTED) for field in places) + document.has(MARK)
    surplus = _Surplus(found - MOST_MARKS)
    for field in places[:2]:
        if surplus.left > 0:
            document.edit_list(field, lambda pieces: [surplus.take(piece) for piece in pieces])
    if found > MOST_MARKS:
        document.tell(rewritten(MARK, f"marks left out: {found - max(surplus.left, 0) - MOST_MARKS}"))


class _Surplus:
    """The count of marks that are still to be left out."""

    def __init__(self, count: int) -> None:
        self.left = count

    def take(self, piece: Pieces) -> Pieces:
        """Leave out the marks of a turn or a block, within it first, as long as there are too many."""
        content = piece.get("content")
        if self.left > 0 and is_list(content) and _QUOTED in bytes(content):
            piece = {**piece, "content": pack([self.take(each) for each in split_list(content)])}
        if self.left > 0 and MARK in piece:
            self.left -= 1
            return {name: raw for name, raw in piece.items() if name != MARK}
        return piece
