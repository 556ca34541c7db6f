"""An answer on the fast path: a stream's first events are looked at, then its chunks are passed on as they come."""

import asyncio
from collections.abc import Callable
from functools import partial

from plano_agents.errors import UpstreamError
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.response import ANSWER_BYTES, HttpResponse
from plano_agents.protocol.first_look import Opening, OpeningLook
from plano_agents.protocol.usage import Tokens, UsageMeter
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.request.fast_answer import FastAnswer
from plano_agents.router.request.relay import Relay
from plano_agents.router.request.story import EVENTS
from plano_agents.router.request.stream_encoders import SameStream
from plano_agents.router.request.streams import DRAIN_SECONDS
from plano_agents.router.request.surfaces import RESPONSES
from plano_agents.router.request.upstream_answer import SUCCESS

_EVENTS = f"content-type: {EVENTS['content-type']}\r\n".encode()
_EVENT_STREAM = "text/event-stream"
_CACHE = f"cache-control: {EVENTS['cache-control']}\r\n".encode()


class FastStream(FastAnswer):
    """One request, from its answer's head on."""

    __slots__ = ("_is_noted", "_meter", "_opened_at", "_opening", "_relay")

    _is_noted: bool
    _meter: UsageMeter
    _opened_at: float
    _opening: OpeningLook
    _relay: Relay

    # What the provider's connection calls.

    def on_answer(self) -> None:
        """See `Reader.on_answer`."""
        try:
            self._read_answer()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._stumble(error)

    def on_end(self, is_all: bool) -> None:  # noqa: FBT001 - a callback's
        """See `Reader.on_end`."""
        try:
            if self._state == "streaming":
                self._go_on(is_over=is_all)
            elif self._state == "whole":
                self._take_whole()
            elif self._state == "opening":
                self._hand_over_opening()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._stumble(error)

    def on_failure(self, failure: Callable[[], UpstreamError], /) -> None:
        """See `Reader.on_failure`."""
        if self._state == "streaming":
            self._relay.fail(failure())
            self._go_on()
        elif self._state in {"head", "whole", "opening"}:
            self._connection = None
            self._hand_over(failure)

    def on_chunk(self, chunk: bytes, framed: bytes = b"", /) -> bool:
        """See `Reader.on_chunk`."""
        if self._state == "streaming":
            return self._relay.take(chunk, framed)
        try:
            judged = self._opening.take(chunk)
            if judged is not Opening.BEGUN:
                return judged is Opening.SILENT
            self._begin_stream()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._stumble(error)
            return False
        return self._relay.take(self._opening.came)

    def _read_answer(self) -> None:
        """Take the head of an answer."""
        connection = self._connection
        assert connection is not None, "it calls this"  # noqa: S101 - cannot happen
        plan = self._plan
        head = self._provider_head = (plan.stream_heads if self._streams else plan.heads).read(connection.head)
        is_events = _EVENT_STREAM in head.content_type
        if connection.status not in SUCCESS or head.is_compressed or (self._streams and not is_events):
            self._hand_over(HttpResponse(connection))
        elif self._streams:
            self._open_stream(connection)
        else:
            self._state = "whole"
            if connection.is_complete:
                self._take_whole()
            else:
                connection.wait_for_end(ANSWER_BYTES, self)

    def _open_stream(self, connection: Connection) -> None:
        """Look at a stream's first events as they come."""
        fast_service = self._head.fast_service
        self._state, self._opening = "opening", OpeningLook()
        self._opened_at = fast_service.service.clock()
        self._timer = fast_service.loop.call_later(fast_service.service.patience, self._on_silence)
        connection.forward(self)

    def _begin_stream(self) -> None:
        """Begin to pass on a stream that has begun."""
        connection, surface = self._connection, self._head.endpoint.surface
        assert connection is not None, "it has the stream"  # noqa: S101 - cannot happen
        exchange, trail = self._open_exchange(), self._trail
        self._cancel_timer()
        self._attempt.begin()
        self._note_answer(connection.status, self._head.fast_service.service.clock())
        trail.streams, trail.first_ms, trail.status = True, self._measure_since(trail.started), connection.status
        self._meter = UsageMeter()
        note = self._meter.note if trail.trace is None else trail.trace.hear(self._meter.note)
        hears_all = trail.trace is not None or surface is RESPONSES
        if surface is RESPONSES:
            self._is_noted = False
            note = partial(self._hear_response, note)
        encoder = SameStream(surface.end_mark, surface.encode_error_event)
        self._relay = Relay(encoder, self._attempt, trail, note, exchange.write)
        self._relay.write_framed = exchange.write_framed
        if not hears_all:
            self._relay.passes = encoder.passes
        head = self._provider_head
        more = _CACHE if head.has_type else _EVENTS + _CACHE
        exchange.begin_encoded(connection.status, self._encode_lines(head.passed) + more)
        self._state = "streaming"

    def _go_on(self, *, is_over: bool = False) -> None:
        """Go on with a stream once no more of it is taken, or comes."""
        exchange = self._open_exchange()
        try:
            last = self._relay.conclude(is_over=is_over)
        except StreamBrokenError:
            self._end(self._meter.read())
            exchange.cut()
            return
        if last is None:
            exchange.call_when_read(self._on_read)
            return
        connection, self._connection = self._connection, None
        exchange.end(last)
        exchange.work = None
        self._finish(self._meter.read(), self._head.fast_service.service.clock())
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

    def _hand_over_opening(self) -> None:
        connection = self._connection
        assert connection is not None, "it has the stream"  # noqa: S101 - cannot happen
        connection.give_back(self._opening.came)
        waited = self._head.fast_service.service.clock() - self._opened_at
        self._hand_over(HttpResponse(connection), waited)

    def _hear_response(self, note: Callable[[bytes], None], events: bytes) -> None:
        note(events)
        if not self._is_noted:
            self._is_noted, _ = self._note_response(events)

    def _read_tokens(self) -> Tokens:
        return self._meter.read() if self._state == "streaming" else super()._read_tokens()


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
