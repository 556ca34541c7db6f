"""Ids of tool calls within the provider's pattern and length, and unique where they must be.

An id that has to change becomes a hash of itself and of how often it stood before: so a call and its result agree,
a conversation that grows keeps the ids of its earlier turns, and every router writes the same. Calls of one step that
share an id, as some servers give them, or have none, are distinguished, and their results are theirs in order.
"""

import hashlib
from collections import Counter, deque
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
    field, marks, edit = _CONVERSATIONS[rules.wire]
    if not document.contains(field, marks) or not may_change(bytes(document.fields[field]), rule):
        return
    ids = _Ids(rule)
    document.edit_list(field, lambda pieces: ids.edit([edit(each, ids) for each in pieces]))
    if ids.changed:
        document.tell(rewritten(field, "call ids rewritten"))


def may_change(conversation: bytes, rule: IdRule) -> bool:
    """Check whether an id is not the provider's own, or stands at two calls; a call and its result make two."""
    found = Counter(rule.calls.findall(conversation))
    return b"" in found or max(found.values(), default=0) > _CALL_AND_RESULT


class _Ids:
    """The ids of one conversation, in the order of its calls.

    Args:
        rule: What they must be.
    """

    def __init__(self, rule: IdRule) -> None:
        self._rule = rule
        self._seen: Counter[str] = Counter()
        self._step: dict[str, deque[str]] = {}
        self._is_answering = False
        self.changed = False

    def call(self, old: str) -> str:
        """Give a call's id; its result's is the same."""
        if self._is_answering:
            self._step, self._is_answering = {}, False
        waiting = self._step.setdefault(old, deque())
        number = self._seen[old] if self._rule.unique else len(waiting)
        self._seen[old] += 1
        fits = self._rule.pattern.fullmatch(old) is not None and not number
        new = old if fits else rewrite_id(old, number, self._rule)
        waiting.append(new)
        self.changed = self.changed or new != old
        return new

    def result(self, old: str) -> str:
        """Give the id of a result: that of the step's next call with its old one."""
        waiting = self._step.get(old)
        if not waiting:
            return self.call(old)
        self._is_answering = True
        return waiting.popleft() if len(waiting) > 1 else waiting[0]

    def edit(self, pieces: list[Pieces]) -> list[Pieces] | None:
        """Give the conversation where it was changed."""
        return pieces if self.changed else None


def rewrite_id(old: str, number: int, rule: IdRule) -> str:
    """Write an id anew, always alike.

    Args:
        old: The id, of any form.
        number: How many calls had it before, of the conversation or of the step.
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
    return _edit(message, "tool_call_id", ids.result) if read_text(message.get("role")) == "tool" else message


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
    if "call_id" not in item:
        return item
    kind = read_text(item.get("type")) or ""
    return _edit(item, "call_id", ids.result if kind.endswith("_output") else ids.call)


def _edit(pieces: Pieces, name: str, change: Callable[[str], str]) -> Pieces:
    """Change an id; where there is none it is empty."""
    return {**pieces, name: pack(change(read_text(pieces.get(name)) or ""))}


_CALL_AND_RESULT = 2
_CONVERSATIONS: dict[Form, tuple[str, tuple[bytes, ...], Callable[[Pieces, _Ids], Pieces]]] = {
    Form.OPENAI_CHAT: ("messages", (b'"tool_calls"', b'"tool_call_id"'), _edit_chat),
    Form.ANTHROPIC_MESSAGES: ("messages", (b'"tool_use"', b'"tool_use_id"'), _edit_turn),
    Form.OPENAI_RESPONSES: ("input", (b'"call_id"',), _edit_item),
}
"""Where each wire's calls stand, what every one of them has, and how their ids are changed."""
