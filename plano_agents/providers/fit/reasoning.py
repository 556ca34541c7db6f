"""Reasoning of earlier turns, as the provider wants it back: its own kept, another's left out, a lack of it said.

- ``reasoning_content`` is left out for providers that refuse it, and stands empty where a provider wants one of each
  turn that called tools, and the turn was another provider's.
- Gemini's thought signatures go to Gemini alone; to Gemini 3 a call of the current turn without one goes with Google's
  word for calls that Gemini did not make.
- Thinking that another endpoint signed is left out, for its signature would be refused (`signature_mark`).
- Reasoning items that another provider encrypted are left out likewise.
- A model without reasoning is not asked for it encrypted: OpenAI refuses that ("Encrypted content is not supported with
  this model", microsoft/agent-framework#7483).
- Anthropic's manual thinking is left out where the current turn's calls were made without: its first block would be
  missing.
"""

from collections.abc import Callable

import msgspec

from plano_agents.protocol.adjustment import Adjustment, dropped_within, rewritten
from plano_agents.protocol.form import Form
from plano_agents.protocol.signature_mark import read_signature
from plano_agents.protocol.thought_signature import SKIP, build_extra_content
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split, split_list
from plano_agents.providers.fit.rules import Rules

_ENCRYPTED = "reasoning.encrypted_content"


def fit_reasoning(document: Document, rules: Rules) -> None:
    """Bring what earlier turns thought into the form that the provider takes."""
    if rules.wire is Form.ANTHROPIC_MESSAGES:
        if document.contains("messages", (b'"signature"',)):
            document.edit_list("messages", lambda turns: _own_thinking(document, turns, rules.signature_mark))
        _fit_manual_thinking(document)
    if rules.wire is Form.OPENAI_RESPONSES and document.contains("input", (b'"encrypted_content"',)):
        document.edit_list("input", lambda items: _own_items(document, items, rules.signature_mark))
    if rules.wire is Form.OPENAI_RESPONSES and rules.profile.efforts == ():
        _ask_for_no_reasoning(document)
    if rules.wire is not Form.OPENAI_CHAT:
        return
    dialect = rules.dialect
    if dialect.reasoning_content is False and document.contains("messages", (b'"reasoning_content"',)):
        document.edit_list("messages", lambda messages: _without_reasoning(document, messages))
    placeholder = dialect.reasoning_placeholder
    if placeholder is not None and document.contains("messages", (b'"tool_calls"',)):
        document.edit_list("messages", lambda messages: _complete_reasoning(document, messages, placeholder))
    if not dialect.thought_signatures and document.contains("messages", (b'"extra_content"',)):
        document.edit_list("messages", lambda messages: [_edit_calls(each, _unsign) for each in messages])
    if dialect.thought_signatures == "needed" and document.contains("messages", (b'"tool_calls"',)):
        document.edit_list("messages", lambda messages: _sign(document, messages))


def _ask_for_no_reasoning(document: Document) -> None:
    included = document.read("include")
    if not isinstance(included, list) or _ENCRYPTED not in included:
        return
    kept = [each for each in included if each != _ENCRYPTED]
    if kept:
        document.write("include", kept)
    else:
        document.drop("include")
    if not document.is_translated:
        document.tell(dropped_within("include", _ENCRYPTED))


def _without_reasoning(document: Document, messages: list[Pieces]) -> list[Pieces]:
    document.tell(rewritten("messages", "reasoning_content left out"))
    return [{name: raw for name, raw in each.items() if name != "reasoning_content"} for each in messages]


def _complete_reasoning(document: Document, messages: list[Pieces], placeholder: str) -> list[Pieces] | None:
    fitted = [
        {**each, "reasoning_content": pack(placeholder)}
        if is_list(each.get("tool_calls")) and read_text(each.get("reasoning_content")) is None
        else each
        for each in messages
    ]
    if all(new is old for new, old in zip(fitted, messages, strict=True)):
        return None
    document.tell(rewritten("messages", "empty reasoning_content added"))
    return fitted


