"""A request's whole story: read it, decide who serves it, send it, pass the answer back.

No HTTP server and no socket is known here: requests come in as headers and bytes, go out through `Dispatcher`, and
come back as `Answer`. Which model serves is decided by ``sessions`` and ``routing`` (`Chooser`); how a wire reads is
known to ``protocol``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from types import TracebackType

from msgspec.structs import replace

from plano_agents.affinity import HINT_HEADER
from plano_agents.errors import PlanoError, RefusedFieldError, RequestError
from plano_agents.protocol.identity import read_response_id
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.translation.translation import say_too_long
from plano_agents.protocol.usage import Tokens, UsageMeter, read_usage
from plano_agents.router.request.answer import Answer, answer_error, build_headers, pass_back
from plano_agents.router.request.begun import Begun
from plano_agents.router.request.bugs import explain_failure
from plano_agents.router.request.candidates import Candidate, Draft, ModelCandidate
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.compaction import CompactCandidate
from plano_agents.router.request.counting import CountCandidate, answer_count, check_countable
from plano_agents.router.request.dispatch import UNSUITABLE, Sent
from plano_agents.router.request.explain import answer_decision, explain, wants_explanation
from plano_agents.router.request.label import LABEL_HEADER, read_label
from plano_agents.router.request.service import Service
from plano_agents.router.request.stream_encoders import build_encoder
from plano_agents.router.request.streams import Stream
from plano_agents.router.request.surfaces import RESPONSES, Endpoint
from plano_agents.router.request.trail import Trail
from plano_agents.router.request.upstream_answer import SUCCESS, StreamedAnswer
from plano_agents.sessions.decide import Route, decide_after_move, decide_without_session, name_refusal
from plano_agents.sessions.pin import Cause, Decision
from plano_agents.sessions.pinning import Turn
from plano_agents.trace_context import parse_trace_context

LARGE_BODY_BYTES = 1024 * 1024
"""From which size on a body's steps are no longer taken at once, for each may take some 100 ms."""

_CANDIDATES: tuple[type[ModelCandidate], type[ModelCandidate]] = (ModelCandidate, CompactCandidate)
"""Those for an answer, and those for a compaction."""

_HINT = HINT_HEADER.lower()
_BEGINNINGS = (b"{", b"[")
JSON = "application/json"
"""The content type of a whole answer."""
EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
"""What says that an answer is a stream."""


class ProxyRequest:
    """A request as it came from the client.

    Args:
        headers: In the order they came, names in lower case.
        body: JSON, or what claims to be.
        client: The name of the client's key; empty where it has none.
    """

    __slots__ = ("body", "client", "fields", "headers")

    def __init__(self, headers: Sequence[tuple[str, str]], body: bytes, client: str = "") -> None:
        self.headers = headers
        self.body = body
        self.client = client
        self.fields = dict(headers)
        """The headers by name; of those that came more than once, the last."""


