"""One target's fitting: which steps are taken, in which order, and when none is needed.

Beside the model's id a request is changed only where a step finds something; steps look only where a cheap test
of the top-level fields or of the bytes says that they may. All but the conversation is the same in most of its turns,
so what came of it is remembered (`known`).
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from plano_agents.config.model import Model, ModelProfile
from plano_agents.errors import RequestError
from plano_agents.protocol import anthropic_messages, openai_chat, openai_responses
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.decoding import BAD_JSON, address
from plano_agents.protocol.form import Form
from plano_agents.protocol.signature_mark import build_mark, mark_encrypted, mark_events, mark_message
from plano_agents.providers.cache_keys import UNAIDED, Caching
from plano_agents.providers.dialects import find_dialect
from plano_agents.providers.fit.cache_marks import fit_cache_marks, set_cache_marks, takes_cache_marks
from plano_agents.providers.fit.document import Document
from plano_agents.providers.fit.effort import fit_effort
from plano_agents.providers.fit.fields import fit_fields, fit_users
from plano_agents.providers.fit.ids import fit_call_ids
from plano_agents.providers.fit.known import Known
from plano_agents.providers.fit.limits import (
    fit_sampling,
    fit_sampling_beside_thinking,
    fit_stops,
    fit_token_limit,
)
from plano_agents.providers.fit.names import restore_names
from plano_agents.providers.fit.reasoning import fit_reasoning
from plano_agents.providers.fit.roles import fit_chat_messages
from plano_agents.providers.fit.rules import CONVERSATIONS, Rules
from plano_agents.providers.fit.schemas import fit_answer_schema
from plano_agents.providers.fit.thinking import fit_cleared_thinking, fit_thinking
from plano_agents.providers.fit.tool_changes import fit_tool_changes
from plano_agents.providers.fit.tools import fit_tools
from plano_agents.providers.fit.turns import fit_turns

Step = Callable[[Document, Rules], None]
"""Applies one kind of rule."""

STEPS: tuple[Step, ...] = (
    fit_token_limit,
    fit_fields,
    fit_users,
    fit_effort,
    fit_thinking,
    fit_sampling,
    fit_sampling_beside_thinking,
    fit_stops,
    fit_call_ids,
    fit_tool_changes,
    fit_tools,
    fit_answer_schema,
    fit_reasoning,
    fit_cleared_thinking,
    fit_chat_messages,
    fit_cache_marks,
    fit_turns,
    set_cache_marks,
)
"""All steps, in order: what a later one looks at is written by an earlier one."""

_LEAVE_OUT_FOREIGN = {
    Form.OPENAI_CHAT: openai_chat.leave_out_foreign,
    Form.ANTHROPIC_MESSAGES: anthropic_messages.leave_out_foreign,
    Form.OPENAI_RESPONSES: openai_responses.leave_out_foreign,
}
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Fitted(Struct, frozen=True):
    """A request that its target takes; a struct, for one is made for every request."""

    body: bytes
    """JSON."""
    adjustments: tuple[Adjustment, ...] = ()
    """What was changed."""
    names: Mapping[str, str] = _NO_NAMES
    """The tools' names as they are sent, to the client's own; see `restore_names`."""

    signature_mark: str = ""
    """See `Rules.signature_mark`."""
    is_response: bool = False
    """True if the answer is on OpenAI's responses wire."""

    @property
    def is_restored(self) -> bool:
        """True if something of the answer is to be put back, or marked."""
        return bool(self.names or self.signature_mark)

    def restore(self, events: bytes) -> bytes:
        """Put the client's own names back into whole events, and mark their signatures."""
        restored = restore_names(events, self.names)
        if not self.signature_mark:
            return restored
        mark = mark_encrypted if self.is_response else mark_events
        return mark(restored, self.signature_mark)

    def restore_whole(self, body: bytes) -> bytes:
        """Do the same with a whole answer."""
        restored = restore_names(body, self.names)
        if not self.signature_mark:
            return restored
        mark = mark_encrypted if self.is_response else mark_message
        return mark(restored, self.signature_mark)

    def __repr__(self) -> str:
        return f"Fitted({self.adjustments!r})"


