"""An HTTP/1.1 connection that hostile clients cannot hold, confuse or fill.

Requests are read by `head` and `body`, and answered through an `exchange.Exchange`. A request is read when the answer
before it is complete, so pipelined ones are answered in order, and after a bad one nothing is read at all: it gets one
error, and the connection ends. Time runs out by what is waited for:

================  =====================================================================================  ==========
phase             the client has                                                                         then
================  =====================================================================================  ==========
idle, new         ``header_seconds`` to begin its first request                                          closed
idle              ``keep_alive_seconds`` to begin the next                                               closed
idle, stopping    ``farewell_seconds`` to begin a last one, whose answer says ``connection: close``      closed
head              ``header_seconds`` from its first byte to its last                                     408, closed
body              ``body_seconds`` for as much of it as ``min_bytes_per_second`` makes in that time,     408, closed
                  or for what is left: none can trickle or stall. The time does not run while the
                  application does not read, nor while ``100 Continue`` is due
body, answered    ``body_seconds`` for all that is left of it, which is discarded                        closed
answer, unread    ``send_seconds`` to take as much of what waits for it as ``min_bytes_per_second``      cut
                  makes in that time, or all (`flow`)
================  =====================================================================================  ==========

What is buffered for all clients together has a limit (`budget`): a body over it gets a 503, and so does a whole answer
that is served directly; of any other answer nothing can be taken back, so it is cut where it is not read. An answer
that has begun cannot become a 408 or a 503: it is cut. What is logged, at debug, is the error's code.
"""

import asyncio
import logging
from typing import Literal

from plano_agents.errors import PlanoError, RequestTimeoutError
from plano_agents.http.deadline import Deadline
from plano_agents.http.server.answer_head import encode_refusal
from plano_agents.http.server.body import Body, build_body
from plano_agents.http.server.budget import SMALL_BYTES
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.flow import Flow
from plano_agents.http.server.handlers import Handlers, Known
from plano_agents.http.server.head import HeadReader, RequestHead
from plano_agents.http.server.link import Ends, read_ends
from plano_agents.http.server.server_state import ServerState
from plano_agents.http.server.shortcut import Shortcut
from plano_agents.http.server.template import Filled, Template, build_template
from plano_agents.http.server.work import Work
from plano_agents.http_syntax import END_OF_HEAD

LINGER_SECONDS = 1.0
"""How long a refused client's bytes are still taken and dropped: closing on unread ones resets the connection, and
then most clients never see the answer."""
PIPELINED_BYTES = 65_536
"""How much of the next requests is kept while one is answered; then the socket is not read."""

_CLOSING = b"connection: close\r\n"
_logger = logging.getLogger(__name__)

_Phase = Literal["idle", "head", "body", "answer", "closing"]
"""What is waited for: a request, the rest of its head, of its body, the application, the connection's end."""


