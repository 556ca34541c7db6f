"""The router's spans, made of a request's trail once it is over: the request, its routing decision, each sending.

Their ids were made when the request came (``sampling``), for its sendings name theirs to the provider. Names and
attributes follow OpenTelemetry's conventions for HTTP servers and for generative AI (``observe.spans.attributes``); the
sendings are the clients' spans of the latter. Nothing of what was said is among them, unless the settings want it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind

from plano_agents.config.model import Config
from plano_agents.observe.spans import attributes as names
from plano_agents.observe.spans import messages
from plano_agents.observe.spans.destination import Destination
from plano_agents.observe.spans.export import Export
from plano_agents.observe.spans.spans import build_parent, fail
from plano_agents.protocol.identity import read_identity
from plano_agents.providers.target import build_target
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.sampling import DECISION, FIRST_SENDING, Sampler, Trace
from plano_agents.router.request.surfaces import ENDPOINTS
from plano_agents.router.request.trail import Observer, Trail, Try

SERVER_ERROR = 500
CLIENT_ERROR = 400
CACHED_ADDRESSES = 1_000
"""Of how many models the address is remembered: a wildcard's have no end."""

_NOT_TOLD = frozenset({"api-key", "authorization", "cookie", "proxy-authorization", "x-api-key", "x-model-affinity"})
"""Headers that no prefix makes an attribute of: keys, and the id, which stands in spans hashed; the configured headers
of an id are added."""

Attributes = dict[str, Any]


class Collector:
    """The router's way to its collector.

    Args:
        destination: The collector.

    Raises:
        ConfigError: The exporter refuses what the environment says.
    """

    def __init__(self, destination: Destination) -> None:
        self._ids = _ChosenIds()
        # Who is sampled was decided when the request came; the others never come here.
        self._export = Export(destination, service="plano-agents-router", sampler=ALWAYS_ON, ids=self._ids)

    def observe(self, config: Config) -> tuple[Sampler, Observer]:
        """Say what begins and what ends the traces of requests under a configuration."""
        spans = _Spans(config, self._start)
        sampler = Sampler(
            config.tracing.random_sampling,
            spans.find_attributes,
            keeps_content=config.tracing.content,
            clock=time.perf_counter,
        )
        return sampler, spans.observe

    def close(self) -> None:
        """Send what is left, for a bounded time."""
        self._export.close()

    def _start(
        self, trace: Trace, place: int, name: str, *, kind: SpanKind, attributes: Attributes, began: int
    ) -> Span:
        """Start a span with the id of its place in the request."""
        self._ids.trace_id, self._ids.span_id = int(trace.trace_id, 16), trace.find_id(place)
        parent = trace.context(0) if place else trace.parent
        context = build_parent(parent, is_remote=not place) if parent is not None else Context()
        return self._export.tracer.start_span(name, context=context, kind=kind, attributes=attributes, start_time=began)


class _ChosenIds(IdGenerator):
    """Gives the ids that the next span is to have."""

    trace_id = 0
    span_id = 0

    def generate_span_id(self) -> int:
        """See `IdGenerator.generate_span_id`."""
        return self.span_id

    def generate_trace_id(self) -> int:
        """See `IdGenerator.generate_trace_id`."""
        return self.trace_id


@dataclass(frozen=True, slots=True)
class _Sending:
    """A sending, as far as its span goes."""

    model: str
    """Provider-qualified."""
    began: float
    """When, on the service's clock, in seconds."""
    ended: float
    """When, on the same."""
    retries: int
    """How many sendings to the same model came before it."""
    tried: Try | None
    """What came of it; None where the client left before anything did."""
    deployment: str | None
    """Which of the model's deployments; None for a model without deployments."""
    answers: bool
    """True if the client got its answer."""


