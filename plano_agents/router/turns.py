"""Which session a request is a turn of: the affinity id's, an implicit one's, or none.

An explicit id outranks everything. Without one, the request may still be recognised by how its conversation begins
(``sessions.implicit``), where that is configured. What the session does with it is decided by ``sessions``.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from plano_agents.affinity import AFFINITY_HEADER, parse_affinity_id
from plano_agents.config.model import Config
from plano_agents.errors import InvalidAffinityIdError, RequestError
from plano_agents.protocol.openai_chat import ChatHead
from plano_agents.sessions.implicit import derive_implicit_id
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning, Turn

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

    def find_affinity_id(self, headers: Sequence[tuple[str, str]]) -> str | None:
        """Take the affinity id from the first header that carries one.

        Args:
            headers: The request's, in the order they came, names in lower case.

        Raises:
            InvalidAffinityIdError: The id breaks the id rules, or its header came more than once.
        """
        for wanted in self._id_headers:
            values = [value for name, value in headers if name == wanted]
            if len(values) > 1:
                raise InvalidAffinityIdError(
                    f"The header {wanted} came {len(values)} times; send it once.", param=wanted
                )
            if values:
                return parse_affinity_id(values[0])
        return None

    async def begin(
        self,
        headers: Sequence[tuple[str, str]],
        affinity_id: str | None,
        head: ChatHead,
        stack: AsyncExitStack,
    ) -> Turn | None:
        """Begin a turn, which lasts until the stack is left.

        Args:
            headers: The request's, in the order they came, names in lower case.
            affinity_id: Its affinity id, or None.
            head: Its conversation.
            stack: Is left when the request ends.

        Returns:
            The turn; None where the request is of no session.

        Raises:
            RequestError: The tenant is too long, or its header came more than once.
        """
        tenants = [value for name, value in headers if name == self._tenant_header]
        if len(tenants) > 1:
            raise RequestError(
                f"The header {self._tenant_header} came {len(tenants)} times; send it once.",
                param=self._tenant_header,
            )
        tenant = tenants[0] if tenants else ""
        if len(tenant) > MAX_TENANT_CHARACTERS:
            raise RequestError(
                f"The header {self._tenant_header} has {len(tenant):,} characters; at most {MAX_TENANT_CHARACTERS} are taken.",
                param=self._tenant_header,
            )
        ttl_seconds = self._ttl_seconds
        if affinity_id is None and self._takes_implicit:
            salt = await self._pinning.store.salt()
            affinity_id = derive_implicit_id(head, tenant, salt, per_user_turn=self._per_user_turn)
            ttl_seconds = self._implicit_ttl_seconds
        if affinity_id is None:
            return None
        return stack.enter_context(self._pinning.turn(SessionKey(tenant, affinity_id), ttl_seconds))
