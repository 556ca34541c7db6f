"""An HTTP/1.1 connection that hostile clients cannot hold, confuse or fill: uvicorn's, with our own reading.

What comes in is read here, by `head` and `body`. Uvicorn runs ASGI applications and writes their answers; what an
application serves directly is a task of its own with an `exchange.Exchange`, and no more. A request is read when the answer before it is complete, so pipelined ones are answered in order, and after a bad
one nothing is read at all: it gets one error, and the connection ends. Time runs out by what is waited for:

================  =====================================================================================  ==========
phase             the client has                                                                         then
================  =====================================================================================  ==========
idle, new         ``header_seconds`` to begin its first request                                          closed
idle              ``keep_alive_seconds`` to begin the next                                               closed
head              ``header_seconds`` from its first byte to its last                                     408, closed
body              ``body_seconds`` for as much of it as ``min_bytes_per_second`` makes in that time,     408, closed
                  or for what is left: none can trickle or stall. The time does not run while the
                  application does not read, nor while ``100 Continue`` is due
body, answered    ``body_seconds`` for all that is left of it, which is discarded                        closed
answer, unread    ``send_seconds`` to take as much of what waits for it as ``min_bytes_per_second``      cut
                  makes in that time, or all
================  =====================================================================================  ==========

What is buffered for all clients together has a limit (`budget`): a body over it gets a 503, and so does a whole answer that
is served directly; of any other answer nothing can be taken back, so it is cut where it is not read. An answer that has
begun cannot become a 408 or a 503: it is cut. What is logged, at debug, is the error's code.
"""

import asyncio
import http
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from plano_agents.errors import (
    MalformedRequestError,
    OverloadedError,
    PlanoError,
    RequestTimeoutError,
    UpgradeRefusedError,
)
from plano_agents.http.deadline import Deadline
from plano_agents.http.server.body import Body, build_body
from plano_agents.http.server.budget import SMALL_BYTES, BufferBudget
from plano_agents.http.server.exchange import DirectApp, Exchange, Serve
from plano_agents.http.server.flow import Flow
from plano_agents.http.server.head import HeadReader, RequestHead
from plano_agents.http.server.unread import count_unread
from plano_agents.protocol import openai_chat

LINGER_SECONDS = 1.0
"""How long a refused client's bytes are still taken and dropped: closing on unread ones resets the connection, and
then most clients never see the answer."""
PIPELINED_BYTES = 65_536
"""How much of the next requests is kept while one is answered; then the socket is not read."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one client may take."""

    header_seconds: float = 15.0
    """How long a request's head may take, from its first byte."""
    body_seconds: float = 15.0
    """Over how long the least rate of a body is averaged."""
    send_seconds: float = 60.0
    """Over how long the least rate of an answer that waits for its client is averaged."""
    min_bytes_per_second: int = 1024
    """The least rate at which a client has to send a body, and to take an answer."""
    max_header_bytes: int = 65_536
    """How long a head may be."""
    keep_alive_seconds: float = 75.0
    """How long a connection may be idle between requests: longer than clients keep theirs, or they send into one that
    was just closed."""

    def count_least(self, seconds: float) -> int:
        """Count the bytes that have to move in so many seconds; at least one."""
        return max(1, int(self.min_bytes_per_second * seconds))


def build_protocol(
    limits: HttpLimits,
    direct: DirectApp | None = None,
    on_refused: Callable[[str], None] = lambda _code: None,
    budget: BufferBudget | None = None,
) -> type[asyncio.Protocol]:
    """Build the protocol that holds clients to these limits.

    Args:
        limits: They replace uvicorn's own ``timeout_keep_alive``.
        direct: The application, where it serves some paths directly.
        on_refused: Gets the error's code of every request that could not be read, or its answer not be kept.
        budget: Where buffered bytes count; None for one of its own.

    Returns:
        What uvicorn's configuration takes as ``http``.
    """
    return type(
        "LimitedHttpProtocol",
        (HttpProtocol,),
        {
            "limits": limits,
            "direct": direct,
            "on_refused": staticmethod(on_refused),
            "budget": budget if budget is not None else BufferBudget(),
            "_least_body_bytes": limits.count_least(limits.body_seconds),
            "_least_sent_bytes": limits.count_least(limits.send_seconds),
        },
    )


_Phase = Literal["idle", "head", "body", "answer", "closing"]
"""What is waited for: a request, the rest of its head, of its body, the application, the connection's end."""


class _LastHead:
    """The last head, for uvicorn's code, which asks its parser: four questions of httptools' parser."""

    head: RequestHead

    def get_http_version(self) -> str:
        return self.head.http_version

    def get_method(self) -> bytes:
        return self.head.method.encode()

    def should_keep_alive(self) -> bool:
        return self.head.keep_alive

    def should_upgrade(self) -> bool:
        return False


