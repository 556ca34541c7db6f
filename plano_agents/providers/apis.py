"""The APIs that a model is spoken to in, and which requests its provider takes on one of them alone.

OpenAI's newest models refuse tools beside a reasoning effort on chat completions ("Function tools with reasoning_effort
are not supported … in /v1/chat/completions"), and some models are served on responses only. The rows in `models.toml`
say which; here stands what their words mean (`ModelProfile.responses_for`).
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from plano_agents.config.model import ModelProfile
from plano_agents.config.options import Api
from plano_agents.protocol.form import Form

WIRES: Mapping[Api, Form] = MappingProxyType(
    {"chat": Form.OPENAI_CHAT, "messages": Form.ANTHROPIC_MESSAGES, "responses": Form.OPENAI_RESPONSES}
)
"""The wire format of each API, by the name that settings call it."""

_NOTHING = (None, b"null", b"[]")


def needs_responses(profile: ModelProfile, form: Form, fields: Mapping[str, msgspec.Raw]) -> bool:
    """Check whether a request is taken on the responses API alone.

    A request of another API than chat completions is judged by its tools alone: it is translated anyway.

    Args:
        profile: What the model takes.
        form: The wire that the request is on; not that of responses.
        fields: Its top-level fields.
    """
    rule = profile.responses_for
    if rule in {None, "none", "all"}:
        return rule == "all"
    if _read(fields, "tools") in _NOTHING:
        return False
    if form is not Form.OPENAI_CHAT:
        return True
    effort = _read(fields, "reasoning_effort")
    asks_for_none = effort == b'"none"' and (profile.efforts is None or "none" in profile.efforts)
    return not asks_for_none and (rule == "tools" or effort not in _NOTHING)


def _read(fields: Mapping[str, msgspec.Raw], name: str) -> bytes | None:
    raw = fields.get(name)
    return None if raw is None else bytes(raw)
