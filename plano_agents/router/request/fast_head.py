"""A head as the fast path reads it: once, for all requests that differ from it in its blanks alone."""

from collections.abc import Mapping, Sequence

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.http.server.template import Filled, Template
from plano_agents.http_syntax import Header
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.fast_plan import Plan
from plano_agents.router.request.fast_service import FastService
from plano_agents.router.request.surfaces import Endpoint
from plano_agents.sessions.at_once import run_at_once
from plano_agents.sessions.pin import Decision
from plano_agents.sessions.pinning import Turn
from plano_agents.trace_context import TRACEPARENT, TRACESTATE, TraceContext, parse_trace_context

CHANGING = frozenset(
    {
        "idempotency-key",
        "traceparent",
        "x-client-request-id",
        "x-codex-turn-metadata",
        "x-request-id",
        "x-stainless-read-timeout",
        "x-stainless-retry-count",
        "x-stainless-timeout",
    }
)
"""Headers that change from request to request, beside those that carry ids and lengths. Nothing is decided by them but
the trace's id."""

MAX_PLANS = 64
"""How many models' plans one head has."""

_OURS = AFFINITY_HEADER.lower()


class FastHead:
    """The requests with one head.

    Args:
        fast_service: What they are served with.
        endpoint: Where they are posted to.
        template: The head, as it was first read.
        fields: The headers that the client is let in with, as they were first read.
        tenant: Whose sessions theirs are.
        label: What the client calls its session; None where it says nothing.
        left_out: The headers that hold the client's key, and go no further.
    """

    __slots__ = (
        "_fields",
        "_left_out",
        "_names",
        "_ours_at",
        "_plans",
        "_tenant",
        "_trace_at",
        "endpoint",
        "fast_service",
        "label",
    )

    def __init__(
        self,
        fast_service: FastService,
        endpoint: Endpoint,
        template: Template,
        fields: Mapping[str, str],
        *,
        tenant: str,
        label: str | None,
        left_out: frozenset[str],
    ) -> None:
        self.fast_service = fast_service
        self.endpoint = endpoint
        self._fields = fields
        self._tenant = tenant
        self.label = label
        """What the client calls its session; None where it says nothing."""
        self._left_out = left_out
        self._names = names = template.names
        self._ours_at = names.index(_OURS) if _OURS in names else None
        self._trace_at = names.index(TRACEPARENT) if TRACEPARENT in names else None
        self._plans: dict[Decision, Plan | None] = {}

    def read_headers(self, template: Template, filled: Filled) -> Sequence[Header]:
        """Read a request's headers, as the client was let in with them."""
        headers = template.read(filled.values).headers
        return [header for header in headers if header[0] not in self._left_out] if self._left_out else headers

    def find_trace(self, filled: Filled) -> TraceContext | None:
        """Find the trace that a request is a part of."""
        fields = self._fields
        if self._trace_at is not None:
            traceparent = filled.values[self._trace_at].decode("ascii")
            return parse_trace_context({TRACEPARENT: traceparent, TRACESTATE: fields.get(TRACESTATE, "")})
        return parse_trace_context(fields) if TRACEPARENT in fields else None

    def find_turn(self, template: Template, filled: Filled, request: RequestBody) -> tuple[str | None, Turn | None]:
        """Find a request's affinity id, and the turn that it is, which is not open yet.

        Raises:
            PlanoError: What names its session is none.
        """
        turns = self.fast_service.service.turns
        if self._ours_at is not None:
            affinity_id = filled.values[self._ours_at].decode("ascii")
            return affinity_id, turns.build_turn(self._tenant, affinity_id)
        headers = self.read_headers(template, filled)
        fields = dict(headers)
        found = turns.find_affinity_id(headers, fields) or turns.read_affinity_id(request)
        return found, run_at_once(turns.find_turn(headers, fields, found, request, self.endpoint))

    def find_plan(self, decision: Decision, turn: Turn) -> Plan | None:
        """Find the plan of what was decided of a turn; None where the story serves it."""
        try:
            return self._plans[decision]
        except KeyError:
            plan = self._build_plan(decision, turn)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            self._plans[decision] = plan
            return plan

    def _build_plan(self, decision: Decision, turn: Turn) -> Plan | None:
        form = self.endpoint.surface.form
        served, *_ = self.fast_service.service.list_served(decision.model, turn, decision)
        if served.deployment != decision.deployment or form not in served.target.urls:
            return None
        return Plan(served, form, decision, self.fast_service.upstream, fields=self._fields, names=self._names)
