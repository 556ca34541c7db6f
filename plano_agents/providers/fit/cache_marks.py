"""Anthropic's marks for its prompt cache, left out where the provider refuses fields that it does not know.

They stand at messages, at their parts and calls, at tools and at functions; providers that refuse them cache by
themselves.
"""

from plano_agents.protocol.adjustment import dropped
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, split, split_list
from plano_agents.providers.fit.rules import Rules

MARK = "cache_control"

_WITHIN = ("content", "tool_calls", "function")
"""Fields whose pieces may be marked."""


def fit_cache_marks(document: Document, rules: Rules) -> None:
    """Leave out marks that the provider refuses."""
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