class HttpProtocol(HttpToolsProtocol):
    """One connection. Made by uvicorn, from the class that `build_protocol` makes.

    Of the parent it uses the parser's callbacks (``on_message_begin`` to ``on_message_complete``) with ``url``,
    ``headers`` and ``expect_100_continue``, which they share; ``parser`` and ``flow``, which it replaces; ``cycle``,
    the request being answered, with its ``keep_alive``, ``disconnected``, ``response_started``,
    ``response_complete`` and ``message_event``; and ``server_state``.
    """

    limits: ClassVar[HttpLimits]
    on_refused: Callable[[str], None]
    direct: ClassVar[DirectApp | None]
    budget: ClassVar[BufferBudget]
    flow: Flow
    _least_body_bytes: ClassVar[int]
    _least_sent_bytes: ClassVar[int]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._last_head = _LastHead()
        self.parser = cast("httptools.HttpRequestParser", self._last_head)
        self._buffer = bytearray()
        self._heads = HeadReader(self.limits.max_header_bytes)
        self._body: Body = build_body(0)
        self._body_bytes = 0
        self._body_due = 0
        self._owes_continue = False
        self._phase: _Phase = "idle"
        self._peer: str | None = None
        self._deadline = Deadline(self.loop, self._on_deadline)
        self._unread_bytes = 0
        self._unread_deadline = Deadline(self.loop, self._on_unread)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client is not None else None
        self.flow = Flow(transport, self.budget, self._on_reading_resumed)
        self._wait_for("idle", self.limits.header_seconds)
        self._deadline.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, and let go of everything, so that nothing waits for the garbage collector."""
        if isinstance(self.cycle, Exchange):
            self.cycle.leave()
        super().connection_lost(exc)
        self.flow.close()
        self._phase = "closing"
        self._buffer.clear()
        self._forget_request()
        self._deadline.cancel()
        self._unread_deadline.cancel()

    def pause_writing(self) -> None:
        """Have the application wait, and see whether the client takes any of what waits for it."""
        super().pause_writing()
        self._await_reading()
        if self.flow.is_over_budget:
            self.loop.call_soon(
                self._make_room, self.flow
            )  # once this write is over, and with it perhaps the request

    def resume_writing(self) -> None:
        """Let the application write on."""
        super().resume_writing()
        self._unread_deadline.lift()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._phase != "closing":
            self._buffer += data
            self._read()

    def on_response_complete(self) -> None:
        """Go on to the next request, after what is left of this one."""
        self.server_state.total_requests += 1
        if self._body_bytes > SMALL_BYTES:
            self.flow.body.release()
        if self.transport.is_closing():
            self._await_reading()  # it closes once all is taken
            return
        if self._phase == "closing" or (self._phase == "body" and not self.cycle.keep_alive):
            self._linger()
            return
        if self._owes_continue:
            # The client may send the body now or not at all: what comes next has two readings.
            self.transport.close()
            return
        self.flow.resume_reading()
        if self._phase == "body":
            self._await_body()
            self._deadline.watch()
        else:
            self._forget_request()
            self._wait_for("idle", self.limits.keep_alive_seconds)
            if self._buffer:
                self._read()
            else:
                self._deadline.watch()

    def _read(self) -> None:
        """Read as far as what came, and the application, allow."""
        try:
            if self._phase == "body":
                self._read_body()
            while self._phase in {"idle", "head"} and self._read_head():
                self._read_body()
        except PlanoError as error:
            self._refuse(error)
        if self._phase == "answer" and len(self._buffer) > PIPELINED_BYTES:
            self.flow.pause_reading()
        self._deadline.watch()

    def _read_head(self) -> bool:
        """Start the application on the next request; whether there was one."""
        head = self._heads.take(self._buffer)
        if head is None:
            if self._phase == "idle" and self._buffer:
                self._wait_for("head", self.limits.header_seconds)
            return False
        # RFC 9110, 10.1.1: nobody waits for a 100 who has sent some of the body.
        self._owes_continue = head.expects_continue and not self._buffer
        serve = self._find_direct(head.target) if self.direct is not None else None
        if serve is None:
            self._start_asgi(head)
        else:
            self._start_direct(head, serve)
        self._body = build_body(head.content_length)
        self._phase = "body"
        self._body_bytes = self._body_due = 0  # what is not here yet has its time from now
        if self._owes_continue:
            self.flow.pause_reading()
        return True

    def _find_direct(self, target: str) -> Serve | None:
        assert self.direct is not None, "it is asked first"  # noqa: S101 - cannot happen
        serve = self.direct.find_direct(target)
        if serve is not None or not ("?" in target or "%" in target):
            return serve
        return self.direct.find_direct(unquote(target.partition("?")[0]))

    def _start_direct(self, head: RequestHead, serve: Serve) -> None:
        exchange = Exchange(
            head,
            self.transport,
            self.flow,
            self.server_state,
            self.on_response_complete,
            peer=self._peer,
            owes_continue=self._owes_continue,
        )
        self.cycle = exchange  # type: ignore[assignment]  # it has what is used of a cycle
        exchange.start(serve, self.loop)

    def _start_asgi(self, head: RequestHead) -> None:
        self._last_head.head = head
        self.on_message_begin()
        self.url = head.target.encode()
        self.headers.extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers)
        self.expect_100_continue = self._owes_continue
        try:
            self.on_headers_complete()
        except httptools.HttpParserInvalidURLError:
            raise MalformedRequestError("The request's target is not a valid path.") from None
        # Before 0.40 uvicorn looked for a header that is dropped here.
        self.cycle.keep_alive = head.keep_alive

    def _read_body(self) -> None:
        """Give the application what came of its request's body."""
        piece = self._body.take(self._buffer)
        cycle = self.cycle
        if piece:
            self._body_bytes += len(piece)
            if self._body_bytes > SMALL_BYTES and not cycle.response_complete:
                self.flow.body.grow(self._body_bytes)
            if not isinstance(cycle, Exchange):
                self.on_body(piece)
            elif not cycle.response_complete:
                cycle.take(piece)
        if self._body.is_over:
            if isinstance(cycle, Exchange):
                cycle.close_body()
            else:
                self.on_message_complete()
            if self.cycle.response_complete:
                self._forget_request()
                self._wait_for("idle", self.limits.keep_alive_seconds)
            else:
                self._phase = "answer"
                self._deadline.lift()
        elif self._body_bytes >= self._body_due and not self.cycle.response_complete:
            self._await_body()

    def _forget_request(self) -> None:
        """Let go of a request that is read and answered, or whose client is gone."""
        self.cycle = None  # type: ignore[assignment]  # as before the first
        self._owes_continue = False

    def _on_reading_resumed(self) -> None:
        """Give the client its whole time again, now that the application wants the body."""
        # To whom the answer has begun without a 100, it may never come: the body may stay away.
        self._owes_continue = self._owes_continue and self.cycle.response_started
        if self._phase == "body":
            self._await_body()

    def _refuse(self, error: PlanoError) -> None:
        """End the connection, with an error as the answer if none has begun."""
        _logger.debug("Refused a request: %s", error.code)
        self.flow.body.release()
        cycle = self.cycle
        is_answered = self._phase == "body" and cycle.response_complete
        self._wait_for("closing", LINGER_SECONDS)
        if cycle is not None and not cycle.response_complete:
            if isinstance(cycle, Exchange) and not cycle.response_started:
                cycle.refuse(error)
                return
            # As if the client had left: the application hears of it, and nothing that it still sends goes out.
            if isinstance(cycle, Exchange):
                cycle.leave()
            else:
                cycle.disconnected = True
                cycle.message_event.set()
        self.on_refused(error.code)
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.abort()
        elif is_answered:
            self.transport.close()
        else:
            self._answer(error)
            self._linger()

    def _linger(self) -> None:
        """Close when what the client still sends was taken for a moment, and dropped."""
        self._wait_for("closing", LINGER_SECONDS)
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.flow.resume_reading()
        self.transport.write_eof()
        self._deadline.watch()

    def _answer(self, error: PlanoError) -> None:
        content = openai_chat.encode_error(error)
        status = http.HTTPStatus(error.status_code)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"connection", b"close"),
        ]
        if isinstance(error, UpgradeRefusedError):
            # A 426 names what is served (RFC 9110, 15.5.22).
            headers += [(b"connection", b"upgrade"), (b"upgrade", b"HTTP/1.1")]
        if error.retry_after_seconds is not None:
            headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
        lines = [b"HTTP/1.1 %d %b" % (status, status.phrase.encode())]
        lines += [b"%b: %b" % header for header in headers]
        self.transport.write(b"\r\n".join([*lines, b"", content]))

    def _wait_for(self, phase: _Phase, seconds: float) -> None:
        self._phase = phase
        self._deadline.move(seconds)

    def _await_body(self) -> None:
        """Give the client its time for the next bytes of a body."""
        self._body_due = self._body_bytes + self._least_body_bytes
        self._wait_for("body", self.limits.body_seconds)

    def _on_deadline(self) -> None:
        if self._phase == "head":
            self._refuse(RequestTimeoutError("The request's head took too long. Send it at once."))
        elif self._phase != "body":
            self._phase = "closing"
            self.transport.close()
            self._await_reading()
        elif self.flow.read_paused or self._owes_continue:
            self._await_body()
        else:
            self._refuse(RequestTimeoutError("The request's body took too long. Send it without pauses."))

    def _await_reading(self) -> None:
        """Give the client its time to take what it has to of what waits for it."""
        self._unread_bytes = count_unread(self.transport)
        self._unread_deadline.move(self.limits.send_seconds)
        self._unread_deadline.watch()

    def _make_room(self, flow: Flow) -> None:
        """Cut an answer that does not fit into the budget, unless it has been taken in the meantime."""
        if flow.is_over_budget:
            _logger.debug("Cut an answer: %s", OverloadedError.code)
            self.on_refused(OverloadedError.code)
            self.transport.abort()

    def _on_unread(self) -> None:
        """Cut off a client that takes too little: as long as it is there, it holds its answer, and a provider's."""
        taken = self._unread_bytes - count_unread(self.transport)
        if taken >= max(1, min(self._least_sent_bytes, self._unread_bytes)):
            self._await_reading()
        else:
            self.transport.abort()
