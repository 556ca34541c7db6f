"""The rules that one target's requests are fitted by: its wire, its provider's dialect and its model's profile."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from plano_agents.config.model import ModelProfile
from plano_agents.protocol.form import Form
from plano_agents.providers.dialects import ANY_ID, COMPATIBLE, Dialect

CONVERSATIONS = {
    Form.OPENAI_CHAT: "messages",
    Form.ANTHROPIC_MESSAGES: "messages",
    Form.OPENAI_RESPONSES: "input",
}
"""Where each wire's conversation stands."""

PLAIN = {
    Form.OPENAI_CHAT: frozenset({"model", "messages", "stream"}),
    Form.ANTHROPIC_MESSAGES: frozenset({"model", "messages", "stream"}),
    Form.OPENAI_RESPONSES: frozenset({"model", "input", "stream", "instructions", "store", "include"}),
}
"""Fields of each wire that no rule looks at but for what stands within the conversation."""

_NO_IDS = [rf'{name}"\s*+:\s*+(?:""|null)' for name in ("id", "tool_call_id")]
"""Calls and results without an id, after their first quotation mark."""

_NO_CONTENT = r'content"\s*+:\s*+(?:""|null)'
"""A message without content, after its first quotation mark."""


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of one target."""

    wire: Form
    """The wire that is spoken to it."""
    dialect: Dialect = COMPATIBLE
    """What its provider takes."""
    profile: ModelProfile = field(default_factory=ModelProfile)
    """What its model takes."""

    signature_mark: str = ""
    """What the endpoint's signatures of thinking, or what it encrypts of it, are marked with; empty where they are
    Anthropic's, or OpenAI's."""
    marks_from: int | None = None
    """How many tokens a prefix must have for a mark for Anthropic's cache; None where none are set."""

    @cached_property
    def plain(self) -> frozenset[str]:
        """The top-level fields that need no look."""
        if self.dialect.needs_limit or self.signature_mark or self.marks_from is not None:
            return frozenset()
        return PLAIN[self.wire] - {"include"} if self.profile.efforts == () else PLAIN[self.wire]

    @cached_property
    def mark(self) -> re.Pattern[bytes]:
        """Finds what may need a look in a conversation: what only another provider reads, and what rules are about."""
        dialect = self.dialect
        if self.wire is not Form.OPENAI_CHAT:
            return re.compile(rb'plano\.v1\.|call_id"|__thought_|"plano-[0-9a-z]{9,12}\.')
        words = ["thinking_blocks"]
        needs_reasoning = dialect.reasoning_placeholder is not None or dialect.thought_signatures == "needed"
        looks_at_calls = dialect.call_ids is not ANY_ID or dialect.name_length is not None or needs_reasoning
        words += ["tool_call"] if looks_at_calls else _NO_IDS
        if dialect.reasoning_content is False:
            words.append("reasoning_content")
        if not dialect.thought_signatures:
            words.append("extra_content")
        if dialect.roles is not None:
            words.append("developer")
        if not dialect.cache_marks:
            words.append("cache_control")
        if dialect.empty_turns != "any":
            words.append(_NO_CONTENT)
        if dialect.marks_prefill:
            words.append("assistant")
        words += sorted(dialect.refused_message_fields)
        if dialect.system_first or self.profile.system_first:
            words.append("system")
        if not dialect.user_after_tool:
            words.append("tool")
        return re.compile(f'"(?:{_join(words)})'.encode())


def _join(words: Collection[str]) -> str:
    """Join alternatives by their first letters: a conversation has many quotation marks, and each is tried at all."""
    kept = [word for word in set(words) if not any(word.startswith(other) and word != other for other in words)]
    groups: dict[str, list[str]] = {}
    for word in sorted(kept):
        groups.setdefault(word[0], []).append(word[1:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items())
