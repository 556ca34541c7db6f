"""One request on the fast path: a state machine between its client's connection and its provider's.

=============  =====================================================  ===============================================
state          waits for                                              then
=============  =====================================================  ===============================================
``body``       the request's body                                     decided and sent, or the story's
``dialling``   a connection to the provider                           ``head``, or the story's with its failure
``head``       the answer's head                                      ``whole``, ``opening``, or the story's
``whole``      the answer's end                                       written, or the story's
``opening``    a stream's first events that say something             ``streaming``, or the story's
``streaming``  the stream's chunks, and the client's reading          written, or broken off
``handed``     the story's first step                                 ``over``
``over``       nothing
=============  =====================================================  ===============================================

In every state the client may leave, and the server may stop.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from plano_agents.errors import OverloadedError, PlanoError, RequestError, UpstreamError, UpstreamProtocolError
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.response import ANSWER_BYTES, HttpResponse
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.template import Filled, Template
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.first_look import Opening, check_whole, judge_opening, looks_like_events, may_be_events
from plano_agents.protocol.form import Form
from plano_agents.protocol.identity import read_response_id
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.usage import NO_TOKENS, Tokens, UsageMeter, read_usage
from plano_agents.providers.cache_keys import Caching
from plano_agents.providers.fit import Fitted
from plano_agents.router.request.answer import StreamBrokenError, answer_error, say_adjustments
from plano_agents.router.request.begun import Begun, Sending
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.choice import tell_replaced
from plano_agents.router.request.fast_head import FastHead
from plano_agents.router.request.fast_plan import Plan
from plano_agents.router.request.provider_head import ProviderHead
from plano_agents.router.request.relay import Relay
from plano_agents.router.request.story import EVENTS, JSON, ProxyRequest
from plano_agents.router.request.stream_encoders import SameStream
from plano_agents.router.request.streams import DRAIN_SECONDS
from plano_agents.router.request.surfaces import RESPONSES
from plano_agents.router.request.trail import Trail, Try
from plano_agents.router.request.upstream_answer import SUCCESS
from plano_agents.routing.suitability import find_unmet
from plano_agents.sessions.at_once import run_at_once
from plano_agents.sessions.pinning import Turn

_State = Literal["body", "dialling", "head", "whole", "opening", "streaming", "handed", "over"]
_EVENT_STREAM = "text/event-stream"
_JSON = f"content-type: {JSON}\r\n".encode()
_EVENTS = f"content-type: {EVENTS['content-type']}\r\n".encode()
_CACHE = f"cache-control: {EVENTS['cache-control']}\r\n".encode()
_LINES = b"%bx-plano-trace-id: %b\r\n%b%b%bserver-timing: routing;dur=%.3f, upstream;dur=%.3f\r\n%b%b"
"""The answer's header lines, but for those of its connection and its length."""


