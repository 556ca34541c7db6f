"""Anthropic's marks for its prompt cache: set where they are asked for, left out where a provider refuses them.

Anthropic caches what stands before a mark: tools first, then the system prompt, then the conversation. The last tool is
marked, the system prompt's end and the last two turns of the user: the last is what the next request goes on from, and
the one before it finds what the last request has written, however many blocks have come since. A client that marks
anything itself gets none of ours.

Anthropic takes four marks: what is more is left out, the earliest first, for the last hold most of a conversation. They
stand at messages, at their parts and calls, at tools and at functions; providers that refuse them cache by themselves.
"""

import msgspec

from plano_agents.config.model import Model
from plano_agents.protocol.adjustment import dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split, split_list
from plano_agents.providers.fit.rules import Rules

MARK = "cache_control"
QUOTED_MARK = b'"cache_control"'
"""The mark's name, as it stands in a request."""

MARKED_CHAT = frozenset({"digitalocean", "openrouter"})
"""Gateways that take the marks in parts of chat messages, for Claude: openrouter.ai/docs/guides/best-practices/
prompt-caching; Plano's ``cache_marker_strategy``."""

_WITHIN = ("content", "tool_calls", "function")
"""Fields whose pieces may be marked."""

_DEPTH = 3
"""How many levels below a list's objects may be marked: a message's blocks, what a tool's result holds, and a
spare one. Each level is read again, so a limit bounds the work."""

MOST_MARKS = 4
"""How many Anthropic takes: platform.claude.com, prompt caching; griffinmartin/opencode-claude-auth#121."""

_TRUE = msgspec.Raw(b"true")
_EPHEMERAL = msgspec.Raw(b'{"type":"ephemeral"}')
_MARKABLE = frozenset({"text", "image", "document", "search_result", "tool_use", "tool_result"})
"""Blocks that may be marked; thinking may not, nor an empty text."""

_BYTES_PER_TOKEN = 4
_MARKED_TURNS = 2


def takes_cache_marks(model: Model, wire: Form) -> bool:
    """Check whether requests may get marks: on Anthropic's wire, and Claude's at gateways that pass them on."""
    if wire is Form.OPENAI_CHAT:
        return model.interface in MARKED_CHAT and "claude" in model.model_id
    return wire is Form.ANTHROPIC_MESSAGES


def set_cache_marks(document: Document, rules: Rules) -> None:
    """Mark what the next request of the conversation begins with, where nothing is marked yet."""
    if rules.marks_from is None or not document.sets_marks or _is_marked(document):
        return
    count = tokens = 0
    for field in ("tools", "system"):
        tokens += len(bytes(document.fields.get(field, b""))) // _BYTES_PER_TOKEN
        if tokens >= rules.marks_from:
            count += _mark_last(document, field)
    tokens += len(bytes(document.fields.get("messages", b""))) // _BYTES_PER_TOKEN
    if tokens >= rules.marks_from:
        count += _mark_turns(document, rules.wire)
    if count:
        document.tell(rewritten(MARK, f"marks set: {count}"))


def _is_marked(document: Document) -> bool:
    return document.has(MARK) or any(
        document.contains(field, (QUOTED_MARK,)) for field in ("tools", "system", "messages")
    )


def _mark_last(document: Document, field: str) -> bool:
    """Mark the last tool that the model is shown at once, or the system prompt's last block."""
    raw = document.fields.get(field)
    text = read_text(raw)
    if text is not None and text.strip():
        document.write(field, [_mark_text(raw)])
        return True
    pieces = split_list(raw) if is_list(raw) else []
    for at in range(len(pieces) - 1, -1, -1):
        piece = pieces[at]
        if piece.get("defer_loading") == _TRUE or (field == "system" and not _is_markable(piece)):
            continue
        pieces[at] = {**piece, MARK: _EPHEMERAL}
        document.write(field, pieces)
        return True
    return False