class _Spans:
    """Makes the spans of requests under one configuration.

    Args:
        config: Its models' addresses, and what stands in spans.
        start: Starts a span.
    """

    def __init__(self, config: Config, start: Callable[..., Span]) -> None:
        self._config = config
        self._start = start
        self._prefixes = config.tracing.span_attributes.header_prefixes
        self._not_told = _NOT_TOLD.union(config.routing.affinity_headers)
        self._static = config.tracing.span_attributes.static
        self._find_address = lru_cache(CACHED_ADDRESSES)(self._read_address)

    def find_attributes(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Take what is to stand in a request's span from its headers: the configured ones, and who asks.

        ``x-acme-tenant-id`` under the prefix ``x-acme-`` is ``tenant.id``, as in Plano.
        """
        found = {names.USER_AGENT: headers["user-agent"]} if "user-agent" in headers else {}
        for name, value in headers.items():
            prefix = next((each for each in self._prefixes if name.startswith(each)), None)
            key = name[len(prefix) :].lstrip("-").replace("-", ".") if prefix is not None else ""
            if key and name not in self._not_told:
                found[key] = value.strip()
        return found

    def observe(self, trails: Sequence[Trail]) -> None:
        """See `Observer`."""
        for trail in trails:
            self.tell(trail)

    def tell(self, trail: Trail) -> None:
        """Make the spans of a request that is over, if it is sampled."""
        trace = trail.trace
        if trace is None or not trace.is_sampled:
            return
        try:
            self._make(trail, trace)
        except Exception as error:  # noqa: BLE001 - tracing breaks no request
            report_bug(error, trail.trace_id)

    def _make(self, trail: Trail, trace: Trace) -> None:
        ended = trail.started + (trail.duration_ms or 0.0) / 1000

        def at(seconds: float) -> int:
            """Unix time in nanoseconds, of a moment on the service's clock."""
            return int((trail.began_at + seconds - trail.started) * 1e9)

        request = self._start(
            trace,
            0,
            f"POST {trail.path}",
            kind=SpanKind.SERVER,
            attributes=self._describe_request(trail, trace),
            began=at(trail.started),
        )
        if (failure := _name_request_failure(trail)) is not None:
            fail(request, failure)
        if trail.decision is not None and trail.routing_ms is not None:
            decided = self._start(
                trace,
                DECISION,
                "route",
                kind=SpanKind.INTERNAL,
                attributes={**self._static, **_describe_decision(trail), **_describe_ranking(trail)},
                began=at(trail.started),
            )
            decided.end(at(trail.started + trail.routing_ms / 1000))
        for number, sending in enumerate(_list_sendings(trail, trace, ended)):
            span = self._start(
                trace,
                FIRST_SENDING + number,
                f"chat {sending.model.partition('/')[2]}",
                kind=SpanKind.CLIENT,
                attributes=self._describe_sending(sending, trail, trace),
                began=at(sending.began),
            )
            failure = _name_failure(sending, trail)
            if failure is not None:
                fail(span, failure)
            span.end(at(sending.ended))
        request.end(at(ended))

    def _describe_request(self, trail: Trail, trace: Trace) -> Attributes:
        found: Attributes = {
            **self._static,
            **trace.attributes,
            names.METHOD: "POST",
            names.HTTP_ROUTE: trail.path,
            names.PATH: trail.path,
            names.SCHEME: "http",
            **_describe_session(trail),
            **_describe_decision(trail),
        }
        if trail.status is not None:
            found[names.STATUS] = trail.status
        if trail.client_left:
            found[names.CLIENT_LEFT] = True
        return found

    def _describe_sending(self, sending: _Sending, trail: Trail, trace: Trace) -> Attributes:
        provider, _, model = sending.model.partition("/")
        host, port = self._find_address(sending.model, sending.deployment)
        found: Attributes = {
            **self._static,
            names.OPERATION: "chat",
            names.PROVIDER: names.name_provider(provider),
            names.REQUEST_MODEL: model,
            **_describe_session(trail),
        }
        if host is not None:
            found |= {names.SERVER_ADDRESS: host, names.SERVER_PORT: port}
        if sending.deployment is not None:
            found[names.DEPLOYMENT] = sending.deployment
        if sending.retries:
            found[names.RESEND_COUNT] = sending.retries
        if sending.tried is not None and sending.tried.status is not None:
            found[names.STATUS] = sending.tried.status
        if sending.answers:
            found |= _describe_answer(trail, trace, sending)
        if trace.request:
            found |= _describe_content(trail, trace, answers=sending.answers)
        return found

    def _read_address(self, name: str, deployment: str | None) -> tuple[str | None, int]:
        """The address of a model's server, or a deployment's: host and port."""
        model = self._config.find_model(name)
        if model is None:
            return None, 0
        model = next((model.deploy(each) for each in model.deployments if each.name == deployment), model)
        parts = urlsplit(build_target(model).url)
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _list_sendings(trail: Trail, trace: Trace, ended: float) -> Iterator[_Sending]:
    """Join what was sent and what came of it; the last may have had no time to come to anything."""
    served = trail.decision.model if trail.decision is not None else None
    counts: Counter[str] = Counter()
    for number, (model, began, deployment) in enumerate(trace.sendings):
        tried = trail.tries[number] if number < len(trail.tries) else None
        is_last = number == len(trace.sendings) - 1
        answers = is_last and tried is not None and tried.failure is None and model == served
        goes_on = tried is None or (answers and trail.streams)
        end = ended if goes_on or tried is None else began + tried.duration_ms / 1000
        yield _Sending(model, began, end, counts[model], tried, deployment, answers)
        counts[model] += 1


def _name_request_failure(trail: Trail) -> str | None:
    """Name what went wrong with a request; a client's own mistake (4xx) is not a failure of a server's."""
    status = trail.status or SERVER_ERROR
    if CLIENT_ERROR <= status < SERVER_ERROR or (trail.failure is None and trail.client_left):
        return None
    return trail.failure or (str(status) if status >= SERVER_ERROR else None)


def _name_failure(sending: _Sending, trail: Trail) -> str | None:
    """Name what became of a sending, where it is no good answer."""
    if sending.tried is None:
        return "client_left"
    if sending.tried.failure is not None:
        return sending.tried.failure
    if (sending.tried.status or 0) >= CLIENT_ERROR:
        return str(sending.tried.status)
    return trail.failure if sending.answers else None


def _describe_session(trail: Trail) -> Attributes:
    if trail.session is None:
        return {}
    return {names.CONVERSATION: names.hash_affinity_id(trail.session.affinity_id)}


def _describe_decision(trail: Trail) -> Attributes:
    decision = trail.decision
    if decision is None:
        return {}
    found: Attributes = {names.DECISION: decision.kind, names.MODEL: decision.model}
    if decision.reason is not None:
        found[names.REASON] = decision.reason
    if decision.because is not None:
        found[names.BECAUSE] = decision.because
    if decision.pinned is not None:
        found[names.PINNED] = decision.pinned
    if decision.deployment is not None:
        found[names.DEPLOYMENT] = decision.deployment
    if decision.degraded:
        found[names.DEGRADED] = decision.degraded
    if decision.route is not None:
        found[names.ROUTE] = decision.route
    return found


def _describe_ranking(trail: Trail) -> Attributes:
    ranking = trail.ranking
    if ranking is None:
        return {}
    found: Attributes = {names.STRATEGY: ranking.strategy}
    if ranking.threshold is not None:
        found[names.THRESHOLD] = ranking.threshold
    scores: Sequence[tuple[str, float]] = [
        (each.preference.name, each.score) for each in ranking.scored if each.score is not None
    ]
    if scores:
        found |= {names.PREFERENCES: [name for name, _ in scores], names.SCORES: [each for _, each in scores]}
    if ranking.match is not None and ranking.match.name in dict(scores):
        found[names.SCORE] = dict(scores)[ranking.match.name]
    return found


def _describe_answer(trail: Trail, trace: Trace, sending: _Sending) -> Attributes:
    found: Attributes = {names.REQUEST_STREAM: trail.streams}
    identity = read_identity(trace.head, streams=trail.streams)
    if identity.id is not None:
        found[names.RESPONSE_ID] = identity.id
    if identity.model is not None:
        found[names.RESPONSE_MODEL] = identity.model
    if any(trail.tokens):
        found |= {
            names.INPUT_TOKENS: trail.tokens.input,
            names.OUTPUT_TOKENS: trail.tokens.output,
            names.CACHED_TOKENS: trail.tokens.cached,
            names.WRITTEN_TOKENS: trail.tokens.written,
        }
    if trail.streams and trail.first_ms is not None:
        found[names.FIRST_CHUNK] = trail.started + trail.first_ms / 1000 - sending.began
    return found


def _describe_content(trail: Trail, trace: Trace, *, answers: bool) -> Attributes:
    form = ENDPOINTS[trail.path].surface.form
    said = messages.read_input(form, trace.request)
    found: Attributes = {names.INPUT_MESSAGES: messages.encode_messages(said.messages)}
    if said.instructions:
        found[names.SYSTEM_INSTRUCTIONS] = messages.encode_messages(said.instructions)
    if answers:
        answered = messages.read_output(form, bytes(trace.reply), streams=trail.streams)
        found[names.OUTPUT_MESSAGES] = messages.encode_messages(answered)
    return found
