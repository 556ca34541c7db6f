"""A whole answer on the fast path, and the header lines of any."""

import asyncio
import re
from functools import partial

from plano_agents.errors import OverloadedError, UpstreamProtocolError
from plano_agents.http.client.response import ANSWER_BYTES, HttpResponse
from plano_agents.protocol.adjustment import Adjustment
from plano_agents.protocol.first_look import check_whole, looks_like_events
from plano_agents.protocol.form import Form
from plano_agents.protocol.identity import read_response_id
from plano_agents.protocol.usage import Tokens, read_sure_usage, read_usage
from plano_agents.router.request.answer import answer_error, say_adjustments
from plano_agents.router.request.fast_ends import FastEnds
from plano_agents.router.request.fast_plan import Plan
from plano_agents.router.request.provider_head import KnownHead, ProviderHead
from plano_agents.router.request.story import JSON
from plano_agents.router.request.surfaces import RESPONSES
from plano_agents.sessions.at_once import run_at_once

_JSON = f"content-type: {JSON}\r\n".encode()


class FastAnswer(FastEnds):
    """One request, as far as its answer is whole."""

    __slots__ = ("_adjustments", "_known", "_plan", "_provider_head", "_streams", "_whole")

    _adjustments: tuple[Adjustment, ...]
    _known: KnownHead | None
    _plan: Plan
    _provider_head: ProviderHead
    _streams: bool
    _whole: bytes

    def on_known(self, match: re.Match[bytes], body: bytes) -> None:
        """Take a whole answer whose head is known; see `Known`."""
        known = self._known
        assert known is not None, "it was asked for this"  # noqa: S101 - cannot happen
        self._state, head = "whole", known.head
        try:
            self._write_whole(head.passed % match.groups()[::-1], body, has_type=head.has_type, match=match)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._stumble(error)

    def _take_whole(self) -> None:
        """Take a whole answer that the connection holds."""
        connection = self._connection
        assert connection is not None, "it has the answer"  # noqa: S101 - cannot happen
        head, body = self._provider_head, connection.take()
        if len(body) > ANSWER_BYTES:
            connection.hold(None, body)
            self._hand_over(HttpResponse(connection))
        else:
            self._write_whole(head.passed, body, has_type=head.has_type)

    def _write_whole(self, passed: bytes, body: bytes, *, has_type: bool, match: re.Match[bytes] | None = None) -> None:
        """Pass on a whole answer that is one.

        Args:
            passed: The lines of its head that the client gets.
            body: Its body.
            has_type: True if its type is among them.
            match: Its head as it came, where the connection does not hold it.
        """
        connection, endpoint, trail = self._connection, self._head.endpoint, self._trail
        assert connection is not None, "it had the answer"  # noqa: S101 - cannot happen
        tokens = read_sure_usage(body, endpoint.surface.form)
        if tokens is None and not _is_answer(body, endpoint.surface.form):
            connection.hold(match[0] if match is not None else None, body)
            self._hand_over(HttpResponse(connection))
            return
        now = self._head.fast_service.service.clock()
        self._attempt.succeed()
        self._note_answer(connection.status, now)
        self._connection = None
        connection.release()
        lines = self._encode_lines(passed) if has_type else self._encode_lines(passed) + _JSON
        if trail.trace is not None:
            trail.trace.note_reply(body)
        if endpoint.surface is RESPONSES:
            _, noting = self._note_response(body)
            if noting is not None:
                # Another replica may be asked to go on from it at once.
                self._state, self._whole, self._task = "noting", body, noting
                noting.add_done_callback(partial(self._on_noted, connection.status, lines))
                return
        self._answer_whole(connection.status, lines, body, now, read_usage(body) if tokens is None else tokens)

    def _on_noted(self, status: int, lines: bytes, _noting: "asyncio.Task[None]") -> None:
        """Pass on a whole answer whose session is noted."""
        self._task = None
        if self._state == "noting":
            now = self._head.fast_service.service.clock()
            self._answer_whole(status, lines, self._whole, now, read_usage(self._whole))

    def _answer_whole(self, status: int, lines: bytes, body: bytes, now: float, tokens: Tokens) -> None:
        exchange, self._trail.status = self._exchange, status
        try:
            if exchange is None:
                self._line.answer(status, lines, body)
            else:
                exchange.work = None
                exchange.answer_encoded(status, lines, body)
        except OverloadedError as error:
            self._tell_overload(error, tokens)
        else:
            self._finish(tokens, now)

    def _tell_overload(self, error: OverloadedError, tokens: Tokens) -> None:
        """Tell a client whose answer there is no room for."""
        endpoint, exchange = self._head.endpoint, self._open_exchange()
        self._trail.status, self._trail.failure = error.status_code, error.code
        self._end(tokens)
        self._head.fast_service.on_refused(error.code)
        answer = answer_error(error, None, endpoint.surface.encode_error)
        assert isinstance(answer.body, bytes)  # noqa: S101 - an error's is whole
        exchange.answer(answer.status, answer.headers, answer.body)

    def _note_answer(self, status: int, now: float) -> None:
        """Note that an answer came, and when."""
        trail = self._trail
        trail.answered, trail.upstream_ms = status, (now - self._sent_at) * 1000
        trail.adjustments = self._adjustments

    def _encode_lines(self, passed: bytes) -> bytes:
        """Encode the answer's header lines; see `answer.build_headers` and `Story._pass_back`."""
        trail, adjusted = self._trail, b""
        named = f"x-plano-trace-id: {trail.trace_id}\r\n"
        if trail.affinity_id is not None:
            named += f"x-model-affinity: {trail.affinity_id}\r\n"
        if trail.origin is not None:
            named += f"x-plano-session: {trail.origin.source}\r\n"
        if trail.adjustments:
            adjusted = f"x-plano-adjusted: {say_adjustments(trail.adjustments)}\r\n".encode("latin-1")
        milliseconds = (trail.routing_ms, trail.upstream_ms)
        return self._plan.lines % (passed, named.encode("latin-1"), adjusted, *milliseconds)

    def _note_response(self, said: bytes) -> "tuple[bool, asyncio.Task[None] | None]":
        """Note which session made a response, as `Story._note_response` does.

        Returns:
            Whether the response named itself; and the task that notes it where that takes time.
        """
        response_id = read_response_id(said, streams=self._streams)
        if response_id is None:
            return False, None
        fast_service, noting = self._head.fast_service, self._turn.note_response(response_id)
        if not fast_service.is_shared:
            return True, run_at_once(noting)
        task = fast_service.loop.create_task(noting)
        self._line.server_state.hold(task)
        return True, task

    def _read_tokens(self) -> Tokens:
        return read_usage(self._whole) if self._state == "noting" else super()._read_tokens()


def _is_answer(body: bytes, form: Form) -> bool:
    """Check whether a whole answer is one, and not an error, or nothing, within a 200."""
    try:
        return not looks_like_events(body) and check_whole(body, form) is None
    except UpstreamProtocolError:
        return False
