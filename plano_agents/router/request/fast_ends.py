"""The ends of a request on the fast path: it is finished, broken off, told of a bug, or the story's from then on."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Literal

from plano_agents.errors import UpstreamError
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.response import HttpResponse
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.shortcut import Line
from plano_agents.http.server.template import Filled, Template
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.router.request.answer import answer_error
from plano_agents.router.request.begun import Begun, Sending
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.fast_head import FastHead
from plano_agents.router.request.fast_service import AT_THE_PIN, AT_THE_PROVIDER, BEFORE_THE_PIN, BROKEN_OFF, FINISHED
from plano_agents.router.request.story import ProxyRequest
from plano_agents.router.request.trail import Trail
from plano_agents.sessions.pinning import Turn

State = Literal[
    "body", "pin", "looking", "dialling", "head", "whole", "noting", "opening", "streaming", "parted", "handed", "over"
]
_HANDED = frozenset({"parted", "handed"})
_UNSENT = frozenset({"looking", "parted"})
_ANSWERED = frozenset({"noting", "streaming"})


class FastEnds:
    """The state of one request, and how it ends.

    Args:
        head: What its head says.
        line: The client's connection.
        template: Its head's template.
        filled: What stands in the head's blanks.
        exchange: The request and its answer, where its body is still to come; else none is needed for a whole answer.
    """

    __slots__ = (
        "_attempt",
        "_begun",
        "_body",
        "_connection",
        "_exchange",
        "_filled",
        "_head",
        "_line",
        "_sent_at",
        "_state",
        "_task",
        "_template",
        "_timer",
        "_trail",
        "_turn",
    )

    _attempt: Attempt
    _begun: Begun
    _body: bytes
    _connection: Connection | None
    _sent_at: float
    _state: State
    _task: asyncio.Task[Any] | None
    _timer: asyncio.TimerHandle | None
    _trail: Trail
    _turn: Turn

    def __init__(
        self, head: FastHead, line: Line, template: Template, filled: Filled, exchange: Exchange | None = None
    ) -> None:
        self._head, self._line, self._template, self._filled = head, line, template, filled
        self._exchange = exchange
        self._state = "body"
        self._connection = self._task = self._timer = None

    def _open_exchange(self) -> Exchange:
        """Open the request's exchange, where it has none."""
        if self._exchange is None:
            self._exchange = self._line.open_exchange(self._template.head)
        return self._exchange

    def _let_client_go(self) -> Exchange | None:
        """Be told no more of the client; give the exchange, where there is one."""
        exchange = self._exchange
        if exchange is not None:
            exchange.work = None
        else:
            self._line.work = None
        return exchange

    # What the client's connection calls.

    def on_refused(self) -> None:
        """See `Work.on_refused`."""
        self._give_up(None)

    def on_left(self) -> None:
        """See `Work.on_left`."""
        if self._state == "body":
            self._state = "over"
        elif self._state != "over":
            self._note_interrupted()
            self._end(self._read_tokens())

    def on_stop(self) -> None:
        """See `Work.on_stop`."""
        is_handed = self._state in _HANDED
        exchange = self._open_exchange()
        self.on_left()
        exchange.work = None
        if not is_handed:
            self._head.fast_service.start_last_word(self._head.endpoint, exchange)

    # The story's.

    def _give_up(self, body: bytes | None) -> None:
        """Have the story answer from the beginning."""
        exchange, fast_service = self._open_exchange(), self._head.fast_service
        fast_service.counts[BEFORE_THE_PIN] += 1
        self._state = "over"
        exchange.work = None
        exchange.head = self._template.read(self._filled.values)
        if body is not None:
            exchange.give_back(body)
        fast_service.start_story(self._head.endpoint, exchange)

    def _hand_over(self, came: HttpResponse | Callable[[], UpstreamError], waited_seconds: float = 0.0) -> None:
        """Have the story go on with what came of the sending."""
        self._head.fast_service.counts[AT_THE_PROVIDER] += 1
        self._cancel_timer()
        self._state = "handed"
        sending = Sending(self._attempt, self._sent_at, came, waited_seconds)
        self._resume_by_story(Begun(self._trail, self._turn, sending))

    def _part(self) -> None:
        """Have the story go on at the pin, or find that there is no session: nothing was sent."""
        trail = self._trail
        has_session = trail.session is not None
        if trail.decision is not None:
            trail.routing_ms = self._measure_since(trail.started)
        self._head.fast_service.counts[AT_THE_PIN if has_session else BEFORE_THE_PIN] += 1
        self._state = "parted"
        self._resume_by_story(Begun(trail, self._turn if has_session else None))

    def _resume_by_story(self, begun: Begun) -> None:
        self._begun = begun
        exchange = self._open_exchange()
        exchange.head = self._template.read(self._filled.values)
        self._head.fast_service.start_story(self._head.endpoint, exchange, self._claim)

    def _claim(self) -> tuple[ProxyRequest, Begun]:
        """Let the story have all that is held for the request; called as it takes its first step."""
        self._let_client_go()
        self._state, self._connection = "over", None
        return ProxyRequest(self._head.read_headers(self._template, self._filled), self._body), self._begun

    # Its own.

    def _stumble(self, error: BaseException) -> None:
        """Tell the client of a bug."""
        if not isinstance(error, Exception):
            raise error
        endpoint, trail = self._head.endpoint, self._trail
        told = report_bug(error, trail.trace_id)
        if self._state == "over":
            return
        exchange = self._open_exchange()
        trail.failure = told.code
        answer = answer_error(told, trail, endpoint.surface.encode_error)
        if self._state == "streaming":
            self._end(self._read_tokens())
            exchange.cut()
            return
        trail.status = answer.status
        self._attempt.abandon()
        self._end(NO_TOKENS)
        assert isinstance(answer.body, bytes)  # noqa: S101 - an error's is whole
        exchange.answer(answer.status, answer.headers, answer.body)

    def _finish(self, tokens: Tokens, ended: float) -> None:
        """End with an answer that was written.

        Args:
            tokens: What it cost.
            ended: When its last bytes came, in seconds on the service's clock.
        """
        fast_service = self._head.fast_service
        fast_service.counts[FINISHED] += 1
        self._close(tokens, ended)
        if self._line.flow.write_paused:
            self._line.flow.call_when_writable(fast_service.admission.leave)
        else:
            fast_service.admission.leave()

    def _end(self, tokens: Tokens) -> None:
        """End without an answer that was written well, and give up what is under way."""
        fast_service = self._head.fast_service
        if self._state not in _HANDED:
            fast_service.counts[BROKEN_OFF] += 1
        self._let_client_go()
        self._cancel_timer()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()  # also what notes a whole answer: nobody can go on from one that nobody has
        self._release()
        self._close(tokens, fast_service.service.clock())
        fast_service.admission.leave()

    def _close(self, tokens: Tokens, ended: float) -> None:
        """End the session's turn, and tell of the request."""
        self._state = "over"
        trail, service = self._trail, self._head.fast_service.service
        trail.tokens = tokens
        if trail.session is not None:
            self._turn.close(tokens)
        trail.duration_ms = (ended - trail.started) * 1000
        service.observe(trail)
        if service.look_beside is not None:
            service.look_beside(self._head.endpoint, self._body, trail)

    def _release(self) -> None:
        """Give the provider's connection back; where its answer is not whole, that closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _note_interrupted(self) -> None:
        """Note that nobody waits for the answer any more."""
        trail = self._trail
        if self._state not in _UNSENT | _ANSWERED:
            self._attempt.abandon()
            trail.upstream_ms = self._measure_since(self._sent_at)
        trail.client_left = True

    def _read_tokens(self) -> Tokens:
        """Say what the answer cost, as far as it came."""
        return NO_TOKENS

    def _read_fields(self) -> Mapping[str, str]:
        return dict(self._head.read_headers(self._template, self._filled))

    def _measure_since(self, moment: float) -> float:
        return (self._head.fast_service.service.clock() - moment) * 1000
