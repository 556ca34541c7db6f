"""Chat messages in the roles and in the order that the provider takes."""

import re

from plano_agents.protocol.adjustment import dropped_within, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text
from plano_agents.providers.fit.reminders import as_reminder
from plano_agents.providers.fit.rules import Rules

AFTER_TOOL = "Done."
"""What the assistant says between a tool's result and a user's message, where one may not follow the other; as
anomalyco/opencode does for Mistral."""

_SAYS_NOTHING = (b"null", b"[]", b'""')
_HAS_CALLS = (
    rb'(?:\s*+,\s*+"(?:role"\s*+:\s*+"assistant"|(?:refusal|audio|function_call)"\s*+:\s*+null|annotations"\s*+:\s*+\[\s*+\])){0,5}'
    rb'\s*+,\s*+"tool_calls"\s*+:\s*+\[\s*+\{'
)
"""What mostly follows the content of a message that calls tools, which says nothing."""
NO_CONTENT = rb'content"\s*+:\s*+(?:""|null|\[\s*+\])(?!' + _HAS_CALLS + rb")"
"""Content that says nothing, of a message that calls no tools, after its first quotation mark."""
NO_CALLS = rb'tool_calls"\s*+:\s*+(?:null|\[\s*+\])'
"""A list of calls that has none, likewise."""
_MAY_BE_EMPTY = re.compile(b'"(?:' + NO_CONTENT + b"|" + NO_CALLS + b")")
"""Finds messages that may say nothing."""
_SYSTEM = frozenset({"system", "developer"})


def fit_chat_messages(document: Document, rules: Rules) -> None:
    """Say the developer's messages as the provider takes them, and part tools' results from what may not follow."""
    dialect = rules.dialect
    if rules.wire is not Form.OPENAI_CHAT:
        return
    refused = dialect.refused_message_fields
    if refused and document.contains("messages", (f'"{name}"'.encode() for name in refused)):
        document.edit_list("messages", lambda messages: _without(document, messages, refused))
    if dialect.empty_turns != "any" and _MAY_BE_EMPTY.search(document.fields.get("messages", b"")) is not None:
        document.edit_list("messages", lambda messages: _fill_turns(document, messages, dialect.empty_turns))
    if dialect.marks_prefill and document.contains("messages", (b'"assistant"',)):
        document.edit_list("messages", lambda messages: _mark_prefill(document, messages))
    if (
        dialect.roles is not None
        and "developer" not in dialect.roles
        and document.contains("messages", (b'"developer"',))
    ):
        document.edit_list("messages", lambda messages: [_rename(document, each) for each in messages])
    if (dialect.system_first or rules.profile.system_first) and document.contains(
        "messages", (b'"system"', b'"developer"')
    ):
        document.edit_list("messages", lambda messages: _move_system(document, messages))
    if not dialect.user_after_tool and document.contains("messages", (b'"tool"',)):
        document.edit_list("messages", lambda messages: _part(document, messages))


def _without(document: Document, messages: list[Pieces], refused: frozenset[str]) -> list[Pieces] | None:
    """Leave out fields that the provider refuses; those that say nothing without a word."""
    found = [refused & message.keys() for message in messages]
    if not any(found):
        return None
    for message, names in zip(messages, found, strict=True):
        said = [name for name in sorted(names) if bytes(message[name]) not in _SAYS_NOTHING]
        document.tell(*(dropped_within("messages", name) for name in said))
    return [
        {name: raw for name, raw in message.items() if name not in names} if names else message
        for message, names in zip(messages, found, strict=True)
    ]


def _fill_turns(document: Document, messages: list[Pieces], kind: str) -> list[Pieces] | None:
    """Leave out lists of calls that have none, and say, or leave out, what the assistant did not say."""
    fitted: list[Pieces] = []
    for message in messages:
        if read_text(message.get("role")) != "assistant":
            fitted.append(message)
            continue
        has_calls = is_list(calls := message.get("tool_calls")) and bytes(calls) != b"[]"
        kept = message if has_calls or calls is None else {k: v for k, v in message.items() if k != "tool_calls"}
        content = bytes(message.get("content", b"null"))
        is_silent = not has_calls and content in _SAYS_NOTHING and bytes(message.get("refusal", b"null")) == b"null"
        if is_silent and kind == "none":
            document.tell(rewritten("messages", "blank text left out"))
        elif is_silent and content != b'""':
            fitted.append({**kept, "content": pack("")})
        else:
            fitted.append(kept)
    same = len(fitted) == len(messages) and all(new is old for new, old in zip(fitted, messages, strict=True))
    return None if same or not fitted else fitted


def _mark_prefill(document: Document, messages: list[Pieces]) -> list[Pieces] | None:
    last = messages[-1] if messages else {}
    if read_text(last.get("role")) != "assistant" or is_list(last.get("tool_calls")) or "prefix" in last:
        return None
    document.tell(rewritten("messages", "the last turn sent as a prefix"))
    return [*messages[:-1], {**last, "prefix": pack(True)}]


def _rename(document: Document, message: Pieces) -> Pieces:
    if read_text(message.get("role")) != "developer":
        return message
    document.tell(rewritten("messages", "developer messages sent as system"))
    return {**message, "role": pack("system")}


def _move_system(document: Document, messages: list[Pieces]) -> list[Pieces] | None:
    """Give later system messages to the user, where they stand: a cached prefix stays the same."""
    fitted: list[Pieces] = []
    began = False
    for message in messages:
        is_system = read_text(message.get("role")) in _SYSTEM
        if is_system and began:
            fitted.append(as_reminder(message))
        else:
            fitted.append(message)
        began = began or not is_system
    if all(new is old for new, old in zip(fitted, messages, strict=True)):
        return None
    document.tell(rewritten("messages", "later system messages sent as the user's"))
    return fitted


def _part(document: Document, messages: list[Pieces]) -> list[Pieces] | None:
    fitted: list[Pieces] = []
    for message in messages:
        after_tool = bool(fitted) and read_text(fitted[-1].get("role")) == "tool"
        if after_tool and read_text(message.get("role")) not in {"tool", "assistant"}:
            fitted.append({"role": pack("assistant"), "content": pack(AFTER_TOOL)})
            document.tell(rewritten("messages", "parted after tool results"))
        fitted.append(message)
    return fitted if len(fitted) > len(messages) else None
