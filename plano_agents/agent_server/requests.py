"""The ids of a request's run, and their description in the OpenAPI pages.

The affinity id of a run is the client's; else the one its thread has everywhere; a client that names no thread gets a
new one, so that going on with it later keeps the model.
"""

import uuid
from typing import Any

from starlette.requests import Request

from plano_agents.affinity import AFFINITY_HEADER, derive_affinity_id, new_affinity_id
from plano_agents.agent_server import schema
from plano_agents.agent_server.connection import OWNER_STATE_KEY
from plano_agents.agent_server.sent_answer import find_sent_answer

ECHO = {AFFINITY_HEADER: {"description": "The run's affinity id.", "schema": {"type": "string"}}}
"""The header of every answer of a run."""

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schema.ErrorBody, "description": "The request cannot be served as it stands."},
    "5XX": {"model": schema.ErrorBody, "description": "The router, a model or the agent failed."},
}
"""The answers that every endpoint may give."""

AFFINITY_PARAMETER = {
    "parameters": [
        {
            "name": AFFINITY_HEADER,
            "in": "header",
            "required": False,
            "description": "The affinity id that every model call of the run carries: 1 to 256 visible ASCII "
            "characters, sent once. Without it the run gets one.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 256},
            "example": "checkout-review-7",
        }
    ]
}
"""The header of every request for a run."""


def new_run_id() -> str:
    """Name a new run."""
    return f"run_{uuid.uuid4().hex}"


def choose_affinity_id(request: Request, thread_id: str | None) -> str:
    """Find the run's affinity id, and have it echoed."""
    sent = find_sent_answer(request.scope)
    if sent.affinity_id is None:
        sent.affinity_id = derive_affinity_id(thread_id) if thread_id is not None else new_affinity_id()
    return sent.affinity_id


def read_owner(request: Request) -> str:
    """Read whose API key a request brings; empty where none are configured."""
    owner: str = getattr(request.state, OWNER_STATE_KEY)
    return owner
