"""Fixtures of the inspector's tests."""

from typing import Any

from plano_agents.router.watch.inspector.record import Record


def build_record(session: str | None = "run-1", **fields: Any) -> Record:  # noqa: ANN401 - a record's
    """A pinned turn on a model that answered well, unless told otherwise."""
    given = {"model": "openai/gpt-4o", "decision": "retain", "reason": "pinned", "status": 200, **fields}
    tenant = given.pop("tenant", "")
    return Record(tenant, session, given.pop("at", 0.0), "0" * 32, "/v1/chat/completions", 12.0, **given)
