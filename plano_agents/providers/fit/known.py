"""The outcome of fitting all of a request but its conversation, which is the same in most turns of a conversation.

It is remembered where the conversation is quiet, see `quiet`, and where no rule counts what the conversation holds:
then the next request with the same fields, in the same order, needs no step.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.cache_marks import MARK, QUOTED_MARK
from plano_agents.providers.fit.document import Document, is_list
from plano_agents.providers.fit.limits import LIMIT_FIELDS
from plano_agents.providers.fit.quiet import Quiet
from plano_agents.providers.fit.rules import CONVERSATIONS, Rules

MAX_KNOWN = 32
"""For how many requests' fields it is remembered what came of them; the earliest goes first."""

MAX_BYTES = 256 * 1024
"""How long the fields are together, at most."""

_LOOP_THINKING = frozenset({"budget", "any"})
"""Models whose thinking depends on whether the conversation is within a loop of tools."""

Fields = dict[str, msgspec.Raw]


class Outcome(NamedTuple):
    """The outcome of a request whose conversation is quiet."""

    given: Fields
    """Its fields but the conversation."""
    fields: Fields
    """The fields as they are sent, in their order, the conversation among them."""
    adjustments: tuple[Adjustment, ...]
    """What was changed."""
    names: Mapping[str, str]
    """The tools' names as they are sent, to the client's own."""


class Around(NamedTuple):
    """A request's fields around its conversation."""

    key: tuple[str | int, ...]
    """Their names in order, and their lengths."""
    fields: Fields
    """The fields."""


class Known:
    """The memory of one target's fitting.

    Args:
        rules: What the target takes.
    """

    __slots__ = ("_conversation", "_known", "_rules", "quiet")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.quiet = Quiet(rules)
        """Tells the conversations that no step looks at."""
        self._conversation = CONVERSATIONS[rules.wire]
        self._known: dict[tuple[str | int, ...], Outcome] = {}

    def __len__(self) -> int:
        """The number of requests whose fields are remembered."""
        return len(self._known)

    def read(self, given: Mapping[str, msgspec.Raw]) -> Around | None:
        """Read a request's fields around its conversation; None where what comes of them depends on it.

        Args:
            given: Its top-level fields.
        """
        fields = dict(given)
        conversation = fields.pop(self._conversation, None)
        if conversation is None or not is_list(conversation):
            return None
        if self._looks_back(fields) or not self.quiet.holds(bytes(conversation), self.count_marks(fields)):
            return None
        return Around((*given, *map(len, fields.values())), fields)

    def find(self, around: Around) -> Outcome | None:
        """Find what came of such fields."""
        known = self._known.get(around.key)
        return known if known is not None and known.given == around.fields else None

    def keep(self, around: Around, document: Document) -> None:
        """Remember what came of fields."""
        fields = {name: raw.copy() for name, raw in around.fields.items()}
        if sum(map(len, fields.values())) > MAX_BYTES:
            return
        sent = {name: raw.copy() if name != self._conversation else _NOTHING for name, raw in document.fields.items()}
        names = MappingProxyType(dict(document.names))
        self._known.pop(around.key, None)
        self._known[around.key] = Outcome(fields, sent, tuple(document.adjustments), names)
        if len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def count_marks(self, fields: Mapping[str, msgspec.Raw]) -> int:
        """Count a request's marks for Anthropic's cache that do not stand in its conversation."""
        if self._rules.wire is not Form.ANTHROPIC_MESSAGES:
            return 0
        return (MARK in fields) + sum(
            bytes(fields[each]).count(QUOTED_MARK) for each in ("system", "tools") if each in fields
        )

    def _looks_back(self, fields: Fields) -> bool:
        """Check whether fields are fitted by the length of a conversation that is quiet, or by its calls."""
        if self._rules.wire is not Form.ANTHROPIC_MESSAGES:
            return self._rules.dialect.needs_limit
        if self._rules.dialect.needs_limit and not any(name in fields for name in LIMIT_FIELDS[self._rules.wire]):
            return True
        if "thinking" not in fields and "output_config" not in fields:
            return False
        return self._rules.profile.thinking in _LOOP_THINKING or b'"enabled"' in bytes(fields.get("thinking", b""))


_NOTHING = msgspec.Raw(b"null")
