"""Tools as the target takes them: names and schemas where they are offered, names where they are chosen and called.

The tools are the same in every turn of a conversation, so what came of them is remembered.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol.adjustment import rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split, split_list
from plano_agents.providers.fit.names import Names
from plano_agents.providers.fit.rules import Rules
from plano_agents.providers.fit.schemas import fit_tool_schema

REMEMBERED = 32
"""How many lists of tools are remembered, of all targets."""

REMEMBERED_BYTES = 256 * 1024
"""The longest list that is."""

_CALLS = {
    Form.OPENAI_CHAT: ("messages", b'"tool_calls"'),
    Form.ANTHROPIC_MESSAGES: ("messages", b'"tool_use"'),
    Form.OPENAI_RESPONSES: ("input", b'"function_call"'),
}
"""Where each wire's calls stand, and what every one of them has."""

_NO_CHOICE: tuple[object, ...] = (None, "auto", "none", {"type": "auto"}, {"type": "none"})
_UNFORCED = (None, "auto", "none")
"""Choices that demand no call, on each wire."""
LONG_NAME = re.compile(rb'"name"\s*:\s*"(?![a-zA-Z0-9_-]{1,64}")')


class _Tools(NamedTuple):
    """The outcome of fitting a list of tools."""

    tools: msgspec.Raw | None
    """The list; None where it stays as it was."""
    names: Mapping[str, str]
    """The names as they are sent, to the client's."""
    has_new_schemas: bool
    """True if a schema was rewritten."""


def fit_tools(document: Document, rules: Rules) -> None:
    """Fit the tools that are offered, the choice among them, and the calls of the conversation.

    Raises:
        UnsupportedFieldError: A custom tool is offered to a provider that knows functions alone, or a call is demanded
            of a model that calls as it sees fit.
    """
    if rules.profile.forced_tools is False:
        _refuse_forced(document.read("tool_choice"))
    if rules.dialect.choice_needs_tools:
        _leave_out_empty_choice(document)
    sent: dict[str, str] = {}
    raw = document.fields.get("tools")
    if raw is not None and is_list(raw):
        content = bytes(raw)
        if not rules.dialect.custom_tools and b'"custom"' in content and rules.wire is Form.OPENAI_CHAT:
            _refuse_custom(raw, rules.dialect.name)
        fitted = _remember(content, rules) if len(content) <= REMEMBERED_BYTES else _fit(content, rules)
        if fitted.tools is not None:
            document.fields["tools"] = fitted.tools
        if fitted.has_new_schemas:
            document.tell(rewritten("tools", "schemas rewritten"))
        sent |= fitted.names
    length = rules.dialect.name_length
    if length is not None:
        sent |= _fit_calls(document, rules, Names(length), has_renamed=bool(sent))
    if sent:
        document.names.update(sent)
        document.tell(rewritten("tools", f"names shortened: {len(sent)}"))


def _refuse_custom(tools: msgspec.Raw, provider: str) -> None:
    for number, tool in enumerate(split_list(tools)):
        if read_text(tool.get("type")) == "custom":
            param = f"tools[{number}].type"
            raise UnsupportedFieldError(
                f"{param!r} is 'custom', which {provider} does not know. Offer a function of one text, or name a model of "
                "OpenAI's or Anthropic's.",
                param=param,
            )


def _refuse_forced(choice: object) -> None:
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if kind not in _UNFORCED:
        raise UnsupportedFieldError(
            f"'tool_choice' is {kind!r}, which demands a call, and this model calls as it sees fit. Send 'auto', or name "
            "another model.",
            param="tool_choice",
        )


def _leave_out_empty_choice(document: Document) -> None:
    """Leave out what is said of tools where there are none, if it asks for nothing."""
    if document.read("tools"):
        return
    if document.read("tool_choice") in _NO_CHOICE:
        document.drop("tool_choice")
    document.drop("parallel_tool_calls")
    document.drop("tools")


def _fit(content: bytes, rules: Rules) -> _Tools:
    given = split_list(msgspec.Raw(content))
    schemas = [fit_tool_schema(tool, rules) for tool in given]
    names = Names(rules.dialect.name_length) if rules.dialect.name_length is not None else None
    edited = schemas if names is None else [_rename(tool, rules, names) for tool in schemas]
    return _Tools(
        None if _is_same(edited, given) else pack(edited),
        {} if names is None else names.sent,
        not _is_same(schemas, given),
    )


_remember = lru_cache(REMEMBERED)(_fit)


def _is_same(new: list[Pieces], old: list[Pieces]) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))


def _rename(tool: Pieces, rules: Rules, names: Names) -> Pieces:
    return names.fit_inner(tool) if rules.wire is Form.OPENAI_CHAT else names.fit(tool)


def _fit_calls(document: Document, rules: Rules, names: Names, *, has_renamed: bool) -> Mapping[str, str]:
    field, mark = _CALLS[rules.wire]
    choice = document.fields.get("tool_choice")
    if has_renamed and choice is not None and bytes(choice).startswith(b"{"):
        document.write("tool_choice", _rename(split(choice), rules, names))
    if document.contains(field, (mark,)) and LONG_NAME.search(document.fields[field]) is not None:
        document.edit_list(field, lambda pieces: _edit(pieces, lambda piece: _edit_calls(piece, rules, names)))
    return names.sent


def _edit(pieces: list[Pieces], edit: Callable[[Pieces], Pieces]) -> list[Pieces] | None:
    edited = [edit(piece) for piece in pieces]
    return None if _is_same(edited, pieces) else edited


def _edit_calls(piece: Pieces, rules: Rules, names: Names) -> Pieces:
    match rules.wire:
        case Form.OPENAI_CHAT:
            return _edit_within(piece, "tool_calls", names.fit_inner)
        case Form.ANTHROPIC_MESSAGES:
            return _edit_within(piece, "content", lambda block: _edit_block(block, names))
        case Form.OPENAI_RESPONSES:
            return names.fit(piece)


def _edit_block(block: Pieces, names: Names) -> Pieces:
    return names.fit(block) if read_text(block.get("type")) == "tool_use" else block


def _edit_within(piece: Pieces, field: str, edit: Callable[[Pieces], Pieces]) -> Pieces:
    raw = piece.get(field)
    if raw is None or not is_list(raw):
        return piece
    edited = _edit(split_list(raw), edit)
    return piece if edited is None else {**piece, field: pack(edited)}
