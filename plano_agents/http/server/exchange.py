"""One request and its answer, between the connection that they cross and what serves them.

A router's endpoints serve exchanges directly: ASGI costs a message for every step and a task that waits for the
client's leaving, and a request that needs a few dozen microseconds would spend most of them there. An ASGI application
is served by a bridge (`asgi`). The connection hands in the body as it comes and says when the client is gone; that
cancels the work at once, or tells it, where the exchange was made so. What needs no task is served by callbacks
(`shortcut`), and may start one at any time.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping

from plano_agents.errors import BodyTooLargeError, PlanoError
from plano_agents.http.server.answer_head import encode_headers
from plano_agents.http.server.budget import SMALL_BYTES
from plano_agents.http.server.head import RequestHead
from plano_agents.http.server.link import Ends, Link
from plano_agents.http.server.work import Work
from plano_agents.http_syntax import END_OF_HEAD
from plano_agents.observe.log import locate

Serve = Callable[["Exchange"], Coroutine[None, None, None]]
"""Answers a request. What it leaves without an end breaks the connection: a clean end would be taken for success."""

_CHUNK = b"%b%x\r\n%b\r\n"
"""The answer's head, where it was not sent yet, and a piece of its body with the piece's size before it."""
_BARE = b"%b%.0a%b"
"""The same for HTTP/1.0, which has no chunks (RFC 9112, section 6.1): the size takes no room."""
_CHUNKS_END = b"0\r\n\r\n"
_CLOSING = b"connection: close\r\n"

HELD_BYTES = 65_536
"""How much of a body is held for an application that reads it piece by piece, before its client is not read."""

_log = logging.getLogger(__name__)


class Exchange:
    """One request and its answer.

    Args:
        head: The request's.
        link: The connection that it came on.
        is_told: Whether who serves it is told that the client left, and not cancelled.
        owes_continue: Whether the client waits for ``100 Continue`` before it sends the body.
    """

    __slots__ = (
        "_body",
        "_end",
        "_frame",
        "_head",
        "_link",
        "_refusal",
        "_task",
        "_waiters",
        "disconnected",
        "head",
        "is_told",
        "is_whole",
        "keep_alive",
        "owes_continue",
        "peer",
        "response_complete",
        "response_started",
        "size",
        "work",
    )

    def __init__(self, head: RequestHead, link: Link, *, is_told: bool, owes_continue: bool) -> None:
        self.head = head
        """The request's head."""
        self.peer = link.peer
        """The client's address."""
        self.is_told = is_told
        """True if the application was told that the client left."""
        self.owes_continue = owes_continue
        """True if the client waits for ``100 Continue``, or for the answer in its place."""
        self._link = link
        self._head = b""
        self._body: list[bytes] = []
        self.size = 0
        """How many bytes of the body came and were not taken."""
        self._refusal: PlanoError | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None
        self.work: Work | None = None
        """Serves it by callbacks; None where a task does."""
        self.keep_alive = head.keep_alive
        """True if the connection serves another request after this one."""
        self.is_whole = False
        """True if the body's end came."""
        self.disconnected = False
        """True if the client is gone, or refused: nothing more can be sent."""
        self.response_started = False
        """True if the answer has begun."""
        self.response_complete = False
        """True if its end was written."""

    # What the connection does.

    def start(self, serve: Serve, loop: asyncio.AbstractEventLoop) -> None:
        """Begin the work."""
        self._task = loop.create_task(self._run(serve))
        self._link.server_state.tasks.add(self._task)

    def take(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(piece)
        self.size += len(piece)
        if self.is_told and self.size > HELD_BYTES:
            self._link.flow.pause_reading()
        self.wake()

    def close_body(self) -> None:
        """Take the body's end."""
        self.is_whole = True
        if self.work is not None:
            self.work.on_body()
        else:
            self.wake()

    def refuse(self, error: PlanoError) -> bool:
        """Have the reader of the body answer with an error: the rest of the body does not come.

        Returns:
            Whether the error was taken; if not, it is as if the client had left.
        """
        if self.is_told or self.response_started:
            self.leave()
            return False
        self.keep_alive = False
        self._body.clear()
        self._refusal = error
        if self.work is not None:
            self.work.on_refused()
        self.wake()
        return True

    def leave(self) -> None:
        """End the work: the client is gone, or was refused."""
        self.disconnected = True
        task, work = self._task, self.work
        if work is not None:
            self.work = None
            work.on_left()
        if task is None or self.response_complete:
            return
        if self.is_told:
            self._body.clear()
            self.wake()
            return
        # One that is cancelled before its first step never comes to take itself away.
        task.add_done_callback(self._link.server_state.tasks.discard)
        task.cancel()
        self._let_go()

    # What the application does.

    async def read_body(self, limit: int, *, way_out: str = "Send a smaller one.") -> bytes:
        """Read the request's body.

        Args:
            limit: The most bytes it may have.
            way_out: What the client is told to do about a larger one; each application names its own setting.

        Raises:
            BodyTooLargeError: It is, or claims to be, over the limit.
            PlanoError: The connection refuses it: it is malformed, too slow, or there is no room for it.
        """
        length = self.head.content_length
        if length is not None and length > limit:
            raise BodyTooLargeError(f"The request body has {length} bytes; the limit is {limit}. {way_out}")
        while not self.is_whole and self.size <= limit:
            if self._refusal is not None:
                raise self._take_refusal()
            await self.wait()
        if self.size > limit:
            raise BodyTooLargeError(f"The request body has more than {limit} bytes. {way_out}")
        return self.take_body()

    async def wait(self) -> None:
        """Let the client send, and wait until more of the body comes, or its end, or the client leaves."""
        if self.owes_continue and not self.response_started:
            self.owes_continue = False
            self._link.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._link.read_on()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Applications that look again and again whether the client is there leave one each time.
        self._waiters = [waiter, *(each for each in self._waiters if not each.done())]
        await waiter

    def wake(self) -> None:
        """Have those look again who wait."""
        while self._waiters:
            waiter = self._waiters.pop()
            if not waiter.done():
                waiter.set_result(None)

    def give_back(self, body: bytes) -> None:
        """Have the body, which was taken, taken by another."""
        self._body, self.size = [body], len(body)

    def take_body(self) -> bytes:
        """Take what came of the body and was not taken."""
        body, self._body = self._body, []
        self.size = 0
        return body[0] if len(body) == 1 else b"".join(body)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Write a whole answer.

        Args:
            status: The HTTP status.
            headers: Names in lower case; the length is added.
            body: The whole body, left out where a HEAD asked.

        Raises:
            OverloadedError: Too much is buffered for clients to write it.
        """
        if self.disconnected:
            return
        if len(body) > SMALL_BYTES:
            self._link.flow.make_room(len(body))
        head = self.encode_head(status, encode_headers(headers), f"content-length: {len(body)}\r\n\r\n")
        self.response_started = True
        self._link.transport.write(head if self.head.method == "HEAD" else head + body)
        self.complete()

    def answer_encoded(self, status: int, lines: bytes, body: bytes) -> None:
        """Write a whole answer to a POST, as `answer` does, its header lines encoded."""
        if self.disconnected:
            return
        if len(body) > SMALL_BYTES:
            self._link.flow.make_room(len(body))
        closing = b"" if self.keep_alive else _CLOSING
        beginning = self._link.server_state.beginnings[status]
        self.response_started = True
        self._link.transport.write(b"".join((beginning, lines, closing, END_OF_HEAD % len(body), body)))
        self.complete()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer that comes in pieces: its head goes out with the first of them, or with its end."""
        is_chunked = self.head.http_version != "1.0"
        self._frame, self._end = (_CHUNK, _CHUNKS_END) if is_chunked else (_BARE, b"")
        framing = "transfer-encoding: chunked\r\n\r\n" if is_chunked else "\r\n"
        self._head = self.encode_head(status, encode_headers(headers), framing)

    def begin_encoded(self, status: int, lines: bytes) -> None:
        """Begin an answer in chunks, as `begin` does, its header lines encoded."""
        closing = b"" if self.keep_alive else _CLOSING
        self._frame, self._end = _CHUNK, _CHUNKS_END
        beginning = self._link.server_state.beginnings[status]
        self._head = b"%b%b%btransfer-encoding: chunked\r\n\r\n" % (beginning, lines, closing)

    def write(self, piece: bytes) -> bool:
        """Write the next piece, which is not empty; whether the client reads: if not, `drain` comes before the next."""
        if not self.disconnected:
            self._link.transport.write(self._frame % (self._take_head(), len(piece), piece))
        return not self._link.flow.write_paused

    def write_framed(self, piece: bytes) -> bool:
        """Write a piece that is a chunk already, of an answer in chunks, as `write` does."""
        if not self.disconnected:
            self._link.transport.write(self._take_head() + piece if self._head else piece)
        return not self._link.flow.write_paused

    def end(self, piece: bytes = b"") -> None:
        """Write the end of an answer that came in pieces, and its last piece before it, if there is one."""
        if not self.disconnected:
            last = self._frame % (self._take_head(), len(piece), piece) if piece else self._take_head()
            self._link.transport.write(last + self._end)
            self.complete()

    @property
    def has_head(self) -> bool:
        """True if the answer's head is written, or ready to be: too late for it to say that the connection closes."""
        return self.response_started or bool(self._head)

    @property
    def is_paused(self) -> bool:
        """True if the client does not read: nothing should be written before `drain`."""
        return self._link.flow.write_paused

    def call_when_read(self, go_on: Callable[[], None]) -> None:
        """Have something called once the client reads, or is gone; at once where it does."""
        self._link.flow.call_when_writable(go_on)

    def cut(self) -> None:
        """Break the connection off: the answer that has begun has no good end."""
        self._let_go()
        if not (self.response_complete or self.disconnected):
            self._link.transport.close()

    async def drain(self) -> None:
        """Wait until the client reads."""
        if self._link.flow.write_paused:
            await self._link.flow.drain()

    # What a bridge does besides, which frames answers itself.

    @property
    def ends(self) -> Ends:
        """The client's address and the server's own."""
        return self._link.ends

    def encode_head(self, status: int, lines: str, end: str) -> bytes:
        """Encode the answer's head.

        Args:
            status: The HTTP status.
            lines: Header lines.
            end: The line that says how the body is framed, if there is one, and the empty line.
        """
        closing = "" if self.keep_alive else "connection: close\r\n"
        return self._link.server_state.beginnings[status] + f"{lines}{closing}{end}".encode("latin-1")

    def put(self, data: bytes) -> None:
        """Write a part of the answer as it stands."""
        self.response_started = True
        self._link.transport.write(data)

    def complete(self) -> None:
        """Note that the answer's end was written."""
        self.response_complete = True
        if not self.keep_alive and self.is_whole:
            self._link.transport.close()  # else the connection does, which knows how to stop a client that still sends
        self._link.end_answer()

    async def _run(self, serve: Serve) -> None:
        try:
            await serve(self)
        except asyncio.CancelledError:
            # The end that was asked for. A task that raised it would keep it, and with it the frames that it passed:
            # a cycle wherever one of them knows the task, as a timeout does.
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection must not look well ended
            _log.error("Serving %s: unexpected %s", self.head.method, locate(error))
        finally:
            if self._task is not None:
                self._link.server_state.tasks.discard(self._task)
            self.cut()

    def _let_go(self) -> None:
        """Keep nothing of a request that is over; one that is cancelled before its first step has raised it."""
        self._body, self._task, self._waiters, self.work = [], None, [], None

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        self.response_started = True
        return head

    def _take_refusal(self) -> PlanoError:
        """Give the refusal away: one that was kept would hold, by its traceback, all that it passes."""
        refusal, self._refusal = self._refusal, None
        assert refusal is not None, "it is asked first"  # noqa: S101 - cannot happen
        return refusal
