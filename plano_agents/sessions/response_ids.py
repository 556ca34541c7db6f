"""The sessions that responses were made in, by the responses' ids: where ``previous_response_id`` leads.

An id is all that is kept, for as long as the session's pin lives and at most `MAX_RESPONSES` of them, the latest used;
in this process alone, so another replica knows none of its. What the response says stays with the provider.
"""

from collections import OrderedDict

from plano_agents.affinity import MAX_ID_LENGTH
from plano_agents.sessions.lanes import Lane
from plano_agents.sessions.pin import SessionKey

MAX_RESPONSES = 10_000
"""How many responses' ids are kept at most."""

SOURCE = "previous_response_id"
"""How the source of the session's id is told."""

Made = tuple[SessionKey, float, Lane | None]
"""A session, how many seconds its pin lives after its last use, and its lane where it has one."""


class ResponseIds:
    """Knows which session made a response; tenants are kept apart."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, str], Made] = OrderedDict()

    def note(self, response_id: str, key: SessionKey, ttl_seconds: float, lane: Lane | None) -> None:
        """Note which session made a response.

        Args:
            response_id: The response's; one that is longer than an affinity id may be is passed over.
            key: The session.
            ttl_seconds: How long its pin lives after its last use.
            lane: The lane that it is; None for another session.
        """
        if len(response_id) > MAX_ID_LENGTH:
            return
        self._made[key.tenant, response_id] = (key, ttl_seconds, lane)
        self._made.move_to_end((key.tenant, response_id))
        if len(self._made) > MAX_RESPONSES:
            self._made.popitem(last=False)

    def find(self, tenant: str, response_id: str) -> Made | None:
        """Find the session that made a response, within a tenant; None where that is not known."""
        return self._made.get((tenant, response_id))

    def forget(self, tenant: str, response_id: str) -> None:
        """Forget a response whose session has ended."""
        self._made.pop((tenant, response_id), None)
