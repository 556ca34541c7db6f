"""Which session a request is a turn of: the affinity id's, an implicit one's, or none.

An explicit id outranks everything. Without one, the request may still be recognised by how its conversation begins
(``sessions.implicit``), where that is configured. What the session does with it is decided by ``sessions``.
"""

from collections.abc import Mapping, Sequence

from plano_agents.affinity import AFFINITY_HEADER, parse_affinity_id
from plano_agents.config.model import Config
from plano_agents.errors import InvalidAffinityIdError, RequestError
from plano_agents.protocol.request_body import RequestBody
from plano_agents.sessions.implicit import derive_implicit_id
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning, Turn

Header = tuple[str, str]
"""A header's name, in lower case, and its value."""

MAX_TENANT_CHARACTERS = 256
"""The longest tenant: it is held with every pin."""


class Turns:
    """Takes requests as turns of their sessions.

    Args:
        config: Which headers carry ids and tenants, and which requests get an implicit session.
        pinning: Keeps the sessions.
    """

    def __init__(self, config: Config, pinning: Pinning) -> None:
        routing, caching = config.routing, config.prompt_caching
        self._pinning = pinning
        self._id_headers = (AFFINITY_HEADER.lower(), *routing.affinity_headers)
        self._tenant_header = routing.session_cache.tenant_header or ""
        self._ttl_seconds = routing.session_ttl_seconds
        self._per_user_turn = routing.route_on_user_only
        by_opening = caching.enabled and caching.session_affinity
        self._takes_implicit = by_opening or self._per_user_turn
        self._implicit_ttl_seconds = (by_opening and caching.session_ttl_seconds) or self._ttl_seconds

    def find_affinity_id(self, headers: Sequence[Header], fields: Mapping[str, str]) -> str | None:
        """Take the affinity id from the first header that carries one.

        Args:
            headers: The request's, in the order they came, names in lower case.
            fields: The same by name.

        Raises:
            InvalidAffinityIdError: The id breaks the id rules, or its header came more than once.
        """
        for wanted in self._id_headers:
            value = fields.get(wanted)
            if value is not None:
                count = _count(headers, fields, wanted)
                if count > 1:
                    raise InvalidAffinityIdError(
                        f"The header {wanted} came {count} times; send it once.", param=wanted
                    )
                return parse_affinity_id(value)
        return None

    async def find_turn(
        self,
        headers: Sequence[Header],
        fields: Mapping[str, str],
        affinity_id: str | None,
        request: RequestBody,
    ) -> Turn | None:
        """Find the turn that a request is; it is not open yet.

        Args:
            headers: The request's, in the order they came, names in lower case.
            fields: The same by name.
            affinity_id: Its affinity id, or None.
            request: Its body.

        Returns:
            The turn; None where the request is of no session.

        Raises:
            RequestError: The tenant is too long, or its header came more than once.
        """
        tenant = self._find_tenant(headers, fields)
        ttl_seconds = self._ttl_seconds
        if affinity_id is None and self._takes_implicit:
            salt = await self._pinning.store.salt()
            affinity_id = derive_implicit_id(request.head, tenant, salt, per_user_turn=self._per_user_turn)
            ttl_seconds = self._implicit_ttl_seconds
        if affinity_id is None:
            return None
        return self._pinning.turn(SessionKey(tenant, affinity_id), ttl_seconds)

    def _find_tenant(self, headers: Sequence[Header], fields: Mapping[str, str]) -> str:
        tenant = fields.get(self._tenant_header)
        if tenant is None:
            return ""
        count = _count(headers, fields, self._tenant_header)
        if count > 1:
            raise RequestError(
                f"The header {self._tenant_header} came {count} times; send it once.",
                param=self._tenant_header,
            )
        if len(tenant) > MAX_TENANT_CHARACTERS:
            raise RequestError(
                f"The header {self._tenant_header} has {len(tenant):,} characters; at most {MAX_TENANT_CHARACTERS} are taken.",
                param=self._tenant_header,
            )
        return tenant


def _count(headers: Sequence[Header], fields: Mapping[str, str], wanted: str) -> int:
    """Count how often a header came that came at least once."""
    return 1 if len(headers) == len(fields) else sum(name == wanted for name, _ in headers)
