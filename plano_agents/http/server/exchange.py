"""One request and its answer between a connection and an application that is served directly, without ASGI.

ASGI costs a message for every step, a cycle object, and a task that waits for the client's leaving; a request that
needs a few dozen microseconds would spend most of them there. What ASGI has and this has not, nobody here uses. The
connection (`protocol`) hands in the body as it comes and says when the client is gone, which cancels the work at once.
"""

import asyncio
import http
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import ClassVar, Protocol, runtime_checkable

from uvicorn.server import ServerState

from plano_agents.errors import BodyTooLargeError, PlanoError
from plano_agents.http.server.budget import SMALL_BYTES
from plano_agents.http.server.flow import Flow
from plano_agents.http.server.head import RequestHead

Serve = Callable[["Exchange"], Coroutine[None, None, None]]
"""Answers a request. What it leaves without an end breaks the connection: a clean end would be taken for success."""

_log = logging.getLogger(__name__)

_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in http.HTTPStatus}


@runtime_checkable
class DirectApp(Protocol):
    """An ASGI application that serves some paths directly."""

    def find_direct(self, path: str) -> Serve | None:
        """Say what serves a path; None for what is served as ASGI has it."""


class Exchange:
    """One request and its answer.

    To uvicorn's connection it is the request's cycle: it has the attributes that are read and written there.

    Args:
        head: The request's.
        transport: Takes the answer.
        flow: Says when the client does not read, and whether there is room for a large answer.
        server_state: Has the headers of every answer, and knows the tasks that a stopping server waits for.
        on_complete: Called when the answer's end was written.
        peer: The client's address; None where it has none, on a Unix socket.
        owes_continue: Whether the client waits for ``100 Continue`` before it sends the body.
    """

    __slots__ = (
        "_body",
        "_flow",
        "_head",
        "_is_whole",
        "_on_complete",
        "_refusal",
        "_server_state",
        "_size",
        "_task",
        "_transport",
        "_waiter",
        "disconnected",
        "head",
        "keep_alive",
        "owes_continue",
        "peer",
        "response_complete",
        "response_started",
    )

    message_event: ClassVar["_Unheard"]

    def __init__(
        self,
        head: RequestHead,
        transport: asyncio.Transport,
        flow: Flow,
        server_state: ServerState,
        on_complete: Callable[[], None],
        *,
        peer: str | None,
        owes_continue: bool,
    ) -> None:
        self.head = head
        self.peer = peer
        self.owes_continue = owes_continue
        self._transport = transport
        self._flow = flow
        self._server_state = server_state
        self._on_complete = on_complete
        self._head = b""
        self._body: list[bytes] = []
        self._size = 0
        self._is_whole = False
        self._refusal: PlanoError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.keep_alive = head.keep_alive
        """Whether the connection serves another request after this one."""
        self.disconnected = False
        """Whether the client is gone, or refused: nothing more can be told."""
        self.response_started = False
        """Whether the answer has begun."""
        self.response_complete = False
        """Whether its end was written."""

    # What the connection does.

    def start(self, serve: Serve, loop: asyncio.AbstractEventLoop) -> None:
        """Begin the work."""
        self._task = loop.create_task(self._run(serve))
        self._server_state.tasks.add(self._task)

    def take(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(piece)
        self._size += len(piece)
        self._wake()

    def close_body(self) -> None:
        """Take the body's end."""
        self._is_whole = True
        self._wake()

    def refuse(self, error: PlanoError) -> None:
        """Have whoever reads the body answer with an error: the rest of it does not come."""
        self.keep_alive = False
        self._body.clear()
        self._refusal = error
        self._wake()

    def leave(self) -> None:
        """End the work: the client is gone, or was refused."""
        self.disconnected = True
        task = self._task
        if task is not None and not self.response_complete:
            # One that is cancelled before its first step never comes to take itself away.
            task.add_done_callback(self._server_state.tasks.discard)
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
        while not self._is_whole and self._size <= limit:
            if self._refusal is not None:
                raise self._take_refusal()
            if self.owes_continue:
                self.owes_continue = False
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._size > limit:
            raise BodyTooLargeError(f"The request body has more than {limit} bytes. {way_out}")
        body, self._body = self._body, []
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
            self._flow.make_room(len(body))
        head = self._encode_head(status, headers, f"content-length: {len(body)}\r\n\r\n")
        self.response_started = True
        self._transport.write(head if self.head.method == "HEAD" else head + body)
        self._complete()

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer that comes in pieces: its head goes out with the first of them, or with its end."""
        self._head = self._encode_head(status, headers, "transfer-encoding: chunked\r\n\r\n")

    def write(self, piece: bytes) -> bool:
        """Write the next piece, which is not empty; whether the client reads: if not, `drain` comes before the next."""
        if not self.disconnected:
            self._transport.write(b"%b%x\r\n%b\r\n" % (self._take_head(), len(piece), piece))
        return not self._flow.write_paused

    def end(self, piece: bytes = b"") -> None:
        """Write the end of an answer that came in pieces, and its last piece before it, if there is one."""
        if not self.disconnected:
            last = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
            self._transport.write(b"%b%b0\r\n\r\n" % (self._take_head(), last))
            self._complete()

    @property
    def is_paused(self) -> bool:
        """Whether the client does not read: nothing should be written before `drain`."""
        return self._flow.write_paused

    async def drain(self) -> None:
        """Wait until the client reads."""
        if self._flow.write_paused:
            await self._flow.drain()

    async def _run(self, serve: Serve) -> None:
        try:
            await serve(self)
        except asyncio.CancelledError:
            # The end that was asked for. A task that raised it would keep it, and with it the frames that it passed:
            # a cycle wherever one of them knows the task, as a timeout does.
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection must not look well ended
            _log.error("Serving %s: unexpected %s", self.head.method, type(error).__name__)
        finally:
            if self._task is not None:
                self._server_state.tasks.discard(self._task)
            self._let_go()
            if not (self.response_complete or self.disconnected):
                self._transport.close()

    def _let_go(self) -> None:
        """Keep nothing of a request that is over; one that is cancelled before its first step has raised it."""
        self._body, self._task, self._waiter = [], None, None

    def _encode_head(self, status: int, headers: Mapping[str, str], end: str) -> bytes:
        """Write the answer's head.

        Raises:
            ValueError: A header would break its line.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise ValueError("An answer's header holds a line break.")
        self.owes_continue = False
        closing = "" if self.keep_alive else "connection: close\r\n"
        own = f"{lines}{closing}{end}".encode("latin-1")
        return _encode_beginning(status, *self._server_state.default_headers) + own

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        self.response_started = True
        return head

    def _complete(self) -> None:
        self.response_complete = True
        if not self.keep_alive and self._is_whole:
            self._transport.close()  # else the connection does, which knows how to stop a client that still sends
        self._on_complete()

    def _take_refusal(self) -> PlanoError:
        """Give the refusal away: one that was kept would hold, by its traceback, all that it passes."""
        refusal, self._refusal = self._refusal, None
        assert refusal is not None, "it is asked first"  # noqa: S101 - cannot happen
        return refusal

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Unheard:
    """What uvicorn wakes an ASGI application with; a direct one is told by `Exchange.leave`."""

    def set(self) -> None:
        """Nobody waits."""


Exchange.message_event = _Unheard()


@lru_cache(maxsize=64)
def _encode_beginning(status: int, *defaults: tuple[bytes, bytes]) -> bytes:
    """Write the status line and the server's own headers, of which only the date changes, once a second."""
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return line + b"".join([b"%b: %b\r\n" % header for header in defaults])