class Story:
    """One request, from its headers to the last byte of its answer: ``async with`` gives the answer.

    Args:
        service: What it is answered with.
        endpoint: Where it was posted to.
        request: The client's request.
        begun: What the fast path has done of it; None where nothing is.
    """

    __slots__ = ("_begun", "_endpoint", "_noting", "_read_tokens", "_request", "_service", "_stream", "_turn", "trail")

    _read_tokens: Callable[[], Tokens] | None
    _noting: asyncio.Task[None] | None
    _stream: Stream | StreamedAnswer | None
    _turn: Turn | None

    def __init__(self, service: Service, endpoint: Endpoint, request: ProxyRequest, begun: Begun | None = None) -> None:
        self._service = service
        self._endpoint = endpoint
        self._request = request
        self._begun = begun
        self._turn = self._read_tokens = self._noting = self._stream = None
        if begun is not None:
            self._turn, self.trail = begun.turn, begun.trail
            return
        parent = parse_trace_context(request.fields)
        trace_id = parent.trace_id if parent is not None else service.new_trace_id()
        self.trail = Trail(trace_id, endpoint.path, service.wall_clock(), service.clock())
        """What is known of it."""
        if service.sampler is not None:
            self.trail.trace = service.sampler.begin(trace_id, parent, lambda: request.fields, request.body)

    async def __aenter__(self) -> Answer:
        """Answer; failures are answers too."""
        try:
            answer = await self._answer()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            answer = self._fail(error)
        except BaseException as error:
            await self._end(error)
            raise
        self.trail.status = answer.status
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """Read what the answer cost, end the session's turn, tell the observer, and release the provider."""
        trail = self.trail
        try:
            if error is not None:
                self._note_error(error)
            if self._read_tokens is not None:
                trail.tokens = self._read_tokens()
            if self._turn is not None:
                self._turn.close(trail.tokens)
            trail.duration_ms = self._measure()
            self._service.observe(trail)
            if self._service.look_beside is not None:
                self._service.look_beside(self._endpoint, self._request.body, trail)
        finally:
            if self._stream is not None:
                await self._stream.aclose()
            if self._noting is not None:
                await self._noting

    def _note_response(self, turn: Turn, said: bytes) -> None:
        """Have it noted which session made the answer, for a request that goes on from it by its id alone.

        Args:
            turn: The session's turn.
            said: The whole answer, or the first events of a stream that name it.
        """
        response_id = read_response_id(said, streams=self.trail.streams)
        if response_id is not None:
            self._noting = asyncio.create_task(turn.note_response(response_id))

    def _hear_response(self, turn: Turn, note: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Have a stream's response noted as soon as it is named: once it has ended, the next request may be there."""

        def hear(events: bytes) -> None:
            note(events)
            if self._noting is None:
                self._note_response(turn, events)

        return hear

    def _note_error(self, error: BaseException) -> None:
        """Note why the answer was not written: the client left, or there was no room for it."""
        if isinstance(error, asyncio.CancelledError):
            self.trail.client_left = True
        elif isinstance(error, PlanoError):
            self.trail.status, self.trail.failure = error.status_code, error.code

    def _fail(self, error: Exception) -> Answer:
        told = explain_failure(error, self.trail.trace_id)
        self.trail.failure = told.code
        return answer_error(told, self.trail, self._endpoint.surface.encode_error)

    def _measure(self) -> float:
        """Milliseconds since the request came."""
        return (self._service.clock() - self.trail.started) * 1000

    async def _answer(self) -> Answer:
        service, trail, request = self._service, self.trail, self._request
        fields, endpoint = request.fields, self._endpoint
        if self._turn is not None:
            return await self._go_on(self._turn)
        trail.client = request.client or None
        trail.affinity_id = service.turns.find_affinity_id(request.headers, fields)
        if LABEL_HEADER in fields:
            trail.label = read_label(request.headers)
        body = RequestBody(request.body, endpoint.surface.parse_head)
        if len(request.body) > LARGE_BODY_BYTES:
            await asyncio.sleep(0)  # others are served between its splitting, its reading and its translation
        choice = Choice(service.chooser, body)
        if trail.affinity_id is None:
            trail.affinity_id = service.turns.read_affinity_id(body)
        tenant = service.turns.find_tenant(request.headers, fields, request.client)
        turn = await service.turns.find_turn(request.headers, fields, trail.affinity_id, body, endpoint, tenant=tenant)
        draft = Draft(endpoint.surface.form, body, fields, int(trail.began_at))
        if endpoint.counts_only:
            return await self._count(draft, choice, turn)
        trail.decision = await self._decide(draft, choice, turn)
        if len(request.body) > LARGE_BODY_BYTES:
            await asyncio.sleep(0)
        if endpoint.decides_only:
            return await self._answer_decision(choice, body.model)
        return await self._serve(draft, choice, turn, trail.decision)

    async def _go_on(self, turn: Turn) -> Answer:
        """Go on with what the fast path has begun."""
        body = RequestBody(self._request.body, self._endpoint.surface.parse_head)
        choice = Choice(self._service.chooser, body)
        draft = Draft(self._endpoint.surface.form, body, self._request.fields, int(self.trail.began_at))
        decision = self.trail.decision
        if decision is None:
            self.trail.decision = decision = await self._decide(draft, choice, turn)
        return await self._serve(draft, choice, turn, decision)

    async def _serve(self, draft: Draft, choice: Choice, turn: Turn | None, decision: Decision) -> Answer:
        """Send the request to the model decided on, or to one that stands in for it, and pass its answer back."""
        service, trail, build = self._service, self.trail, _CANDIDATES[self._endpoint.compacts]
        candidates = (
            build(name, served, draft, turn)
            for name in self._list_candidates(choice, decision)
            for served in service.list_served(name, turn, decision)
        )
        sent = await self._send(candidates, decision)
        model = sent.answer.model
        if sent.moved is not None:
            trail.decision = await self._move(choice, decision, model, sent.moved, sent.deployment)
        trail.adjustments = (*choice.tell_replaced(model), *sent.opened.fitted.adjustments)
        answer = self._pass_back(sent)
        if self._noting is not None:
            await self._noting  # another replica may be asked to go on from it at once
        return answer

    async def _decide(self, draft: Draft, choice: Choice, turn: Turn | None) -> Decision:
        """Decide which model serves the request: its session's, or the one that it is routed to."""
        service, trail = self._service, self.trail
        if turn is None:
            decision = decide_without_session(await choice.route())
        else:

            def find_refusal(name: str) -> Cause | None:
                return self._find_refusal(draft, name)

            def route() -> Awaitable[Route]:
                return choice.route_turn(turn, find_refusal)

            def resume(hint: str) -> str | None:
                return choice.find_hinted(hint, find_refusal)

            if self._turn is None:
                self._turn, trail.session, trail.origin = turn.open(), turn.key, turn.origin
            hint, find, deploy = self._request.fields.get(_HINT), service.chooser.find_name, service.choose_deployment
            decision = await turn.decide(hint=hint, find_model=find, resume=resume, route=route, choose=deploy)
            if trail.label is not None:
                turn.note_label(trail.label)
        trail.ranking = choice.ranking
        trail.routing_ms = self._measure()
        return decision

    def _find_refusal(self, draft: Draft, name: str) -> Cause | None:
        """Find what keeps the request from being written for a model, before that model is pinned; None for nothing."""
        if self._endpoint.decides_only:
            return None
        refusal: Cause | None = None
        for served in self._service.list_served(name):
            try:
                _CANDIDATES[self._endpoint.compacts](name, served, draft, turn=None).open()
            except RequestError as error:
                refusal = name_refusal(error.param)
            except RefusedFieldError:
                return None  # it is told as it is, and no other model is asked
            else:
                return None
        return refusal

    async def _move(
        self, choice: Choice, decision: Decision, model: str, cause: Cause, deployment: str | None
    ) -> Decision:
        """Decide for another model or deployment than the one decided on; a session's pin follows, but on a detour."""
        if cause is UNSUITABLE:
            cause = choice.find_cause(decision.model)
        if self._turn is None:
            return decide_after_move(decision, model, cause, deployment)
        return await self._turn.follow(decision, model, cause, deployment)

    def _list_candidates(self, choice: Choice, decision: Decision) -> Iterator[str]:
        return choice.candidates(decision, by_name=self._turn is not None and self._turn.is_named)

    async def _send(self, candidates: Iterable[Candidate], decision: Decision) -> Sent:
        """Send the request to the model decided on, or to the next that may serve it."""
        service, trail, begun = self._service, self.trail, self._begun
        sending = None if begun is None else begun.sending
        started = service.clock() if sending is None else sending.started
        try:
            sent = await service.dispatcher.send(
                candidates,
                decision.model,
                decision.deployment,
                note=trail.note_try,
                trace=trail.trace,
                begun=sending,
            )
        finally:
            trail.upstream_ms = (service.clock() - started) * 1000
        if isinstance(sent.answer, StreamedAnswer):
            self._stream = sent.answer
        return sent

    async def _answer_decision(self, choice: Choice, asked: str | None) -> Answer:
        """Answer with the decision alone, made for a model that can serve the request."""
        service, trail = self._service, self.trail
        decision = trail.decision
        assert decision is not None, "it was just made"  # noqa: S101 - cannot happen
        first, *_ = self._list_candidates(choice, decision)
        if first != decision.model:
            deployment = service.choose_deployment(first, self._turn.key) if self._turn is not None else None
            trail.decision = decision = await self._move(choice, decision, first, UNSUITABLE, deployment)
        explanation = await explain(choice) if wants_explanation(self._request.fields) else None
        candidates = [*self._list_candidates(choice, decision)]
        return answer_decision(trail, decision, candidates, asked, explanation)

    async def _count(self, draft: Draft, choice: Choice, turn: Turn | None) -> Answer:
        """Count the input's tokens; see `counting`."""
        service, trail = self._service, self.trail
        check_countable(draft.form, draft.body)
        pin = await turn.peek() if turn is not None else None
        choice.falls_back = turn is not None and turn.lane is not None
        model = (service.chooser.find_name(pin.model) if pin is not None else None) or choice.requested
        trail.decision = decide_without_session(Route(model, None))
        trail.adjustments = choice.tell_replaced(model)
        kept = replace(trail.decision, deployment=pin.deployment) if pin is not None else None
        places = service.list_served(model, turn, kept)
        candidates = [CountCandidate(model, each, draft, self._endpoint.surface.counting) for each in places]
        countable = [each for each in candidates if each.is_countable]
        if not countable:
            return answer_count(None, draft, trail)
        sent = await self._send(countable, trail.decision)
        return answer_count(sent.answer, draft, trail)

    def _pass_back(self, sent: Sent) -> Answer:
        """Make the provider's answer the client's; what it cost is read once it has been sent."""
        trail, answer, opened = self.trail, sent.answer, sent.opened
        headers = {**pass_back(answer.headers), **build_headers(trail)}
        if isinstance(answer, StreamedAnswer):
            return Answer(answer.status, headers | EVENTS, self._pass_on(answer, sent))
        body, is_good = answer.body, answer.status in SUCCESS
        if is_good and opened.streams:
            headers |= EVENTS
            trail.streams = True
        elif is_good or opened.translation is not None or body.startswith(_BEGINNINGS):
            headers["content-type"] = JSON
        if opened.translation is not None and not is_good:
            body = opened.translation.encode_error(body, answer.status)
        elif not is_good and opened.form is not None:
            body = say_too_long(body, answer.status, opened.form)
        if opened.fitted.is_restored:
            restore = opened.fitted.restore if trail.streams else opened.fitted.restore_whole
            body = restore(body)
        if trail.trace is not None:
            trail.trace.note_reply(body)
        self._read_tokens = partial(_meter if trail.streams else read_usage, body)
        if is_good and self._turn is not None and self._endpoint.surface is RESPONSES:
            self._note_response(self._turn, body)
        return Answer(answer.status, headers, body)

    def _pass_on(self, answer: StreamedAnswer, sent: Sent) -> Stream:
        """Pass a provider's stream on as it comes."""
        trail = self.trail
        trail.streams = True
        if answer.first.done():
            self._note_first(answer.first)  # a callback might come after the end
        else:
            answer.first.add_done_callback(self._note_first)
        meter = UsageMeter()
        self._read_tokens = meter.read
        note = meter.note if trail.trace is None else trail.trace.hear(meter.note)
        if self._turn is not None and self._endpoint.surface is RESPONSES:
            note = self._hear_response(self._turn, note)
        encoder = build_encoder(sent.opened, self._endpoint.surface)
        stream = Stream(answer, encoder, trail, patience=self._service.patience, note=note)
        self._stream = stream
        return stream

    def _note_first(self, _first: asyncio.Future[bool]) -> None:
        self.trail.first_ms = self._measure()


def _meter(events: bytes) -> Tokens:
    meter = UsageMeter()
    meter.note(events)
    return meter.read()
