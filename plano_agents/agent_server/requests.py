"""The ids of a request's run, and their description in the OpenAPI pages.

The affinity id of a run is the client's; else a new one, or, where the settings say ``affinity: thread``, the one that
its thread has everywhere: then going on with a thread keeps the model.
"""

import uuid
from typing import Any, NamedTuple

from starlette.requests import Request

from plano_agents.affinity import AFFINITY_HEADER, AffinitySource, derive_affinity_id, new_affinity_id
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


class ChosenId(NamedTuple):
    """A run's affinity id."""

    affinity_id: str
    """The id, which is echoed."""
    is_runs: bool
    """True if it was made for this run alone."""


def choose_affinity_id(request: Request, thread_id: str | None, source: AffinitySource) -> ChosenId:
    """Find the run's affinity id, and have it echoed.

    Args:
        request: The client's; an id that it brings comes first.
        thread_id: The run's thread; None for none.
        source: What the id comes from where the client brings none.
    """
    sent = find_sent_answer(request.scope)
    if sent.affinity_id is not None:
        return ChosenId(sent.affinity_id, is_runs=False)
    if source == "thread" and thread_id is not None:
        sent.affinity_id = derive_affinity_id(thread_id)
        return ChosenId(sent.affinity_id, is_runs=False)
    sent.affinity_id = new_affinity_id()
    return ChosenId(sent.affinity_id, is_runs=True)


def read_owner(request: Request) -> str:
    """Read whose API key a request brings; empty where none are configured."""
    owner: str = getattr(request.state, OWNER_STATE_KEY)
    return owner
