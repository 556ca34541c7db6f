"""The session that a request is a turn of: an affinity id's, a recognised harness', an implicit one's, or none.

=====  ==================================================  ====================================================
order  whose session                                       ``X-Plano-Session``
=====  ==================================================  ====================================================
1      ``X-Model-Affinity``                                none: the answer repeats the id
2      a header of ``routing.affinity_headers``            ``header=<name>``, and a sub-agent's lane where the
                                                           harness that sends the header names it
3      a field of ``routing.affinity_fields``              ``field=<path>``
4      the id of a recognised harness                      ``harness=<name>; lane=<lane>``
       (``routing.harness_sessions``)
5      the session that made the response which            ``previous_response_id``
       ``previous_response_id`` names, while its pin lives
6      how the conversation begins, where configured       ``implicit``
=====  ==================================================  ====================================================

An explicit id (1 to 3) is taken as it is, and outranks everything. The scope is that of ``X-Model-Affinity-Scope``,
else ``routing.scope``; a harness' own session has the scope ``session`` unless that header says otherwise. What the
session does with a request is decided by ``sessions``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import msgspec

from plano_agents.affinity import AFFINITY_HEADER, SCOPE_HEADER, parse_affinity_id
from plano_agents.config.model import Config
from plano_agents.config.options import Scope
from plano_agents.errors import InvalidAffinityIdError, RequestError
from plano_agents.http_syntax import read_as_sent
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.needs import offers_tools
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.candidates import is_cache_off
from plano_agents.router.request.surfaces import Endpoint
from plano_agents.router.request.switch_budget import FindMetrics, SwitchBudget
from plano_agents.sessions.harnesses import NAMED_LANES, read_id, recognise
from plano_agents.sessions.implicit import derive_implicit_id
from plano_agents.sessions.lanes import SEPARATOR, Origin, build_lane, name_agent_lane
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.pinning import Pinning, Turn
from plano_agents.sessions.response_ids import SOURCE, ResponseKey
from plano_agents.sessions.user_turns import name_user_turn

Header = tuple[str, str]
"""A header's name, in lower case, and its value."""

MAX_TENANT_CHARACTERS = 256
"""The longest tenant: it is held with every pin."""

_OURS = AFFINITY_HEADER.lower()
_SCOPE = SCOPE_HEADER.lower()
_SESSION: Scope = "session"