class Fitting:
    """Fits requests to one target.

    Args:
        model_id: What the provider calls the model.
        rules: What the target takes.
    """

    __slots__ = ("_conversation", "_mark", "_model_id", "_plain", "_rules", "known", "signature_mark")

    def __init__(self, model_id: str, rules: Rules) -> None:
        self._model_id = model_id
        self._rules = rules
        self.known = Known(rules)
        """What came of requests before."""
        self._plain = rules.plain
        self._mark = rules.mark
        self._conversation = CONVERSATIONS[rules.wire]
        self.signature_mark = rules.signature_mark
        """See `Rules.signature_mark`."""

    def fit(
        self, fields: Mapping[str, msgspec.Raw], *, is_translated: bool = False, caching: Caching = UNAIDED
    ) -> Fitted:
        """Fit a request.

        Args:
            fields: Its top-level fields on the target's wire, each value's bytes untouched.
            is_translated: Whether the router wrote it, from another wire.
            caching: The help for its cache at the provider.

        Raises:
            UnsupportedFieldError: It holds what the target does not take and what may not be left out.
        """
        if fields.keys() <= self._plain and self._mark.search(fields.get(self._conversation, b"")) is None:
            return Fitted(address(fields, self._model_id, caching.field))
        around = None if is_translated or caching.sets_marks else self.known.read(fields)
        known = self.known.find(around) if around is not None else None
        if known is not None:
            return Fitted(
                address(
                    {**known.fields, self._conversation: fields[self._conversation]}, self._model_id, caching.field
                ),
                known.adjustments,
                known.names,
                self.signature_mark,
                self._rules.wire is Form.OPENAI_RESPONSES,
            )
        document = self._apply(fields, is_translated=is_translated, sets_marks=caching.sets_marks)
        if around is not None:
            self.known.keep(around, document)
        return Fitted(
            address(document.fields, self._model_id, caching.field),
            tuple(document.adjustments),
            document.names or _NO_NAMES,
            "" if is_translated else self.signature_mark,
            self._rules.wire is Form.OPENAI_RESPONSES,
        )

    def _apply(self, fields: Mapping[str, msgspec.Raw], *, is_translated: bool, sets_marks: bool) -> Document:
        """Take all steps."""
        if not is_translated:
            fields = _LEAVE_OUT_FOREIGN[self._rules.wire](fields)
        document = Document(fields, is_translated=is_translated, sets_marks=sets_marks)
        for step in STEPS:
            try:
                step(document, self._rules)
            except RequestError:
                raise
            except BAD_JSON:
                continue  # not in the wire's form: the provider's own answer says so
        return document


def build_fittings(
    model: Model,
    wires: Iterable[Form],
    profile: ModelProfile,
    *,
    is_own_host: bool,
    marks_from: int | None = None,
) -> Mapping[Form, Fitting]:
    """Build the fittings of a model.

    Args:
        model: A configured model.
        wires: What is spoken natively where it is served.
        profile: What it takes.
        is_own_host: Whether it is served at its provider's own host.
        marks_from: How many tokens a prefix must have for a mark for Anthropic's cache; None where none are set.

    Returns:
        A fitting for each wire.
    """
    mark = build_mark(model.base_url or model.provider)
    marks = {
        Form.ANTHROPIC_MESSAGES: "" if is_own_host or "claude" in model.model_id else mark,
        Form.OPENAI_RESPONSES: "" if model.provider == "openai" else mark,
    }
    return {
        wire: Fitting(
            model.sent_id,
            Rules(
                wire,
                find_dialect(model, wire, is_own_host=is_own_host),
                profile,
                marks.get(wire, ""),
                marks_from if takes_cache_marks(model, wire) else None,
            ),
        )
        for wire in wires
    }
