"""Conversations in which no rule of a target finds anything, told by their bytes.

Of a quiet conversation no step of the fitting changes a byte, and what becomes of a request's other fields does not
depend on it. A conversation that is not quiet may still come out as it was: then only the steps themselves can tell.
"""

import re
from collections.abc import Iterable

from plano_agents.protocol import openai_responses
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.cache_marks import MOST_MARKS, QUOTED_MARK
from plano_agents.providers.fit.ids import may_change
from plano_agents.providers.fit.roles import NO_CALLS, NO_CONTENT
from plano_agents.providers.fit.rules import Rules
from plano_agents.providers.fit.tools import LONG_NAME
from plano_agents.providers.fit.turns import BLANK, NO_OBJECT, find_end_roles

_SUMMARY = openai_responses.SEAL.encode()
_FOREIGN_SIGNATURE = r'signature"\s*+:\s*+"(?:"|plano-)'
_SIGNATURE = r'signature"'
_SEALED = [rf'{name}"\s*+:\s*+"[^"]*__thought_' for name in ("id", "call_id", "tool_use_id")]
_FOREIGN_ENCRYPTED = r'encrypted_content"\s*+:\s*+"plano'
_ENCRYPTED = r'encrypted_content"'


class Quiet:
    """Tells the quiet conversations of one target.

    Args:
        rules: What the target takes.
    """

    __slots__ = ("_calls", "_looks_at_calls", "_mark", "_rules")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._mark = re.compile(f'"(?:{_join(_LISTS[rules.wire](rules))})'.encode())
        self._calls = _CALLS[rules.wire]
        dialect = rules.dialect
        self._looks_at_calls = dialect.reasoning_placeholder is not None or dialect.thought_signatures == "needed"

    def holds(self, conversation: bytes, other_marks: int, start: int = 0) -> bool:
        """Check whether a conversation is quiet.

        Args:
            conversation: Its bytes.
            other_marks: How many marks for Anthropic's cache the request has elsewhere.
            start: Where the turns begin that follow a part which is quiet by itself, in bytes.
        """
        rules = self._rules
        if self._mark.search(conversation, start) is not None:
            return False
        if rules.wire is Form.ANTHROPIC_MESSAGES:
            if "assistant" in find_end_roles(conversation):
                return False
            if conversation.count(QUOTED_MARK) + other_marks > MOST_MARKS:
                return False
        if rules.wire is Form.OPENAI_RESPONSES and conversation.find(_SUMMARY, start) >= 0:
            return False
        return conversation.find(self._calls, start) < 0 or not self._has_odd_calls(conversation, start)

    def _has_odd_calls(self, conversation: bytes, start: int) -> bool:
        """Check whether a call may have to change."""
        rules = self._rules
        ids = rules.dialect.call_ids
        if self._looks_at_calls or may_change(conversation[start:], ids):
            return True
        if start and any(
            conversation.find(b'"%b"' % each, 0, start) >= 0 for each in ids.calls.findall(conversation, start)
        ):
            return may_change(conversation, ids) or self._has_long_name(conversation, start)
        return self._has_long_name(conversation, start)

    def _has_long_name(self, conversation: bytes, start: int) -> bool:
        return self._rules.dialect.name_length is not None and LONG_NAME.search(conversation, start) is not None


def _list_chat(rules: Rules) -> set[str]:
    """List what chat's rules are about, after its first quotation mark."""
    dialect = rules.dialect
    words = {'thinking_blocks"'} | {f'{name}"' for name in dialect.refused_message_fields}
    if dialect.reasoning_content is False:
        words.add('reasoning_content"')
    if not dialect.thought_signatures:
        words.add('extra_content"')
    if dialect.roles is not None and "developer" not in dialect.roles:
        words.add('developer"')
    if not dialect.cache_marks:
        words.add('cache_control"')
    if dialect.empty_turns != "any":
        words |= {NO_CONTENT.decode(), NO_CALLS.decode()}
    if dialect.marks_prefill:
        words.add('assistant"')
    if dialect.system_first or rules.profile.system_first:
        words |= {'system"', 'developer"'}
    if not dialect.user_after_tool:
        words.add('tool"')
    return words


def _list_messages(rules: Rules) -> set[str]:
    """List the same of Anthropic's messages."""
    words = {*_SEALED, _SIGNATURE if rules.signature_mark else _FOREIGN_SIGNATURE}
    words.add(NO_OBJECT.pattern.decode().removeprefix('"'))
    if rules.profile.thinking is not None:
        words |= {'output_config"', 'tool_addition"', 'tool_removal"', 'system"'}
    if rules.dialect.media_types is not None:
        words.add('base64"')
    if not rules.dialect.blank_text:
        words |= {f"{name}{BLANK.pattern.decode()}" for name in ("tex", "conten")}
    return words


def _list_responses(rules: Rules) -> set[str]:
    """List the same of OpenAI's responses."""
    return {*_SEALED, _ENCRYPTED if rules.signature_mark else _FOREIGN_ENCRYPTED}


def _join(words: Iterable[str]) -> str:
    """Join alternatives by their first letters: a conversation has many quotation marks, and each is tried at all."""
    groups: dict[str, list[str]] = {}
    for word in sorted(words):
        groups.setdefault(word[0], []).append(word[1:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items())


_LISTS = {
    Form.OPENAI_CHAT: _list_chat,
    Form.ANTHROPIC_MESSAGES: _list_messages,
    Form.OPENAI_RESPONSES: _list_responses,
}
_CALLS = {
    Form.OPENAI_CHAT: b'"tool_call',
    Form.ANTHROPIC_MESSAGES: b'"tool_use',
    Form.OPENAI_RESPONSES: b'"call_id"',
}
"""What every call of a wire has, and every result."""