class FastTurn:
    """One request; a `Work` to the client's connection, a `Reader` to the provider's.

    Args:
        head: What its head says.
        exchange: The request and its answer.
        template: Its head's template.
        filled: What stands in the head's blanks.
    """

    __slots__ = (
        "_adjustments",
        "_attempt",
        "_body",
        "_caching",
        "_connection",
        "_dialling",
        "_exchange",
        "_filled",
        "_fitted",
        "_head",
        "_is_kept",
        "_meter",
        "_opened_at",
        "_opening",
        "_plan",
        "_provider_head",
        "_relay",
        "_sending",
        "_sent_at",
        "_started",
        "_state",
        "_streams",
        "_template",
        "_timer",
        "_trail",
        "_turn",
    )

    _adjustments: tuple[Adjustment, ...]
    _attempt: Attempt
    _body: bytes
    _caching: Caching
    _fitted: Fitted
    _meter: UsageMeter
    _opening: bytes
    _plan: Plan
    _provider_head: ProviderHead
    _relay: Relay
    _sending: Sending
    _sent_at: float
    _started: float
    _streams: bool
    _trail: Trail
    _opened_at: float
    _turn: Turn
    _is_kept: bool

    def __init__(self, head: FastHead, exchange: Exchange, template: Template, filled: Filled) -> None:
        self._head = head
        self._exchange = exchange
        self._template = template
        self._filled = filled
        self._state: _State = "body"
        self._connection: Connection | None = None
        self._dialling: asyncio.Task[Connection] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # What the client's connection calls.

    def on_body(self) -> None:
        """See `Work.on_body`."""
        body = self._exchange.take_body()
        try:
            self._begin(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            if self._state != "body":
                self._stumble(error)
                return
            report_bug(error, "-")  # nothing was sent: the story answers
            self._give_up(body, "before the pin")

    def _begin(self, body: bytes) -> None:
        fast_service = self._head.fast_service
        if fast_service.is_over or fast_service.admission.is_full or self._exchange.is_paused:
            self._give_up(body, "before the pin")
            return
        service = fast_service.service
        began_at, started = service.wall_clock(), service.clock()
        try:
            request = RequestBody(body, self._head.endpoint.surface.parse_head)
            affinity_id, turn = self._head.find_turn(self._template, self._filled, request)
        except PlanoError:
            turn = None
        if turn is None or request.preferences is not None:
            self._give_up(body, "before the pin")
            return
        turn.open()
        is_planned = False
        try:
            is_planned = self._plan_sending(turn, request)
        finally:
            if not is_planned:
                turn.close()
        if not is_planned:
            self._give_up(body, "at the pin")
            return
        self._body, self._turn, self._streams = body, turn, request.streams
        context = self._head.find_trace(self._filled)
        trail = self._trail = Trail(
            context.trace_id if context is not None else service.new_trace_id(),
            self._head.endpoint.path,
            began_at,
            started,
            affinity_id,
            turn.origin,
            turn.key,
            self._plan.decision,
        )
        replaced = tell_replaced(service.chooser, request.model, self._plan.decision.model)
        self._adjustments = (*replaced, *self._fitted.adjustments)
        if self._head.label is not None:
            trail.label = self._head.label
            turn.note_label(self._head.label)
        trail.routing_ms = (self._sent_at - started) * 1000
        self._send()

    def on_refused(self) -> None:
        """See `Work.on_refused`."""
        self._give_up(None, "before the pin")

    def on_left(self) -> None:
        """See `Work.on_left`."""
        if self._state == "body":
            self._state = "over"
        elif self._state != "over":
            self._note_interrupted()
            self._end(self._read_tokens())

    def on_stop(self) -> None:
        """See `Work.on_stop`."""
        is_handed = self._state == "handed"
        self.on_left()
        self._exchange.work = None
        if not is_handed:
            self._head.fast_service.start_last_word(self._head.endpoint, self._exchange)

    # What the provider's connection calls.

    def on_answer(self) -> None:
        """See `Reader.on_answer`."""
        connection = self._connection
        assert connection is not None, "it calls this"  # noqa: S101 - cannot happen
        plan = self._plan
        head = self._provider_head = (plan.read_stream_head if self._streams else plan.read_head)(connection.head)
        if connection.status not in SUCCESS or head.is_compressed:
            self._hand_over(HttpResponse(connection))
        elif not self._streams:
            self._state = "whole"
            connection.wait_for_end(ANSWER_BYTES, self)
        elif _EVENT_STREAM not in head.content_type:
            self._hand_over(HttpResponse(connection))
        else:
            fast_service = self._head.fast_service
            self._state, self._opening = "opening", b""
            self._opened_at = fast_service.service.clock()
            self._timer = fast_service.loop.call_later(fast_service.service.patience, self._on_silence)
            connection.forward(self)

    def on_chunk(self, chunk: bytes, framed: bytes = b"", /) -> bool:
        """See `Reader.on_chunk`."""
        if self._state == "streaming":
            return self._relay.take(chunk, framed)
        self._opening += chunk
        if not may_be_events(self._opening):
            return False
        judged = judge_opening(self._opening)
        if judged is not Opening.BEGUN:
            return judged is Opening.SILENT
        self._begin_stream()
        return self._relay.take(self._opening)

    def on_end(self, is_all: bool) -> None:  # noqa: FBT001 - a callback's
        """See `Reader.on_end`."""
        if self._state == "streaming":
            self._go_on(is_over=is_all)
        elif self._state == "whole":
            self._write_whole()
        elif self._state == "opening":
            self._hand_over_opening()

    def on_failure(self, failure: Callable[[], UpstreamError], /) -> None:
        """See `Reader.on_failure`."""
        connection = self._connection
        if self._state == "streaming":
            self._relay.fail(failure())
            self._go_on()
        elif self._state == "head" and self._is_kept and connection is not None and connection.died_unanswered:
            self._dial()
        elif self._state in {"head", "whole", "opening"}:
            self._connection = None
            self._hand_over(failure)

    # The steps.

    def _plan_sending(self, turn: Turn, request: RequestBody) -> bool:
        """Decide what is sent, and count it; whether that can be done here."""
        service = self._head.fast_service.service
        chooser = service.chooser
        decision = run_at_once(turn.retain(chooser.find_name))
        plan = self._head.find_plan(decision, turn) if decision is not None else None
        if decision is None or plan is None:
            return False
        if find_unmet(chooser.find_profile(decision.model), Needs(request.content, request.fields)) is not None:
            return False
        health = service.dispatcher.find_health(plan.served.upstream)
        if health.breaker.is_open or (decision.deployment is not None and health.rest.seconds_left > 0):
            return False
        self._sent_at = service.clock()
        try:
            fitted = plan.fit(request, turn.key)
        except RequestError:
            return False
        attempt = health.breaker.allow() if fitted is not None else None
        if fitted is None or attempt is None:
            return False
        turn.note_dispatch(decision.model, decision.deployment)
        health.budget.note_request()
        self._plan, self._attempt = plan, attempt
        self._fitted, self._caching = fitted
        return True

    def _send(self) -> None:
        """Send the request, on a connection that waits if there is one."""
        fast_service = self._head.fast_service
        fast_service.admission.enter()
        self._started = fast_service.loop.time()
        connection = self._plan.way.pool.take()
        if connection is None:
            self._dial()
        else:
            self._ask(connection, is_kept=True)

    def _dial(self) -> None:
        """Make a connection."""
        self._state, self._connection = "dialling", None
        connecting = self._plan.way.connect(self._plan.served.timeouts, self._started)
        self._dialling = self._head.fast_service.loop.create_task(connecting)
        self._dialling.add_done_callback(self._on_dialled)

    def _on_dialled(self, dialled: "asyncio.Task[Connection]") -> None:
        """Send the request on the connection that was made."""
        self._dialling = None
        if dialled.cancelled():
            return
        error = dialled.exception()
        if self._state != "dialling":
            if error is None:
                dialled.result().abort()
        elif error is None:
            self._ask(dialled.result(), is_kept=False)
        elif isinstance(error, UpstreamError):
            self._hand_over(_give(error.with_traceback(None)))
        else:
            self._stumble(error)

    def _ask(self, connection: Connection, *, is_kept: bool) -> None:
        self._state, self._connection, self._is_kept = "head", connection, is_kept
        body = self._fitted.body
        head = self._plan.encode_head(self._filled.values, self._caching, len(body))
        connection.ask(head, body, self._plan.served.timeouts, started=self._started, reader=self)

    def _write_whole(self) -> None:
        """Pass on a whole answer that is one."""
        connection, exchange, endpoint = self._connection, self._exchange, self._head.endpoint
        assert connection is not None, "it has the answer"  # noqa: S101 - cannot happen
        body = connection.take()
        if len(body) > ANSWER_BYTES or looks_like_events(body) or not _is_answer(body, endpoint.surface.form):
            connection.give_back(body)
            self._hand_over(HttpResponse(connection))
            return
        status = connection.status
        self._attempt.succeed()
        self._note_answer(status)
        self._let_go()
        if endpoint.surface is RESPONSES:
            self._note_response(body)
        self._trail.status = status
        try:
            exchange.answer_encoded(status, self._encode_lines(_JSON), body)
        except OverloadedError as error:
            self._trail.status, self._trail.failure = error.status_code, error.code
            self._end(read_usage(body))
            self._head.fast_service.on_refused(error.code)
            answer = answer_error(error, None, endpoint.surface.encode_error)
            assert isinstance(answer.body, bytes)  # noqa: S101 - an error's is whole
            exchange.answer(answer.status, answer.headers, answer.body)
            return
        self._finish(read_usage(body))

    def _begin_stream(self) -> None:
        """Begin to pass on a stream that has begun."""
        connection, surface = self._connection, self._head.endpoint.surface
        assert connection is not None, "it has the stream"  # noqa: S101 - cannot happen
        trail = self._trail
        self._cancel_timer()
        self._attempt.begin()
        self._note_answer(connection.status)
        trail.streams, trail.first_ms, trail.status = True, self._measure(), connection.status
        self._meter = UsageMeter()
        note = self._meter.note if surface is not RESPONSES else self._hear_response
        encoder = SameStream(surface.end_mark, surface.encode_error_event)
        self._relay = Relay(encoder, self._attempt, trail, note, self._exchange.write)
        self._relay.write_framed = self._exchange.write_framed
        self._exchange.begin_encoded(connection.status, self._encode_lines(_EVENTS))
        self._state = "streaming"

    def _go_on(self, *, is_over: bool = False) -> None:
        """Go on with a stream once no more of it is taken, or comes."""
        try:
            last = self._relay.conclude(is_over=is_over)
        except StreamBrokenError:
            self._end(self._meter.read())
            self._exchange.cut()
            return
        if last is None:
            self._exchange.call_when_read(self._on_read)
            return
        connection, self._connection = self._connection, None
        self._exchange.end(last)
        self._finish(self._meter.read())
        if connection is None:
            return
        if self._relay.is_unread:
            Drain(connection, self._head.fast_service.loop)
        else:
            connection.release()

    def _on_read(self) -> None:
        """Go on with a stream whose client reads again."""
        if self._state == "streaming" and self._connection is not None:
            self._connection.forward(self)

    def _on_silence(self) -> None:
        """Have the story tell the client to go on waiting for a stream's first bytes."""
        self._timer = None
        if self._state == "opening":
            self._hand_over_opening()

    # The ends.

    def _give_up(self, body: bytes | None, point: str) -> None:
        """Have the story answer from the beginning."""
        exchange, fast_service = self._exchange, self._head.fast_service
        fast_service.counts[point] += 1
        self._state = "over"
        exchange.work = None
        exchange.head = self._template.read(self._filled.values)
        if body is not None:
            exchange.give_back(body)
        fast_service.start_story(self._head.endpoint, exchange)

    def _hand_over_opening(self) -> None:
        connection = self._connection
        assert connection is not None, "it has the stream"  # noqa: S101 - cannot happen
        connection.give_back(self._opening)
        waited = self._head.fast_service.service.clock() - self._opened_at
        self._hand_over(HttpResponse(connection), waited)

    def _hand_over(self, came: HttpResponse | Callable[[], UpstreamError], waited_seconds: float = 0.0) -> None:
        """Have the story go on with what came of the sending."""
        fast_service, exchange = self._head.fast_service, self._exchange
        fast_service.counts["at the provider"] += 1
        self._cancel_timer()
        self._state = "handed"
        self._sending = Sending(self._attempt, self._sent_at, came, waited_seconds)
        exchange.head = self._template.read(self._filled.values)
        fast_service.start_story(self._head.endpoint, exchange, self._claim)

    def _claim(self) -> tuple[ProxyRequest, Begun]:
        """Let the story have all that is held for the request; called as it takes its first step."""
        self._state, self._exchange.work, self._connection = "over", None, None
        headers = self._head.read_headers(self._template, self._filled)
        begun = Begun(self._trail, self._turn, self._plan.decision, self._sent_at, self._sending)
        return ProxyRequest(headers, self._body), begun

    def _stumble(self, error: BaseException) -> None:
        """Tell the client of a bug."""
        if not isinstance(error, Exception):
            raise error
        exchange, endpoint, trail = self._exchange, self._head.endpoint, self._trail
        told = report_bug(error, trail.trace_id)
        if self._state == "over":
            return
        trail.failure = told.code
        answer = answer_error(told, trail, endpoint.surface.encode_error)
        if self._state == "streaming":
            self._end(self._meter.read())
            exchange.cut()
            return
        trail.status = answer.status
        self._attempt.abandon()
        self._end(NO_TOKENS)
        assert isinstance(answer.body, bytes)  # noqa: S101 - an error's is whole
        exchange.answer(answer.status, answer.headers, answer.body)

    def _note_interrupted(self) -> None:
        """Note that nobody waits for the answer any more."""
        trail = self._trail
        if self._state != "streaming":
            self._attempt.abandon()
            trail.upstream_ms = self._measure_since(self._sent_at)
        trail.client_left = True

    def _finish(self, tokens: Tokens) -> None:
        """End with an answer that was written."""
        self._head.fast_service.counts["finished"] += 1
        self._exchange.work = None
        self._close(tokens)
        self._exchange.call_when_read(self._head.fast_service.admission.leave)

    def _end(self, tokens: Tokens) -> None:
        """End without an answer that was written well, and give up what is under way."""
        self._exchange.work = None
        self._cancel_timer()
        dialling, self._dialling = self._dialling, None
        if dialling is not None:
            dialling.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()  # where its answer is not whole, that closes it
        self._close(tokens)
        self._head.fast_service.admission.leave()

    def _close(self, tokens: Tokens) -> None:
        """End the session's turn, and tell of the request."""
        self._state = "over"
        trail = self._trail
        trail.tokens = tokens
        self._turn.close(tokens)
        trail.duration_ms = self._measure()
        service = self._head.fast_service.service
        service.observe(trail)
        if service.look_beside is not None:
            service.look_beside(self._head.endpoint, self._body, trail)

    def _let_go(self) -> None:
        """Give the provider's connection back: its answer is whole."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # What is told.

    def _note_answer(self, status: int) -> None:
        trail, decision = self._trail, self._plan.decision
        now = self._head.fast_service.service.clock()
        tried = Try(decision.model, status, None, (now - self._sent_at) * 1000, decision.deployment)
        trail.tries.append(tried)
        trail.upstream_ms = (now - self._sent_at) * 1000
        trail.adjustments = self._adjustments

    def _encode_lines(self, content_type: bytes) -> bytes:
        """Encode the answer's header lines; see `answer.build_headers` and `Story._pass_back`."""
        trail = self._trail
        head = self._provider_head
        more = b""
        if trail.affinity_id is not None:
            more = f"x-model-affinity: {trail.affinity_id}\r\n".encode("latin-1")
        if trail.origin is not None:
            more += f"x-plano-session: {trail.origin.source}\r\n".encode("latin-1")
        adjusted = b""
        if trail.adjustments:
            adjusted = f"x-plano-adjusted: {say_adjustments(trail.adjustments)}\r\n".encode("latin-1")
        return _LINES % (
            head.passed,
            trail.trace_id.encode("latin-1"),
            more,
            self._plan.contract,
            adjusted,
            trail.routing_ms,
            trail.upstream_ms,
            b"" if head.has_type else content_type,
            _CACHE if trail.streams else b"",
        )

    def _read_tokens(self) -> Tokens:
        return self._meter.read() if self._state == "streaming" else NO_TOKENS

    def _hear_response(self, events: bytes) -> None:
        self._meter.note(events)
        self._note_response(events)

    def _note_response(self, said: bytes) -> None:
        """Note which session made a response; see `Story._note_response`."""
        response_id = read_response_id(said, streams=self._streams)
        if response_id is not None:
            run_at_once(self._turn.note_response(response_id))

    def _measure(self) -> float:
        """Milliseconds since the request came."""
        return self._measure_since(self._trail.started)

    def _measure_since(self, moment: float) -> float:
        return (self._head.fast_service.service.clock() - moment) * 1000


class Drain:
    """Reads what follows a stream's end, for a moment, so that the connection can serve another request."""

    __slots__ = ("_connection", "_timer")

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._timer = loop.call_later(DRAIN_SECONDS, connection.abort)
        connection.forward(self)

    def on_answer(self) -> None:
        """There is none to come."""

    def on_chunk(self, _chunk: bytes, _framed: bytes = b"", /) -> bool:
        """See `Reader.on_chunk`."""
        return True

    def on_end(self, _is_all: bool, /) -> None:  # noqa: FBT001 - a callback's
        """See `Reader.on_end`."""
        self._timer.cancel()
        self._connection.release()

    def on_failure(self, _failure: Callable[[], UpstreamError], /) -> None:
        """See `Reader.on_failure`."""
        self._timer.cancel()


def _give(error: UpstreamError) -> Callable[[], UpstreamError]:
    return lambda: error


def _is_answer(body: bytes, form: Form) -> bool:
    """Whether a whole answer is one, and not an error, or nothing, within a 200."""
    try:
        return check_whole(body, form) is None
    except UpstreamProtocolError:
        return False
