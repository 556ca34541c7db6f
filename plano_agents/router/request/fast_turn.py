"""One request on the fast path: a state machine between its client's connection and its provider's.

=============  =====================================================  ===============================================
state          waits for                                              then
=============  =====================================================  ===============================================
``body``       the request's body                                     ``pin``, or the story's
``pin``        nothing: it is decided at once                         sent, ``looking``, or the story's
               (a first turn by `fast_first`)
``looking``    the shared store's answer                              decided and sent, or the story's
``dialling``   a connection to the provider                           ``head``, or the story's with its failure
``head``       the answer's head                                      ``whole``, ``opening``, or the story's
``whole``      the answer's end                                       written, or the story's (`fast_answer`)
``opening``    a stream's first events that say something             ``streaming``, or the story's (`fast_stream`)
``streaming``  the stream's chunks, and the client's reading          written, or broken off
``handed``     the story's first step, as ``parted`` does, where      ``over`` (`fast_ends`)
               nothing was sent
``over``       nothing
=============  =====================================================  ===============================================

In every state the client may leave, and the server may stop.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from plano_agents.errors import PlanoError, UpstreamError
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.head import encode_line
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.fast_first import decide_first
from plano_agents.router.request.fast_plan import Fit, Plan
from plano_agents.router.request.fast_stream import FastStream
from plano_agents.router.request.trail import Trail
from plano_agents.routing.suitability import find_unmet
from plano_agents.sessions.at_once import run_at_once
from plano_agents.sessions.pin import Decision
from plano_agents.sessions.pinning import Turn


class FastTurn(FastStream):
    """One request; a `Work` to the client's connection, a `Reader` to the provider's."""

    __slots__ = ("_fit", "_is_kept", "_started", "_traced")

    _fit: Fit
    _is_kept: bool
    _started: float
    _traced: bytes

    # What the client's connection calls.

    def on_body(self) -> None:
        """See `Work.on_body`."""
        self.begin(self._open_exchange().take_body())

    def begin(self, body: bytes) -> None:
        """Begin: this is the request's body."""
        self._body = body
        try:
            if self._line.flow.write_paused or not self._head.fast_service.has_room(len(body)):
                self._give_up(body)
            else:
                self._begin(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._fall_back(error)

    def _begin(self, body: bytes) -> None:
        head, service = self._head, self._head.fast_service.service
        began_at, started = service.wall_clock(), service.clock()
        request = head.read_body(body, self._filled)
        if request.preferences is not None:
            self._give_up(body)
            return
        affinity_id, found = head.find_turn(self._template, self._filled, request)
        head.fast_service.admission.enter()
        self._state, self._streams, self._traced = "pin", request.streams, b""
        context = head.find_trace(self._filled) if head.is_traced else None
        trace_id = context.trace_id if context is not None else service.new_trace_id()
        path, label, client = head.endpoint.path, head.label, head.client
        trail = self._trail = Trail(trace_id, path, began_at, started, affinity_id, client=client, label=label)
        if service.sampler is not None:
            trail.trace = service.sampler.begin(trace_id, context, self._read_fields, body)
        if not isinstance(found, Turn):
            self._look(request, self._find(found))
            return
        self._turn = found.open()
        trail.session, trail.origin = found.key, found.origin
        (self._check if head.fast_service.is_shared else self._retain)(request)

    # What the provider's connection calls, beside what `FastStream` has.

    def on_failure(self, failure: Callable[[], UpstreamError], /) -> None:
        """See `Reader.on_failure`; where a kept connection died before it answered, another is made."""
        connection = self._connection
        if self._state == "head" and self._is_kept and connection is not None and connection.died_unanswered:
            self._dial()
        else:
            super().on_failure(failure)

    # The steps.

    def _check(self, request: RequestBody) -> None:
        """Have a shared store say whether the session's pin still is what is known."""
        self._state = "looking"
        if not self._turn.check(partial(self._on_checked, request)):
            self._look(request, self._turn.retain(self._head.fast_service.service.chooser.find_name))

    def _on_checked(self, request: RequestBody, is_at_hand: bool) -> None:  # noqa: FBT001 - told as it is called
        if self._state == "looking":
            try:
                if is_at_hand:
                    self._retain(request)
                else:
                    self._look(request, self._turn.retain(self._head.fast_service.service.chooser.find_name))
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
                self._fall_back(error)

    def _retain(self, request: RequestBody) -> None:
        """Decide by a pin that is at hand, and go on."""
        plan = self._turn.retain_here(self._head.retained)
        if plan is None:
            find_name = self._head.fast_service.service.chooser.find_name
            self._go_on_by(request, partial(self._turn.retain_at_hand, find_name))
        else:
            self._go_on_at_pin(request, plan)

    def _look(self, request: RequestBody, looking: Coroutine[Any, Any, Decision | None]) -> None:
        """Go on with what a look at the session's pin comes to, at once where the store is not shared."""
        fast_service = self._head.fast_service
        if not fast_service.is_shared:
            self._go_on_by(request, partial(run_at_once, looking))
            return
        self._state = "looking"
        self._task = fast_service.loop.create_task(looking)
        self._task.add_done_callback(partial(self._on_store, request))

    async def _find(self, found: Coroutine[Any, Any, Turn | None]) -> Decision | None:
        """Begin the session's turn, where there is a session, and decide by its pin; None where none decides."""
        turn = await found
        if turn is None:
            return None
        self._turn = turn.open()
        self._trail.session, self._trail.origin = turn.key, turn.origin
        return await turn.retain(self._head.fast_service.service.chooser.find_name)

    def _on_store(self, request: RequestBody, looking: "asyncio.Task[Decision | None]") -> None:
        """Go on with what a shared store has answered, or failed to."""
        self._task = None
        if self._state == "looking" and not looking.cancelled():
            try:
                self._go_on_by(request, looking.result)
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
                self._fall_back(error)

    def _go_on_by(self, request: RequestBody, read: Callable[[], Decision | None]) -> None:
        """Go on with what a look at the session's pin came to."""
        decision = read()
        if decision is None and self._trail.session is not None and not self._head.fast_service.is_shared:
            self._begin_session(request)
            return
        plan = self._head.find_plan(decision, self._turn) if decision is not None else None
        if plan is not None and self._turn.pinned_at is not None:
            self._head.retained[self._turn.pinned_at] = plan
        if plan is not None:
            self._go_on_at_pin(request, plan)
            return
        self._trail.decision = decision
        if decision is not None and self._trail.label is not None:
            self._turn.note_label(self._trail.label)
        self._part()

    def _begin_session(self, request: RequestBody) -> None:
        """Begin the session, where its first turn needs nothing but what is known."""
        first = decide_first(self._head, request, self._turn)
        if first is None or not self._turn.keep_here(first.settled):
            self._part()
            return
        self._trail.ranking = first.ranking
        self._go_on_at_pin(request, first.plan, first.fit)

    def _go_on_at_pin(self, request: RequestBody, plan: Plan, fit: Fit | None = None) -> None:
        """Send the request to the model that its pin decides for, or have the story go on.

        Args:
            request: The request.
            plan: The plan of what is decided.
            fit: The request's body, as its model takes it, where that is known.
        """
        turn, trail, head = self._turn, self._trail, self._head
        self._plan, decision = plan, plan.decision
        trail.decision = decision
        if trail.label is not None:
            turn.note_label(trail.label)
        health = plan.health or plan.find_health()
        attempt = health.breaker.allow_closed()
        if attempt is None or (decision.deployment is not None and health.rest.seconds_left > 0):
            self._part()
            return
        self._sent_at = sent_at = head.fast_service.service.clock()
        fit = fit or plan.fit(request, turn.key) if len(self._body) <= plan.sure_bytes or self._meets(request) else None
        if fit is None:
            self._part()
            return
        turn.note_dispatch(decision.model, decision.deployment)
        health.budget.note_request()
        trail.routing_ms = (sent_at - trail.started) * 1000
        self._attempt, self._fit, self._adjustments = attempt, fit, fit[2]
        if trail.trace is not None:
            headers = trail.trace.begin_sending(decision.model, decision.deployment)
            self._traced = b"".join([encode_line(*header) for header in headers.items()])
        self._started = head.fast_service.loop.time()
        connection = plan.way.pool.take()
        if connection is None:
            self._dial()
        else:
            self._ask(connection, is_kept=True)

    def _meets(self, request: RequestBody) -> bool:
        """Check whether the model can serve a request that not every model's window holds for sure."""
        profile = self._head.fast_service.service.chooser.find_profile(self._plan.decision.model)
        return find_unmet(profile, Needs(request.content, request.fields)) is None

    def _dial(self) -> None:
        """Make a connection."""
        self._state, self._connection = "dialling", None
        connecting = self._plan.way.connect(self._plan.served.timeouts, self._started)
        self._task = self._head.fast_service.loop.create_task(connecting)
        self._task.add_done_callback(self._on_dialled)

    def _on_dialled(self, dialled: "asyncio.Task[Connection]") -> None:
        """Send the request on the connection that was made."""
        self._task = None
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
        """Send the request."""
        plan, (body, caching, _) = self._plan, self._fit
        self._state, self._connection, self._is_kept = "head", connection, is_kept
        head = plan.encode_head(self._filled.values, caching, self._traced, len(body))
        known = self._known = None if self._streams else plan.heads.whole
        taken = (known.match, self.on_known) if known is not None else None
        connection.ask(head, body, plan.served.timeouts, started=self._started, reader=self, known=taken)

    def _fall_back(self, error: Exception) -> None:
        """Have the story answer where nothing was sent: what is a request's own fault, it tells; what is not, here."""
        if not isinstance(error, PlanoError) and self._state in {"body", "pin", "looking"}:
            report_bug(error, self._trail.trace_id if self._state != "body" else "-")
        if self._state == "body":
            self._give_up(self._body)
        elif self._state in {"pin", "looking"}:
            self._part()
        else:
            self._stumble(error)


def _give(error: UpstreamError) -> Callable[[], UpstreamError]:
    return lambda: error
