"""A head as the fast path reads it: once, for all requests that differ from it in its blanks alone."""

from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER
from plano_agents.http.server.template import Filled, Template
from plano_agents.http_syntax import Header
from plano_agents.protocol.outline import Outline, cut_around
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.values import MAX_VALUES, SURE_BYTES, has_more_values
from plano_agents.providers.fit.rules import CONVERSATIONS
from plano_agents.router.request.fast_plan import Plan
from plano_agents.router.request.fast_service import FastService
from plano_agents.router.request.surfaces import Endpoint
from plano_agents.sessions.pin import Decision
from plano_agents.sessions.pinning import PinnedAt, Turn
from plano_agents.trace_context import TRACE_HEADERS, TraceContext, parse_trace_context

CHANGING = frozenset(
    [
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags",
        "x-datadog-trace-id",
        "x-datadog-parent-id",
        "x-datadog-sampling-priority",
        "x-datadog-origin",
        "x-datadog-tags",
        "sentry-trace",
        "uber-trace-id",
        "x-cloud-trace-context",
        "x-amzn-trace-id",
        "x-amz-cf-id",
        "newrelic",
        "elastic-apm-traceparent",
        "x-request-id",
        "x-client-request-id",
        "x-correlation-id",
        "request-id",
        "correlation-context",
        "x-request-start",
        "x-queue-start",
        "x-envoy-attempt-count",
        "x-envoy-expected-rq-timeout-ms",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-real-ip",
        "forwarded",
        "cf-ray",
        "idempotency-key",
        "x-stainless-retry-count",
        "x-stainless-read-timeout",
        "x-stainless-timeout",
        "x-codex-turn-metadata",
    ]
)
"""Headers that change from request to request, beside those that carry ids and lengths: of traces (W3C, B3, Datadog,
Sentry, Jaeger, Google, AWS), of requests and their retries, of what stands before the router. They go on, or do not, as
ever; nothing is decided by them but the trace's id."""

MAX_OUTLINES = 4
"""How many outlines of bodies one head knows: those of an agent and its helpers."""

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
        client: The name of the client's key; empty where it has none.
        label: What the client calls its session; None where it says nothing.
        left_out: The headers that hold the client's key, and go no further.
    """

    __slots__ = (
        "__weakref__",
        "_fields",
        "_left_out",
        "_names",
        "_ours_at",
        "_outlines",
        "_plans",
        "_seen",
        "_tenant",
        "_trace",
        "_traces_at",
        "begins",
        "client",
        "endpoint",
        "fast_service",
        "is_traced",
        "label",
        "retained",
    )

    def __init__(
        self,
        fast_service: FastService,
        endpoint: Endpoint,
        template: Template,
        fields: Mapping[str, str],
        *,
        tenant: str,
        client: str,
        label: str | None,
        left_out: frozenset[str],
    ) -> None:
        self.fast_service = fast_service
        self.endpoint = endpoint
        self._fields = fields
        self._tenant = tenant
        self.client = client or None
        """The name of the client's key; None where it has none."""
        self.label = label
        """What the client calls its session; None where it says nothing."""
        self._left_out = left_out
        self._names = names = template.names
        self._ours_at = names.index(_OURS) if _OURS in names else None
        self._trace = {name: fields[name] for name in TRACE_HEADERS & fields.keys()}
        self._traces_at = [(name, names.index(name)) for name in TRACE_HEADERS if name in names]
        self.begins = HINT_HEADER.lower() not in fields
        """True if a session may begin with one of its requests without being asked for a model by its client."""
        self.is_traced = bool(self._trace)
        """True if its requests may be a part of a trace."""
        self._plans: dict[Decision, Plan | None] = {}
        self._outlines: list[Outline] = []  # the one seen last is first
        self._seen: tuple[bytes, bytes] | None = None
        self.retained: dict[PinnedAt, Plan] = {}
        """The plans of what pins decided, by what they were."""

    def read_headers(self, template: Template, filled: Filled) -> Sequence[Header]:
        """Read a request's headers, as the client was let in with them."""
        headers = template.read(filled.values).headers
        return [header for header in headers if header[0] not in self._left_out] if self._left_out else headers

    def read_body(self, body: bytes, filled: Filled) -> RequestBody:
        """Read a request's body, only around its conversation where others had the same there.

        Raises:
            PlanoError: It is not a request.
        """
        session = filled.values[self._ours_at] if self._ours_at is not None else b""
        parse_head = self.endpoint.surface.parse_head
        for outline in self._outlines:
            conversation = outline.find_conversation(body)
            if conversation is None or (len(body) > SURE_BYTES and has_more_values(body, MAX_VALUES)):
                continue
            beginnings = outline.check_conversation(conversation, session)
            if beginnings is not None:
                if outline is not self._outlines[0]:
                    self._outlines.remove(outline)
                    self._outlines.insert(0, outline)
                return RequestBody.build(body, parse_head, outline, conversation, beginnings)
        request = RequestBody(body, parse_head)
        self._learn(request)
        return request

    def forget_outlines(self) -> None:
        """Forget what bodies had in common."""
        self._outlines.clear()

    def _learn(self, request: RequestBody) -> None:
        """Learn what is around a request's conversation, once two in a row had the same there."""
        name = CONVERSATIONS[self.endpoint.surface.form]
        conversation = bytes(request.fields.get(name, b""))
        if request.preferences is not None or not conversation.startswith(b"["):
            return
        cut, seen = cut_around(request.content, conversation), self._seen
        self._seen = cut
        if cut is not None and cut == seen:
            fast_service = self.fast_service
            beginnings = fast_service.beginnings
            outline = Outline(
                *cut, name, request.fields, model=request.model, streams=request.streams, beginnings=beginnings
            )
            self._outlines.insert(0, outline)
            del self._outlines[MAX_OUTLINES:]
            fast_service.learners.add(self)
            fast_service.note_learnt(outline.size)

    def find_trace(self, filled: Filled) -> TraceContext | None:
        """Find the trace that a request is a part of."""
        if not self._trace:
            return None
        return parse_trace_context(
            {**self._trace, **{name: filled.values[at].decode("ascii") for name, at in self._traces_at}}
        )

    def find_turn(
        self, template: Template, filled: Filled, request: RequestBody
    ) -> tuple[str | None, Turn | Coroutine[Any, Any, Turn | None]]:
        """Find a request's affinity id, and the turn that it is, which is not open yet, or what finds it.

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
        return found, turns.find_turn(headers, fields, found, request, self.endpoint, tenant=self._tenant)

    def find_plan(self, decision: Decision, turn: Turn) -> Plan | None:
        """Find the plan of what was decided of a turn; None where the story serves it."""
        try:
            return self._plans[decision]
        except KeyError:
            plan = self._build_plan(decision, turn)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
                self.retained.clear()
                self.forget_outlines()  # they remember what the plans have fitted
            self._plans[decision] = plan
            return plan

    def _build_plan(self, decision: Decision, turn: Turn) -> Plan | None:
        form, service = self.endpoint.surface.form, self.fast_service.service
        served, *_ = service.list_served(decision.model, turn, decision)
        if served.deployment != decision.deployment or form not in served.target.urls:
            return None
        return Plan(
            served,
            form,
            decision,
            self.fast_service.upstream,
            fields=self._fields,
            names=self._names,
            is_traced=service.sampler is not None,
            chooser=service.chooser,
            find_health=partial(service.dispatcher.find_health, served.upstream),
            keeps_health=service.dispatcher.keeps_health(served.upstream),
            note_learnt=self.fast_service.note_learnt,
        )
