"""A request's whole story: check, decide, send, translate, answer.

No HTTP server and no socket is known here: requests come in as headers and bytes, go out through `Dispatcher`, and
come back as `Answer`. Which model serves is decided by ``sessions`` and ``routing`` (`Chooser`); how a wire reads is
known to ``protocol``.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType

import msgspec

from plano_agents.affinity import HINT_HEADER
from plano_agents.config.model import Config, Model
from plano_agents.errors import PlanoError
from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol import openai_responses
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.first_look import looks_like_events
from plano_agents.protocol.form import Form
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.translation.translation import Translation, build_mirror, translate_request
from plano_agents.protocol.usage import Tokens, UsageMeter, read_usage
from plano_agents.providers.fit import (
    Fitted,
    build_fittings,
    refuse_altered,
)
from plano_agents.providers.profiles import find_profile
from plano_agents.providers.target import build_request_headers, build_target
from plano_agents.router.request.answer import Answer, answer_error, build_headers, pass_back
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.choice import Choice, Chooser
from plano_agents.router.request.counting import answer_count, build_count_request, check_countable
from plano_agents.router.request.dispatch import (
    SUCCESS,
    Candidate,
    Dispatcher,
    Sent,
    StreamedAnswer,
    WholeAnswer,
)
from plano_agents.router.request.explain import EXPLAIN, EXPLAIN_HEADER, Explanation, explain
from plano_agents.router.request.streams import RestoredStream, SameStream, Stream, StreamEncoder
from plano_agents.router.request.surfaces import Endpoint, Surface
from plano_agents.router.request.trace import Sampler, new_trace_id
from plano_agents.router.request.trail import Observer, Trail
from plano_agents.router.request.turns import Turns
from plano_agents.sessions.decide import Route, decide_after_move, decide_without_session
from plano_agents.sessions.pin import Decision, MoveReason
from plano_agents.sessions.pinning import Pinning, Turn
from plano_agents.trace_context import parse_trace_context

LARGE_BODY_BYTES = 1024 * 1024
"""From which size on a body's steps are no longer taken at once, for each may take some 100 ms."""