class Turns:
    """Takes requests as turns of their sessions.

    Args:
        config: Which headers and fields carry ids and tenants, and which requests get another session.
        pinning: Keeps the sessions.
        find_metrics: Gives what is known of the models' prices.
        wall_clock: Unix time in seconds.
    """

    def __init__(
        self, config: Config, pinning: Pinning, find_metrics: FindMetrics, wall_clock: Callable[[], float]
    ) -> None:
        routing, caching = config.routing, config.prompt_caching
        self._pinning = pinning
        self._budget = SwitchBudget(routing.routing_budget, find_metrics, wall_clock)
        self._id_headers = (_OURS, *routing.affinity_headers)
        self._id_fields = routing.affinity_fields
        self._takes_harnesses = routing.harness_sessions
        self._scope = routing.scope
        self._tenant_header = routing.session_cache.tenant_header or ""
        self._ttl_seconds = routing.session_ttl_seconds
        self._per_user_turn = routing.route_on_user_only
        by_opening = caching.enabled and caching.session_affinity
        self._takes_implicit = by_opening or self._per_user_turn
        self._implicit_ttl_seconds = (by_opening and caching.session_ttl_seconds) or self._ttl_seconds

    @property
    def id_headers(self) -> Sequence[str]:
        """The headers that may carry an affinity id, the one that counts first."""
        return self._id_headers

    @property
    def scope(self) -> Scope:
        """The scope of sessions whose requests name none."""
        return self._scope

    @property
    def tenant_header(self) -> str:
        """The header that tells tenants apart; empty where none does."""
        return self._tenant_header

    @property
    def is_shared(self) -> bool:
        """True if other replicas share the sessions: then a pin is not at hand at once."""
        return self._pinning.store.is_shared

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
                    raise InvalidAffinityIdError(f"The header {wanted} came {count} times; send it once.", param=wanted)
                try:
                    return parse_affinity_id(value)
                except InvalidAffinityIdError:
                    parse_affinity_id(read_as_sent(value))
                    raise
        return None

    def read_affinity_id(self, request: RequestBody) -> str | None:
        """Take the affinity id from the first field of the body that holds one.

        Raises:
            InvalidAffinityIdError: The id breaks the id rules.
        """
        for path in self._id_fields:
            value = _read_field(request.fields, path)
            if value is not None:
                return parse_affinity_id(value)
        return None

    async def find_turn(
        self,
        headers: Sequence[Header],
        fields: Mapping[str, str],
        affinity_id: str | None,
        request: RequestBody,
        endpoint: Endpoint,
        *,
        tenant: str,
    ) -> Turn | None:
        """Find the turn that a request is; it is not open yet.

        Args:
            headers: The request's, in the order they came, names in lower case.
            fields: The same by name.
            affinity_id: Its affinity id, from a header or a field, or None.
            request: Its body.
            endpoint: Where it was posted to.
            tenant: Whose session it is.

        Returns:
            The turn; None where the request is of no session.

        Raises:
            RequestError: The scope or the budget is none.
        """
        if fields.get(_SCOPE, self._scope) != _SESSION:
            return await self._find_scoped(headers, fields, affinity_id, request, endpoint, tenant=tenant)
        if affinity_id is not None and _OURS in fields:
            return self.build_turn(tenant, affinity_id)
        if affinity_id is not None:
            name, source = self._name_session(fields, affinity_id, request)
            return self._pinning.turn(SessionKey(tenant, name), self._ttl_seconds, Origin(source))
        shown = recognise(fields, request.fields) if self._takes_harnesses else None
        if shown is not None:
            lane = build_lane(shown, request.model, has_tools=offers_tools(request.fields))
            lane = await self._pinning.find_lane(tenant, lane)
            key = SessionKey(tenant, lane.key)
            return self._pinning.turn(key, self._ttl_seconds, Origin(lane.source, lane))
        made = await self._find_made(tenant, request)
        if made is not None or not self._takes_implicit or is_cache_off(fields):
            return made
        salt = await self._pinning.store.salt()
        implicit = derive_implicit_id(request.head, tenant, salt, per_user_turn=self._per_user_turn)
        key = SessionKey(tenant, implicit or "")
        return self._pinning.turn(key, self._implicit_ttl_seconds, Origin("implicit")) if implicit else None

    async def _find_scoped(
        self,
        headers: Sequence[Header],
        fields: Mapping[str, str],
        affinity_id: str | None,
        request: RequestBody,
        endpoint: Endpoint,
        *,
        tenant: str,
    ) -> Turn | None:
        """Find the turn that a request is whose scope is not a whole session."""
        asked = fields.get(_SCOPE)
        if asked is not None and (asked not in get_args(Scope) or _count(headers, fields, _SCOPE) > 1):
            raise RequestError(
                f"The header {SCOPE_HEADER} is {asked[:40]!r}. Send 'session' or 'user_turn', once.", param=_SCOPE
            )
        whole = [*(header for header in headers if header[0] != _SCOPE), (_SCOPE, _SESSION)]  # `_count` compares both
        turn = await self.find_turn(whole, {**fields, _SCOPE: _SESSION}, affinity_id, request, endpoint, tenant=tenant)
        is_no_message = endpoint.compacts or endpoint.counts_only
        if turn is None or is_no_message or (asked is None and turn.lane is not None):
            return turn
        salt, after = await self._pinning.store.salt(), _read_field(request.fields, SOURCE)
        after = after if isinstance(after, str) else None
        user_turn = name_user_turn(request.head, turn.key.tenant, salt, after=after)
        return (
            turn if user_turn is None else self._pinning.user_turn(turn, user_turn, self._budget.build(fields, request))
        )

    def build_turn(self, tenant: str, affinity_id: str) -> Turn:
        """Build the turn of a request whose id is in our own header; it is not open yet."""
        return Turn(self._pinning, SessionKey(tenant, affinity_id), self._ttl_seconds)

    async def _find_made(self, tenant: str, request: RequestBody) -> Turn | None:
        """Find the session that made the response which a request goes on from; None where none is known, or lives."""
        named = _read_field(request.fields, SOURCE)
        if not isinstance(named, str):
            return None
        response = ResponseKey(tenant, named)
        maker = await self._pinning.store.find_maker(response) if response.is_kept else None
        if maker is None:
            return None
        key = SessionKey(tenant, maker.affinity_id)
        if not await self._pinning.is_pinned(key):
            return None
        return self._pinning.turn(key, maker.ttl_seconds, Origin(SOURCE, maker.lane))

    def _name_session(self, fields: Mapping[str, str], affinity_id: str, request: RequestBody) -> tuple[str, str]:
        """Name the session of an id that came in a configured header or field, and where it came from."""
        header = next((name for name in self._id_headers if name in fields), None)
        if header is None:
            path = next(path for path in self._id_fields if _read_field(request.fields, path) is not None)
            return affinity_id, f"field={path}"
        agent = read_id(fields, NAMED_LANES.get(header))
        if agent is None:
            return affinity_id, f"header={header}"
        lane = name_agent_lane(agent)
        return f"{affinity_id}{SEPARATOR}{lane}", f"header={header}; lane={lane}"

    def find_tenant(self, headers: Sequence[Header], fields: Mapping[str, str], client: str) -> str:
        """Find whose session a request's is; empty where tenants are not separated.

        Raises:
            RequestError: The tenant is too long, or its header came more than once.
        """
        if not self._tenant_header:
            return client
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


def _read_field(fields: Mapping[str, msgspec.Raw], path: str) -> object:
    """Read a field of a body; None where there is none, or null."""
    first, *others = path.split(".")
    if first not in fields:
        return None
    try:
        value: object = msgspec.json.decode(fields[first])
    except BAD_JSON:
        return None
    for name in others:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _count(headers: Sequence[Header], fields: Mapping[str, str], wanted: str) -> int:
    """Count how often a header came that came at least once."""
    return 1 if len(headers) == len(fields) else sum(name == wanted for name, _ in headers)
