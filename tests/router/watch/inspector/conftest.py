"""Fixtures of the inspector's tests."""

from typing import Any

from plano_agents.config.model import Preference
from plano_agents.protocol.usage import Tokens
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.inspector.record import Record
from plano_agents.routing.strategy import Ranking, Scored
from plano_agents.sessions.pin import Decision, SessionKey


def build_record(session: str | None = "run-1", **fields: Any) -> Record:  # noqa: ANN401 - a record's
    """A pinned turn on a model that answered well, unless told otherwise."""
    given = {"model": "openai/gpt-4o", "decision": "retain", "reason": "pinned", "status": 200, **fields}
    tenant = given.pop("tenant", "")
    return Record(tenant, session, given.pop("at", 0.0), "0" * 32, "/v1/chat/completions", 12.0, **given)


def build_trail(session: str | None = "run-1", model: str = "openai/gpt-4o", **fields: Any) -> Trail:  # noqa: ANN401 - a trail's
    """The trail of a pinned turn that was answered well, unless told otherwise."""
    trail = Trail("0" * 32, "/v1/chat/completions", 0.0, 0.0, status=200, answered=200, upstream_ms=10.0)
    trail.session = SessionKey("", session) if session is not None else None
    trail.decision = Decision(model, None, "retain", "pinned")
    trail.tokens, trail.duration_ms, trail.routing_ms = Tokens(100, 7, 64), 12.0, 0.5
    for name, value in fields.items():
        setattr(trail, name, value)
    return trail


def build_ranking() -> Ranking:
    """One preference, that matched."""
    code = Preference("code", "writing code", ("openai/gpt-4o",))
    return Ranking("embedded", code, (Scored(code, 0.5),), 0.3)