def _sign(document: Document, messages: list[Pieces]) -> list[Pieces] | None:
    """Sign the first call of each step of the current turn that has no signature."""
    users = [number for number, each in enumerate(messages) if read_text(each.get("role")) == "user"]
    begin = users[-1] + 1 if users else 0
    fitted = [*messages[:begin], *(_edit_calls(each, _skip) for each in messages[begin:])]
    if all(new is old for new, old in zip(fitted, messages, strict=True)):
        return None
    document.tell(rewritten("messages", "calls without a thought signature marked"))
    return fitted


def _edit_calls(message: Pieces, edit: Callable[[list[Pieces]], list[Pieces]]) -> Pieces:
    calls = message.get("tool_calls")
    if not is_list(calls):
        return message
    given = split_list(calls)
    fitted = edit(given)
    return message if fitted is given else {**message, "tool_calls": pack(fitted)}


def _skip(calls: list[Pieces]) -> list[Pieces]:
    if not calls or _is_signed(calls[0]):
        return calls
    return [{**calls[0], "extra_content": build_extra_content(SKIP)}, *calls[1:]]


def _is_signed(call: Pieces) -> bool:
    extra = call.get("extra_content")
    if extra is None or bytes(extra) == b"null":
        return False
    google = split(extra).get("google")
    return google is not None and bool(read_text(split(google).get("thought_signature")))


def _unsign(calls: list[Pieces]) -> list[Pieces]:
    if not any("extra_content" in call for call in calls):
        return calls
    return [{name: raw for name, raw in call.items() if name != "extra_content"} for call in calls]


def _own_thinking(document: Document, turns: list[Pieces], mark: str) -> list[Pieces] | None:
    """Keep the thinking that the endpoint signed, as it signed it."""
    fitted: list[Pieces] = []
    for turn in turns:
        content = turn.get("content")
        if not is_list(content) or b'"signature"' not in bytes(content):
            fitted.append(turn)
            continue
        blocks = split_list(content)
        kept = [own for block in blocks if (own := _own_block(block, mark)) is not None]
        if all(new is old for new, old in zip(kept, blocks, strict=False)) and len(kept) == len(blocks):
            fitted.append(turn)
        elif kept:
            fitted.append({**turn, "content": pack(kept)})
        if len(kept) < len(blocks):
            document.tell(rewritten("messages", "thinking that another provider signed left out"))
    return (
        None
        if all(new is old for new, old in zip(fitted, turns, strict=False)) and len(fitted) == len(turns)
        else fitted
    )


def _own_block(block: Pieces, mark: str) -> Pieces | None:
    given = read_text(block.get("signature"))
    if given is None or read_text(block.get("type")) != "thinking":
        return block
    own = read_signature(given, mark)
    if own is None:
        return None
    return block if own == given else {**block, "signature": pack(own)}


def _own_items(document: Document, items: list[Pieces], mark: str) -> list[Pieces] | None:
    """Keep the reasoning that the endpoint encrypted, as it did."""
    fitted: list[Pieces] = []
    for item in items:
        given = read_text(item.get("encrypted_content"))
        own = read_signature(given, mark) if given else given
        if own == given:
            fitted.append(item)
        elif own is not None:
            fitted.append({**item, "encrypted_content": pack(own)})
    if len(fitted) < len(items):
        document.tell(rewritten("input", "reasoning that another provider encrypted left out"))
    same = len(fitted) == len(items) and all(new is old for new, old in zip(fitted, items, strict=True))
    return None if same else fitted


def _fit_manual_thinking(document: Document) -> None:
    if not document.contains("thinking", (b'"enabled"',)) or not document.contains("messages", (b'"tool_use"',)):
        return
    for turn in reversed(split_list(document.fields["messages"])):
        content = turn.get("content", msgspec.Raw(b"null"))
        if read_text(turn.get("role")) != "assistant":
            if b'"tool_result"' in bytes(content):
                continue
            return
        kinds = [read_text(block.get("type")) for block in split_list(content)] if is_list(content) else []
        if "tool_use" in kinds and kinds[0] not in {"thinking", "redacted_thinking"}:
            document.drop("thinking")
            document.tell(
                Adjustment("thinking", "dropped", "thinking dropped within a turn that began without", alters=True)
            )
            return