class ServerConnection(asyncio.Protocol):
    """One connection.

    Args:
        server_state: What it shares with the server's others.
        handlers: Serve its requests.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_body_due",
        "_buffer",
        "_deadline",
        "_exchange",
        "_handlers",
        "_heads",
        "_is_told",
        "_known",
        "_loop",
        "_max_header_bytes",
        "_phase",
        "ends",
        "flow",
        "peer",
        "server_state",
        "transport",
        "work",
    )

    transport: asyncio.Transport
    """Carries the bytes."""
    flow: Flow
    """Says whether it reads and writes for now."""
    ends: Ends
    """The client's address and the server's own."""

    def __init__(self, server_state: ServerState, handlers: Handlers) -> None:
        self.server_state = server_state
        """What it shares with the server's others."""
        self._handlers = handlers
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._max_header_bytes = server_state.limits.max_header_bytes
        self._heads = HeadReader(self._max_header_bytes)
        self._body: Body = build_body(0)
        self._body_bytes = self._body_due = 0
        self._exchange: Exchange | None = None
        self.work: Work | None = None
        """Serves the request that was read last without an exchange; None where it has one, or is answered."""
        self._is_told = False  # the client, that the answer in hand is the last
        self._known: list[Known] = []  # the one seen last is first
        self._phase: _Phase = "idle"
        self._deadline = Deadline(self._loop, self._on_deadline)
        self.peer: str | None = None
        """The client's address; None where it has none, on a Unix socket."""

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # only those are made
        """Begin to wait for a request."""
        self.transport = transport
        self.flow = Flow(transport, self.server_state, self._on_reading_resumed)
        self.server_state.members.add(self)
        client, _ = self.ends = read_ends(transport)
        self.peer = client[0] if client is not None else None
        state = self.server_state
        if not state.is_stopping:
            self._known = self._handlers.recall(self.peer)
        self._wait_for("idle", state.idle_seconds if state.is_stopping else state.limits.header_seconds)
        self._deadline.watch()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio has it
        """Tell the exchange, and drop everything, so that nothing waits for the garbage collector."""
        work, self.work = self.work, None
        if work is not None:
            work.on_left()
        elif self._exchange is not None:
            self._exchange.leave()
        self.server_state.leave(self)
        self.flow.close()
        self._phase = "closing"
        self._buffer.clear()
        self._exchange = None
        self._known.clear()
        self._deadline.cancel()

    def pause_writing(self) -> None:
        """Have writers wait: the client does not read."""
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self.flow.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._phase == "idle" and self._known and not self._buffer and self._take_known(data):
            return
        if self._phase != "closing":
            self._buffer += data
            self._read()

    # What a server that stops calls.

    def finish(self) -> None:
        """Close, once the request that is being answered is done, or the next one, if it comes soon.

        A client that has not been told may have sent its next request already: closing would lose it.
        """
        self._known.clear()  # so that the next head is parsed, where it is told
        if self.work is not None:
            self._is_told = True
        elif self._exchange is not None and not self._exchange.has_head:
            self._exchange.keep_alive = False
        elif self._phase == "idle":
            self._wait_for("idle", self.server_state.idle_seconds)
            self._deadline.watch()

    def interrupt(self) -> None:
        """End what is served without a task, and tell its client so."""
        work = self._exchange.work if self._exchange is not None else self.work
        if work is not None:
            work.on_stop()

    def abandon(self) -> None:
        """Close, whatever is being answered."""
        self.transport.close()

    # What work without an exchange calls.

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """See `Line.answer`."""
        if len(body) > SMALL_BYTES:
            self.flow.make_room(len(body))
        beginning, last = self.server_state.beginnings[status], _CLOSING if self._is_told else b""
        self.transport.write(b"".join((beginning, lines, last, END_OF_HEAD % len(body), body)))
        self.work = None
        if last:
            self.transport.close()
        self._wait_for_next()

    def open_exchange(self, head: RequestHead) -> Exchange:
        """See `Line.open_exchange`."""
        exchange = self._exchange = Exchange(head, self, is_told=False, owes_continue=False)
        exchange.is_whole, exchange.keep_alive = True, not self._is_told
        exchange.work, self.work = self.work, None
        return exchange

    # What the exchange calls.

    def read_on(self) -> None:
        """Let the client send, unless what came of its next requests is more than is kept."""
        if len(self._buffer) <= PIPELINED_BYTES:
            self.flow.resume_reading()

    def end_answer(self) -> None:
        """Go on to the next request, after what is left of this one."""
        exchange = self._exchange
        assert exchange is not None, "it calls this"  # noqa: S101 - cannot happen
        if self._body_bytes > SMALL_BYTES:
            self.flow.body.release()
        if self._phase == "answer" and not exchange.owes_continue:
            self._wait_for_next()
            return
        if self.transport.is_closing():
            self.flow.watch_unread()  # it closes once all is taken
            return
        if self._phase == "closing" or (self._phase == "body" and not exchange.keep_alive):
            self._linger()
            return
        if exchange.owes_continue:
            # The client may send the body now or not at all: what comes next has two readings.
            self.transport.close()
            return
        self.flow.resume_reading()
        self._await_body()
        self._deadline.watch()

    def _wait_for_next(self) -> None:
        """Go on to the next request: this one is over, its body and its answer."""
        if self.transport.is_closing():
            self.flow.watch_unread()  # it closes once all is taken
            return
        self._exchange, self._phase = None, "idle"
        if self.flow.read_paused:
            self.flow.resume_reading()
        self._deadline.expect(self._loop.time() + self.server_state.idle_seconds)
        if self._buffer:
            self._loop.call_soon(self._read_pipelined)  # once what was answered is over, too

    def _read_pipelined(self) -> None:
        """Go on to a request that came with the one before."""
        if self._phase == "idle" and self._buffer and not self.transport.is_closing():
            self._read()

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
        """Begin an exchange with the next request; whether there was one."""
        head = self._heads.take(self._buffer)
        if head is None:
            if self._phase == "idle" and self._buffer:
                self._wait_for("head", self.server_state.limits.header_seconds)
            return False
        # RFC 9110, 10.1.1: nobody waits for a 100 who has sent some of the body.
        owes_continue = head.expects_continue and not self._buffer
        serve = self._handlers.find_direct(head.target)
        exchange = Exchange(head, self, is_told=serve is None, owes_continue=owes_continue)
        if self.server_state.is_stopping:
            exchange.keep_alive = False
        if serve is not None:
            exchange.work = self._begin_work(exchange, head)
        if exchange.work is None:
            exchange.start(serve or self._handlers.bridge.serve, self._loop)
        self._exchange = exchange
        self._body = build_body(head.content_length)
        self._phase = "body"
        self._body_bytes = self._body_due = 0  # what is not here yet has its time from now
        if owes_continue:
            self.flow.pause_reading()
        return True

    def _begin_work(self, exchange: Exchange, head: RequestHead) -> Work | None:
        """Begin to serve a request, whose head was just parsed, without a task; None where it needs one."""
        read = self._heads.last
        known = self._find_known(read)
        if known is not None and known[1].is_over:
            self._known.clear()
        elif known is not None:
            template, shortcut, filled = known
            return shortcut.begin(exchange, self, template, filled)
        blanks = self._handlers.list_blanks(head.target)
        if blanks is None or (new := build_template(read, head, blanks)) is None:
            return None
        found = self._handlers.find_shortcut(new, self.peer)
        values = new.fill(read, len(read))
        if found is None or values is None:
            return None
        self._handlers.learn(self._known, (new, found), self.peer)
        return found.begin(exchange, self, new, values)

    def _find_known(self, data: bytes) -> tuple[Template, Shortcut, Filled] | None:
        """Find the known head that a request begins with."""
        for each in self._known:
            template, shortcut = each
            filled = template.fill(data, self._max_header_bytes)
            if filled is not None:
                if each is not self._known[0]:
                    self._known.remove(each)
                    self._known.insert(0, each)
                return template, shortcut, filled
        return None

    def _take_known(self, data: bytes) -> bool:
        """Begin an exchange with a request whose head is known, and read what came of its body; whether it is.

        Args:
            data: All that came of it.
        """
        known = self._find_known(data)
        if known is None:
            return False
        template, shortcut, filled = known
        body = data[filled.end :]
        if len(body) == filled.length <= SMALL_BYTES and template.keeps_alive:
            self._phase = "answer"
            if shortcut.serve(self, template, filled, body):
                return True
            self._phase = "idle"
        if shortcut.is_over:
            self._known.clear()
            return False
        exchange = self._exchange = Exchange(template.head, self, is_told=False, owes_continue=False)
        work = exchange.work = shortcut.begin(exchange, self, template, filled)
        if work is None:
            head = exchange.head = template.read(filled.values)
            serve = self._handlers.find_direct(head.target)
            assert serve is not None, "a shortcut's path is served directly"  # noqa: S101 - cannot happen
            exchange.start(serve, self._loop)
        self._body_bytes = self._body_due = 0
        self._body = build_body(filled.length)
        self._phase = "body"
        self._buffer += body
        self._read()
        return True

    def _read_body(self) -> None:
        """Give the exchange what came of its request's body."""
        exchange = self._exchange
        assert exchange is not None, "it ends with its body"  # noqa: S101 - cannot happen
        piece = self._body.take(self._buffer)
        if piece:
            self._body_bytes += len(piece)
            if not exchange.response_complete:
                if self._body_bytes > SMALL_BYTES:
                    self.flow.body.grow(self._body_bytes)
                exchange.take(piece)
        if self._body.is_over:
            exchange.close_body()
            if exchange.response_complete:
                self._exchange = None
                self._wait_for("idle", self.server_state.idle_seconds)
            else:
                self._phase = "answer"
                self._deadline.lift()
        elif self._body_bytes >= self._body_due and not exchange.response_complete:
            self._await_body()

    def _on_reading_resumed(self) -> None:
        """Give the client its whole time again, now that the application wants the body."""
        if self._phase == "body":
            self._await_body()

    def _refuse(self, error: PlanoError) -> None:
        """End the connection, with an error as the answer if none has begun."""
        _logger.debug("Refused a request: %s", error.code)
        self.flow.body.release()
        exchange = self._exchange
        self._wait_for("closing", LINGER_SECONDS)
        if exchange is None:
            self._answer(error)
        elif exchange.response_complete:
            self.server_state.on_refused(error.code)
            self.transport.close()
        elif not exchange.refuse(error):
            if exchange.response_started:
                self.server_state.on_refused(error.code)
                self.transport.abort()
            else:
                self._answer(error)

    def _answer(self, error: PlanoError) -> None:
        """Answer a request that no application answers, and end the connection."""
        self.server_state.on_refused(error.code)
        self.transport.write(encode_refusal(error, self.server_state.beginnings))
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

    def _wait_for(self, phase: _Phase, seconds: float) -> None:
        self._phase = phase
        self._deadline.move(seconds)

    def _await_body(self) -> None:
        """Give the client its time for the next bytes of a body."""
        self._body_due = self._body_bytes + self.server_state.least_body_bytes
        self._wait_for("body", self.server_state.limits.body_seconds)

    def _on_deadline(self) -> None:
        if self._phase == "answer":
            return
        if self._phase == "head":
            self._refuse(RequestTimeoutError("The request's head took too long. Send it at once."))
        elif self._phase != "body":
            self._phase = "closing"
            self.transport.close()
            self.flow.watch_unread()
        elif self.flow.read_paused or (self._exchange is not None and self._exchange.owes_continue):
            self._await_body()
        else:
            self._refuse(RequestTimeoutError("The request's body took too long. Send it without pauses."))
