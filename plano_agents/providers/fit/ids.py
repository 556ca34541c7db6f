"""Ids of tool calls within the provider's pattern and length, and unique where they must be.

An id that has to change becomes a hash of itself and of how often it stood before: so a call and its result agree,
a conversation that grows keeps the ids of its earlier turns, and every router writes the same.
"""

import hashlib
from collections import Counter
from collections.abc import Callable

from plano_agents.protocol.adjustment import rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.dialects import IdRule
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split_list
from plano_agents.providers.fit.rules import Rules

_BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEX_DIGITS = 24


def fit_call_ids(document: Document, rules: Rules) -> None:
    """Rewrite the ids of calls, and of their results alike."""
    rule = rules.dialect.call_ids
    if rule is None:
        return
    field, marks, edit = _CONVERSATIONS[rules.wire]
    if not document.contains(field, marks) or rule.foreign.search(document.fields[field]) is None:
        return
    ids = _Ids(rule)
    document.edit_list(field, lambda pieces: ids.edit([edit(each, ids) for each in pieces]))
    if ids.changed:
        document.tell(rewritten(field, "call ids rewritten"))


class _Ids:
    """The ids of one conversation, in the order of its calls.

    Args:
        rule: What they must be.
    """

    def __init__(self, rule: IdRule) -> None:
        self._rule = rule
        self._seen: Counter[str] = Counter()
        self._current: dict[str, str] = {}
        self.changed = False

    def call(self, old: str) -> str:
        """Give a call's id; its result's is the same."""
        number = self._seen[old]
        self._seen[old] += 1
        fits = self._rule.pattern.fullmatch(old) is not None and not (self._rule.unique and number)
        new = old if fits else rewrite_id(old, number if self._rule.unique else 0, self._rule)
        self._current[old] = new
        self.changed = self.changed or new != old
        return new

    def result(self, old: str) -> str:
        """Give the id of a result: that of the last call with its old one."""
        return self._current.get(old) or self.call(old)

    def edit(self, pieces: list[Pieces]) -> list[Pieces] | None:
        """Give the conversation where it was changed."""
        return pieces if self.changed else None


def rewrite_id(old: str, number: int, rule: IdRule) -> str:
    """Write an id anew, always alike.

    Args:
        old: The id, of any form.
        number: How many calls of the conversation had it before.
        rule: What the new one must be.
    """
    digest = hashlib.sha256(f"{number}:{old}".encode(errors="surrogatepass")).digest()
    if rule.alphabet == "word":
        return f"call_{digest.hex()[:_HEX_DIGITS]}"[: rule.length]
    value = int.from_bytes(digest)
    digits = []
    for _ in range(rule.length):
        value, rest = divmod(value, len(_BASE62))
        digits.append(_BASE62[rest])
    return "".join(digits)


def _edit_chat(message: Pieces, ids: _Ids) -> Pieces:
    calls = message.get("tool_calls")
    if is_list(calls) and calls is not None:
        return {**message, "tool_calls": pack([_edit(call, "id", ids.call) for call in split_list(calls)])}
    return _edit(message, "tool_call_id", ids.result)


def _edit_turn(turn: Pieces, ids: _Ids) -> Pieces:
    content = turn.get("content")
    if content is None or not is_list(content):
        return turn
    return {**turn, "content": pack([_edit_block(block, ids) for block in split_list(content)])}


def _edit_block(block: Pieces, ids: _Ids) -> Pieces:
    match read_text(block.get("type")):
        case "tool_use":
            return _edit(block, "id", ids.call)
        case "tool_result":
            return _edit(block, "tool_use_id", ids.result)
        case _:
            return block


def _edit_item(item: Pieces, ids: _Ids) -> Pieces:
    kind = read_text(item.get("type")) or ""
    return _edit(item, "call_id", ids.result if kind.endswith("_output") else ids.call)


def _edit(pieces: Pieces, name: str, change: Callable[[str], str]) -> Pieces:
    old = read_text(pieces.get(name))
    return pieces if old is None else {**pieces, name: pack(change(old))}


_CONVERSATIONS: dict[Form, tuple[str, tuple[bytes, ...], Callable[[Pieces, _Ids], Pieces]]] = {
    Form.OPENAI_CHAT: ("messages", (b'"tool_calls"', b'"tool_call_id"'), _edit_chat),
    Form.ANTHROPIC_MESSAGES: ("messages", (b'"tool_use"', b'"tool_use_id"'), _edit_turn),
    Form.OPENAI_RESPONSES: ("input", (b'"call_id"',), _edit_item),
}
"""Where each wire's calls stand, what every one of them has, and how their ids are changed."""