_HINT = HINT_HEADER.lower()
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class ProxyRequest:
    """A request as it came from the client.

    Args:
        headers: In the order they came, names in lower case.
        body: JSON, or what claims to be.
    """

    __slots__ = ("body", "fields", "headers")

    def __init__(self, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.headers = headers
        self.body = body
        self.fields = dict(headers)
        """The headers by name; of those that came more than once, the last."""


class Service:
    """Serves the proxied endpoints.

    Args:
        config: What is configured.
        chooser: Says which models may serve a request.
        pinning: Keeps the sessions' models; it may outlive this service, as a configuration is exchanged.
        dispatcher: Sends to the providers.
        observe: Is shown each request once it is over.
        sampler: Begins requests' traces; None where nothing is traced.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.

    Raises:
        ConfigError: A configured model cannot be served.
    """

    def __init__(
        self,
        config: Config,
        *,
        chooser: Chooser,
        pinning: Pinning,
        dispatcher: Dispatcher,
        observe: Observer = lambda _trail: None,
        sampler: Sampler | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.chooser = chooser
        self.turns = Turns(config, pinning)
        self.dispatcher = dispatcher
        self.observe = observe
        self.sampler = sampler
        self.clock = clock
        self.wall_clock = wall_clock
        self.timeouts = config.timeouts
        self.patience = config.limits.keepalive_comment_seconds
        self._config = config
        self._served = {model.name: _Served(model, config) for model in config.models}

    def answer(self, endpoint: Endpoint, request: ProxyRequest) -> "Story":
        """Answer one request, in ``async with``: it gives the answer, and leaving it ends the request.

        Args:
            endpoint: Where it was posted to.
            request: The client's request.
        """
        return Story(self, endpoint, request)

    def find_served(self, name: str) -> "_Served":
        """Find where a configured model is served; one of a wildcard's is looked up each time."""
        served = self._served.get(name)
        if served is None:
            model = self._config.find_model(name)
            assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen
            served = _Served(model, self._config)
        return served


class _Served:
    """Where a model is served.

    Args:
        model: The model.
        config: What is configured.
    """

    __slots__ = ("fittings", "model_id", "target", "unsupported_params")

    def __init__(self, model: Model, config: Config) -> None:
        self.model_id = model.model_id
        self.target = build_target(model)
        self.fittings = build_fittings(
            model,
            self.target.urls,
            find_profile(model, config.profiles),
            is_own_host=self.target.is_own_host,
        )
        self.unsupported_params = config.unsupported_params


class Story:
    """One request, from its headers to the last byte of its answer.

    Args:
        service: What it is answered with.
        endpoint: Where it was posted to.
        request: The client's request.
    """

    __slots__ = ("_endpoint", "_read_tokens", "_request", "_service", "_stream", "trail")

    def __init__(self, service: Service, endpoint: Endpoint, request: ProxyRequest) -> None:
        self._service = service
        self._endpoint = endpoint
        self._request = request
        self._read_tokens: Callable[[], Tokens] | None = None
        self._stream: Stream | StreamedAnswer | None = None
        parent = parse_trace_context(request.fields)
        trace_id = parent.trace_id if parent is not None else new_trace_id()
        self.trail = Trail(trace_id, endpoint.path, service.wall_clock(), service.clock())
        """What is known of it."""
        if service.sampler is not None:
            self.trail.trace = service.sampler.begin(trace_id, parent, request.fields, request.body)

    async def __aenter__(self) -> Answer:
        """Answer; failures are answers too."""
        trail = self.trail
        try:
            try:
                answer = await self._handle()
            except PlanoError as error:
                answer = self._fail(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
                answer = self._fail(report_bug(error, trail.trace_id))
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        trail.status = answer.status
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read what the answer cost, end the session's turn, tell the observer, and let go of the provider."""
        trail = self.trail
        try:
            if error is not None:
                self._note_error(error)
            if self._read_tokens is not None:
                trail.tokens = self._read_tokens()
            if trail.turn is not None:
                trail.turn.close(trail.tokens)
            trail.duration_ms = self._measure()
            self._service.observe(trail)
        finally:
            if self._stream is not None:
                await self._stream.aclose()

    def _note_error(self, error: BaseException) -> None:
        """Note why the answer was not written: the client left, or there was no room for it."""
        if isinstance(error, asyncio.CancelledError):
            self.trail.client_left = True
        elif isinstance(error, PlanoError):
            self.trail.status, self.trail.failure = error.status_code, error.code

    def _fail(self, error: PlanoError) -> Answer:
        self.trail.failure = error.code
        return answer_error(error, self.trail, self._endpoint.surface.encode_error)

    def _measure(self) -> float:
        """How long ago the request came, in milliseconds."""
        return (self._service.clock() - self.trail.started) * 1000

    async def _handle(self) -> Answer:
        service, trail, request = self._service, self.trail, self._request
        fields, surface = request.fields, self._endpoint.surface
        trail.affinity_id = service.turns.find_affinity_id(request.headers, fields)
        body = RequestBody(request.body, surface.parse_head)
        if len(request.body) > LARGE_BODY_BYTES:
            await asyncio.sleep(0)  # others are served between its splitting, its reading and its translation
        choice = service.chooser.read(body)
        turn = await service.turns.find_turn(request.headers, fields, trail.affinity_id, body)
        if self._endpoint.counts_only:
            return await self._count(body, choice, turn)
        if turn is None:
            trail.decision = decide_without_session(await choice.route())
        else:
            trail.turn, trail.session = turn.open(), turn.key
            trail.decision = await turn.decide(
                hint=fields.get(_HINT), find_model=service.chooser.find_name, route=choice.route
            )
        trail.ranking = choice.ranking
        trail.routing_ms = self._measure()
        if len(request.body) > LARGE_BODY_BYTES:
            await asyncio.sleep(0)
        if self._endpoint.decides_only:
            first, *_ = _list_candidates(choice, trail)
            if first != trail.decision.model:
                trail.decision = await _move(trail.turn, trail.decision, first, "unsuitable")
            explained = fields.get(EXPLAIN_HEADER, "").lower() == EXPLAIN
            return _answer_decision(trail, choice, body.model, await explain(choice) if explained else None)
        exchanges = _Exchanges(surface, body, int(service.wall_clock()))
        sent = await self._send(exchanges, choice, trail.decision)
        model = sent.answer.model
        if sent.moved is not None:
            trail.decision = await _move(trail.turn, trail.decision, model, sent.moved)
        translation, fitted = exchanges.of(model)
        trail.adjustments = (*choice.tell_replaced(model), *fitted.adjustments)
        return self._build_answer(sent.answer, translation, fitted)

    async def _count(self, body: RequestBody, choice: Choice, turn: Turn | None) -> Answer:
        """Count the input's tokens; see `counting`."""
        service, trail = self._service, self.trail
        check_countable(body)
        pin = await turn.peek() if turn is not None else None
        model = (service.chooser.find_name(pin.model) if pin is not None else None) or choice.requested
        trail.decision = decide_without_session(Route(model, None))
        trail.adjustments = choice.tell_replaced(model)
        served = service.find_served(model)
        fitting = served.fittings.get(Form.ANTHROPIC_MESSAGES)
        if fitting is None:
            return answer_count(None, body, trail)

        def build() -> UpstreamRequest:
            headers = build_request_headers(served.target, self._request.fields)
            return build_count_request(
                served.target.urls, headers, fitting.fit(body.fields).body, service.timeouts
            )

        sent = await service.dispatcher.send(
            [Candidate(model, build, form=None)], decided=model, note=trail.tries.append, trace=trail.trace
        )
        if isinstance(sent.answer, StreamedAnswer):
            self._stream = sent.answer
        return answer_count(sent.answer, body, trail)

    async def _send(self, exchanges: "_Exchanges", choice: Choice, decision: Decision) -> Sent:
        """Send the request to the model decided on, or to the next that may serve it."""
        service, trail = self._service, self.trail
        candidates = (self._build_candidate(name, exchanges) for name in _list_candidates(choice, trail))
        started = service.clock()
        try:
            sent = await service.dispatcher.send(
                candidates, decided=decision.model, note=trail.tries.append, trace=trail.trace
            )
        finally:
            trail.upstream_ms = (service.clock() - started) * 1000
        if isinstance(sent.answer, StreamedAnswer):
            self._stream = sent.answer
        return sent

    def _build_candidate(self, name: str, exchanges: "_Exchanges") -> Candidate:
        service, turn = self._service, self.trail.turn
        served = service.find_served(name)

        def build() -> UpstreamRequest:
            target = served.target
            wire = target.choose_wire(exchanges.surface.form)
            body = exchanges.open(name, served, wire)
            if turn is not None:
                turn.note_dispatch(name)
            headers = build_request_headers(target, self._request.fields)
            return UpstreamRequest(target.urls[wire], headers, body, service.timeouts)

        target = served.target
        return Candidate(
            name,
            build,
            form=target.choose_wire(exchanges.surface.form),
            streams=exchanges.streams,
            finish=partial(exchanges.finish, name),
            by_client_key="authorization" in target.forwarded,
        )

    def _build_answer(
        self, sent: WholeAnswer | StreamedAnswer, translation: Translation | None, fitted: Fitted
    ) -> Answer:
        """Make the provider's answer ours; what it cost is read once it has been sent."""
        trail = self.trail
        headers = {**pass_back(sent.headers), **build_headers(trail)}
        headers.pop("content-encoding", None)
        if isinstance(sent, StreamedAnswer):
            headers |= _EVENTS
            return Answer(sent.status, headers, self._pass_on(sent, translation, fitted))
        body = sent.body
        if sent.status in SUCCESS and looks_like_events(body):
            headers |= _EVENTS
            trail.streams = True
        elif translation is not None or sent.status in SUCCESS:
            headers["content-type"] = "application/json"
        if translation is not None and sent.status not in SUCCESS:
            body = translation.encode_error(body, sent.status)
        if fitted.is_restored:
            body = fitted.restore(body) if trail.streams else fitted.restore_whole(body)
        if trail.trace is not None:
            trail.trace.note_reply(body)
        self._read_tokens = partial(read_usage, body) if not trail.streams else partial(_meter, body)
        return Answer(sent.status, headers, body)

    def _pass_on(self, sent: StreamedAnswer, translation: Translation | None, fitted: Fitted) -> Stream:
        surface, trail = self._endpoint.surface, self.trail
        encoder: StreamEncoder = (
            translation.build_stream()
            if translation is not None
            else SameStream(surface.end_mark, surface.encode_error_event)
        )
        if fitted.is_restored:
            encoder = RestoredStream(encoder, fitted.restore)
        trail.streams = True
        if sent.first.done():
            self._note_first(sent.first)  # a callback might come after the end
        else:
            sent.first.add_done_callback(self._note_first)
        meter = UsageMeter()
        self._read_tokens = meter.read
        note = meter.note if trail.trace is None else trail.trace.hear(meter.note)
        stream = Stream(sent, encoder, trail, patience=self._service.patience, note=note)
        self._stream = stream
        return stream

    def _note_first(self, _first: asyncio.Future[bool]) -> None:
        self.trail.first_ms = self._measure()


class _Exchanges:
    """One request on the wires of its candidates, each written when its turn has come.

    Args:
        surface: The API that the client speaks.
        body: The request.
        created: Unix time in seconds.
    """

    def __init__(self, surface: Surface, body: RequestBody, created: int) -> None:
        self.surface = surface
        self._body = body
        self._created = created
        self._opened: dict[str, tuple[Translation | None, Fitted]] = {}

    def open(self, name: str, served: _Served, wire: Form) -> bytes:
        """Write the request for a candidate; give its body.

        Raises:
            RequestError: It cannot be carried to the candidate, or may not be adapted.
        """
        opened: tuple[Translation | None, Fitted]
        if wire is self.surface.form:
            opened = None, served.fittings[wire].fit(self._body.fields)
        else:
            opened = self._translate(served, wire)
        self._opened[name] = opened
        fitted = opened[1]
        if fitted.adjustments:
            refuse_altered(fitted.adjustments, served.model_id, served.unsupported_params)
        return fitted.body

    def _translate(self, served: _Served, wire: Form) -> tuple[Translation, Fitted]:
        translation = translate_request(
            self.surface.form,
            wire,
            self._body.content,
            served.model_id,
            created=self._created,
            limit_field=served.target.limit_field,
            signature_mark=served.fittings[wire].signature_mark,
        )
        fitted = served.fittings[wire].fit(split_fields(translation.request_body), is_translated=True)
        told = (*translation.adjustments, *fitted.adjustments)
        return translation, msgspec.structs.replace(fitted, adjustments=told)

    @property
    def streams(self) -> bool:
        """Whether the client asked for a stream."""
        return bytes(self._body.fields.get("stream", b"")) == b"true"

    def finish(self, name: str, body: bytes) -> bytes:
        """Make what the client asked for, JSON or a stream, of a candidate's whole answer.

        Raises:
            UpstreamProtocolError: It is no answer in the candidate's form.
        """
        translation, _ = self._opened[name]
        if translation is not None:
            return translation.convert(body, streams=self.streams)
        if looks_like_events(body) == self.streams:
            return body
        if self.surface.form is Form.OPENAI_RESPONSES:
            return openai_responses.write_events(body) if self.streams else openai_responses.join_events(body)
        mirror = build_mirror(self.surface.form, self._body.content, created=self._created)
        return mirror.convert(body, streams=self.streams)

    def of(self, name: str) -> tuple[Translation | None, Fitted]:
        """How the answer of a candidate is translated back, None where it is passed on as it is; and what it was sent."""
        return self._opened[name]


def _answer_decision(
    trail: Trail, choice: Choice, asked: str | None, explanation: Explanation | None
) -> Answer:
    """Answer with the decision alone, in Plano's shape and with our reason, and why, where that was asked.

    With no match the models are the request's own model alone, as the client spelt it.
    """
    decision = trail.decision
    assert decision is not None, "the decision was just made"  # noqa: S101 - cannot happen
    models = [*_list_candidates(choice, trail)]
    if decision.route is None and asked is not None and decision.kind != "retain":
        models = [asked]
    content: dict[str, object] = {
        "models": models,
        "route": decision.route,
        "trace_id": trail.trace_id,
        "session_id": trail.affinity_id,
        "pinned": decision.kind == "retain",
        "switched": decision.kind == "switch",
        "decision": decision.kind,
        "reason": decision.reason,
    }
    if explanation is not None:
        content["explanation"] = explanation
    return Answer(
        200, {**build_headers(trail), "content-type": "application/json"}, msgspec.json.encode(content)
    )


def _list_candidates(choice: Choice, trail: Trail) -> Iterator[str]:
    assert trail.decision is not None, "candidates are those of a decision"  # noqa: S101 - cannot happen
    by_hint = trail.turn is not None and trail.turn.is_hinted
    return choice.candidates(trail.decision, by_hint=by_hint)


async def _move(turn: Turn | None, decision: Decision, model: str, reason: MoveReason) -> Decision:
    """Decide for another model than the one decided on; a session's pin follows."""
    if turn is None:
        return decide_after_move(decision, model, reason)
    return await turn.follow(decision, model, reason)


def _meter(events: bytes) -> Tokens:
    meter = UsageMeter()
    meter.note(events)
    return meter.read()