def _mark_turns(document: Document, wire: Form) -> int:
    """Mark the last turns that the next request holds too; on chat, the system prompt is one of the messages."""
    raw = document.fields.get("messages")
    if raw is None or not is_list(raw):
        return 0
    turns = split_list(raw)
    roles = [read_text(turn.get("role")) for turn in turns]
    ends = frozenset({"user", "tool"} if wire is Form.OPENAI_CHAT else {"user"})
    found = [at for at, role in enumerate(roles) if role in ends][-_MARKED_TURNS:]
    if wire is Form.OPENAI_CHAT:
        found += [at for at, role in enumerate(roles) if role in {"system", "developer"}][-1:]
    marked = 0
    for at in found:
        content = _mark_content(turns[at].get("content"))
        if content is not None:
            turns[at] = {**turns[at], "content": content}
            marked += 1
    if marked:
        document.write("messages", turns)
    return marked


def _mark_content(raw: msgspec.Raw | None) -> msgspec.Raw | None:
    """Mark a message's last block that may be; None where none may."""
    text = read_text(raw)
    if text is not None:
        return pack([_mark_text(raw)]) if text.strip() else None
    blocks = split_list(raw) if is_list(raw) else []
    last = next((at for at in range(len(blocks) - 1, -1, -1) if _is_markable(blocks[at])), None)
    if last is None:
        return None
    blocks[last] = {**blocks[last], MARK: _EPHEMERAL}
    return pack(blocks)


def _mark_text(raw: msgspec.Raw | None) -> dict[str, object]:
    return {"type": "text", "text": raw, MARK: _EPHEMERAL}


def _is_markable(block: Pieces) -> bool:
    kind = read_text(block.get("type"))
    if kind == "text":
        return bool((read_text(block.get("text")) or "").strip())
    return kind in _MARKABLE


def fit_cache_marks(document: Document, rules: Rules) -> None:
    """Leave out marks that the provider refuses."""
    if rules.wire is Form.ANTHROPIC_MESSAGES:
        _limit_marks(document)
    if rules.dialect.cache_marks or rules.wire is not Form.OPENAI_CHAT:
        return
    for field in ("messages", "tools"):
        if document.contains(field, (QUOTED_MARK,)):
            document.edit_list(field, lambda pieces: _unmark_all(document, pieces))


def _unmark_all(document: Document, pieces: list[Pieces]) -> list[Pieces] | None:
    fitted = [_unmark(piece) for piece in pieces]
    if all(new is old for new, old in zip(fitted, pieces, strict=True)):
        return None
    document.tell(dropped(MARK))
    return fitted


def _unmark(piece: Pieces, depth: int = _DEPTH) -> Pieces:
    kept = {name: raw for name, raw in piece.items() if name != MARK}
    for name in _WITHIN:
        raw = kept.get(name)
        if raw is None or not depth or QUOTED_MARK not in bytes(raw):
            continue
        if is_list(raw):
            kept[name] = pack([_unmark(each, depth - 1) for each in split_list(raw)])
        elif bytes(raw).startswith(b"{"):
            kept[name] = pack(_unmark(split(raw), depth - 1))
    return piece if kept == piece else kept


def _limit_marks(document: Document) -> None:
    """Leave out the earliest marks of the conversation, then of the system prompt, down to as many as are taken."""
    places = ("messages", "system", "tools")
    found = sum(bytes(document.fields.get(field, b"")).count(QUOTED_MARK) for field in places) + document.has(MARK)
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

    def take(self, piece: Pieces, depth: int = _DEPTH) -> Pieces:
        """Leave out the marks of a turn or a block, within it first, as long as there are too many."""
        content = piece.get("content")
        if depth and self.left > 0 and is_list(content) and QUOTED_MARK in bytes(content):
            piece = {**piece, "content": pack([self.take(each, depth - 1) for each in split_list(content)])}
        if self.left > 0 and MARK in piece:
            self.left -= 1
            return {name: raw for name, raw in piece.items() if name != MARK}
        return piece
