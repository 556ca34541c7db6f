"""The sessions that responses were made in, by the responses' ids: where ``previous_response_id`` leads.

An id is all that is kept: in this process at most `MAX_RESPONSES` of them, the latest noted; in a shared store for as
long as the session's pin lives unused. What the response says stays with the provider.
"""

from collections import OrderedDict
from typing import NamedTuple

from plano_agents.affinity import MAX_ID_LENGTH
from plano_agents.sessions.lanes import Lane

MAX_RESPONSES = 10_000
"""How many responses' ids a process keeps at most."""

SOURCE = "previous_response_id"
"""How the source of the session's id is told."""


class ResponseKey(NamedTuple):
    """The key of a response: its id within a tenant."""

    tenant: str
    """The tenant header's value; empty where tenants are not separated."""
    response_id: str
    """The response's."""

    @property
    def is_kept(self) -> bool:
        """True if the id is short enough to be kept: no longer than an affinity id may be."""
        return len(self.response_id) <= MAX_ID_LENGTH


class Maker(NamedTuple):
    """The session that made a response."""

    affinity_id: str
    """The session's, within the response's tenant."""
    ttl_seconds: float
    """How long its pin lives after its last use."""
    lane: Lane | None
    """The lane that it is; None for another session."""


class ResponseIds:
    """Knows which session made a response, in this process's memory."""

    def __init__(self) -> None:
        self._makers: OrderedDict[ResponseKey, Maker] = OrderedDict()

    def note(self, response: ResponseKey, maker: Maker) -> None:
        """Note which session made a response; the response noted first is forgotten for one too many."""
        self._makers[response] = maker
        self._makers.move_to_end(response)
        if len(self._makers) > MAX_RESPONSES:
            self._makers.popitem(last=False)

    def find(self, response: ResponseKey) -> Maker | None:
        """Find the session that made a response; None where that is not known."""
        return self._makers.get(response)
