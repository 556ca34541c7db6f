"""One HTTP/1.1 connection to a provider, and the exchange on it: one request, one answer, then maybe the next.

Answers are framed by llhttp (``httptools``), strictly, and their heads are kept as bytes. Interim answers (1xx) are
passed over. What comes after the answer's end, or while nothing was asked, ends the connection.

A `Reader` is called back: with the head, then, as it asks, once the whole body is there or with each chunk as it
comes, until it takes no more. What is not read is held, up to `HELD_BYTES`; then the socket is not read. Time runs
only while a reader waits: one that is slow is not a provider that is silent.

================  ==================================================================================================
state             what ends it
================  ==================================================================================================
idle              ``ask``, or any byte or end from the provider: then it closes
asked             the answer's head, a broken connection, ``first_byte_seconds`` or ``total_seconds``
answering         the answer's end, a broken connection, ``first_byte_seconds`` before the body's first byte,
                  ``between_bytes_seconds`` after it, ``total_seconds``
complete          ``release``: idle again, or closed
================  ==================================================================================================
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

import httptools

from plano_agents.config.model import Timeouts
from plano_agents.errors import UpstreamError
from plano_agents.http.client import failures
from plano_agents.http.client.chunks import find_chunk
from plano_agents.http.client.reader import Known, Reader
from plano_agents.http.client.response_head import FramingError, check_framing, ends_with_connection
from plano_agents.http.deadline import Deadline

HELD_BYTES = 65_536
"""How much of an answer is held for a reader that does not come; also how long a head, or trailers, may be."""
TURN_BYTES = 32_768
"""How much of a stream is handed on in one turn of the event loop, so that a fast provider delays no other stream."""
WRITTEN_BYTES = 65_536
"""How much of a request's body is handed to the system at once."""

_INTERIM = range(100, 200)

_Wanted = Literal["nothing", "head", "whole", "chunks"]
"""What a reader waits for."""


class Keeper(Protocol):
    """The keeper of idle connections."""

    def keep(self, connection: "Connection", /) -> None:
        """Keep a connection for the next request, or close it."""

    def put_aside(self, connection: "Connection", /) -> None:
        """Give a connection that is closing to nobody any more."""

    def forget(self, connection: "Connection", /) -> None:
        """Know no more of a connection that is closed."""


class Connection(asyncio.Protocol):
    """One connection.

    Args:
        label: What messages call the other side.
        keeper: Keeps it between requests.
        loop: Tells and keeps the time.
    """

    __slots__ = (
        "_body_has_begun",
        "_came_at",
        "_deadline",
        "_end",
        "_failure",
        "_has_answered",
        "_is_asked",
        "_is_between_chunks",
        "_is_chunked",
        "_is_closing",
        "_keeper",
        "_keeps_alive",
        "_known",
        "_limit",
        "_loop",
        "_open_chunks",
        "_parser",
        "_reader",
        "_reading_is_paused",
        "_reads_whole",
        "_served",
        "_size",
        "_started",
        "_timeouts",
        "_transport",
        "_unsent",
        "_wanted",
        "_writing_is_paused",
        "died_unanswered",
        "head",
        "idle_since",
        "is_complete",
        "is_idle",
        "label",
        "on_body",
        "on_chunk_complete",
        "on_chunk_header",
        "pieces",
        "status",
    )

    def __init__(self, label: str, keeper: Keeper, loop: asyncio.AbstractEventLoop) -> None:
        self.label = label
        self._keeper = keeper
        self._loop = loop
        self.pieces: list[bytes] = []
        """What came of the body and was not taken."""
        self.on_body = self.pieces.append
        """Takes a piece of a body: the parser calls the list itself."""
        self._open_chunks: list[None] = []  # the one whose size is there and its end is not; the parser sees to it
        self._reader: Reader | None = None
        self._wanted: _Wanted = "nothing"
        self._unsent: memoryview | None = None
        self._failure: Callable[[], UpstreamError] | None = None
        self._served = 0
        self._is_asked = self._is_closing = False
        self._reading_is_paused = self._writing_is_paused = False
        self.is_idle = False
        """True if its keeper holds it."""
        self.idle_since = 0.0
        """Since when, in seconds on the event loop's clock."""
        self.died_unanswered = False
        """True if the provider ended a kept connection in place of an answer: the request may not have been read."""

    @property
    def is_closing(self) -> bool:
        """True if no request can go out any more."""
        return self._is_closing or self._transport.is_closing()

    def ask(
        self,
        head: bytes,
        body: bytes,
        timeouts: Timeouts,
        *,
        started: float,
        reader: Reader,
        known: Known | None = None,
    ) -> None:
        """Write a request.

        Args:
            head: The request's head.
            body: Its body; a large one is written as the other side takes it, also after the answer has begun.
            timeouts: Timeouts of the request.
            started: Since when, in seconds on the event loop's clock.
            reader: Is called once the answer's head is there.
            known: Is asked first where the answer's first bytes come: what it takes is not parsed.
        """
        self.status, self.head = 0, b""
        """The answer's status, 0 until its head is there; and its head, as `check_framing` takes it, once it is."""
        self.is_complete = False
        """True if the answer's end is there."""
        self._has_answered = self._body_has_begun = self._reads_whole = self._keeps_alive = False
        self._is_chunked = self._is_between_chunks = False
        self._is_asked, self._known, self._size, self._limit = True, known, 0, HELD_BYTES
        self._timeouts, self._started, self._end = timeouts, started, started + timeouts.total_seconds
        if len(body) <= WRITTEN_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._write_more()
        if self._failure is None:
            self._reader, self._wanted = reader, "head"
            self._deadline.expect(min(started + timeouts.first_byte_seconds, self._end))
        else:
            reader.on_failure(self._failure)

    def forward(self, reader: Reader) -> None:
        """Hand on the body as it comes, until its end or until no more is taken; the next call hands on the rest."""
        self._reader, self._wanted = reader, "chunks"
        if self._failure is None and self._size > TURN_BYTES:
            self._hand_on_in_turns()
        elif self._failure is None:
            self._hand_on()
        elif self.pieces and not reader.on_chunk(self.take()):
            self._tell_end()
        else:
            self._fail(self._failure)

    def wait_for_end(self, limit: int, reader: Reader) -> None:
        """Call a reader once all of the body is there.

        Args:
            limit: The most bytes that it may have.
            reader: Is called at its end.
        """
        self._size, self._limit = sum(map(len, self.pieces)), limit
        self._reads_whole = True
        if self.is_complete:
            reader.on_end(True)
            return
        self._body_has_begun, self._came_at = self._body_has_begun or self._size > 0, self._loop.time()
        self._resume_reading()
        self._wait(reader, "whole")

    def take(self) -> bytes:
        """Take what there is of the body; nothing, where there is nothing."""
        pieces = self.pieces
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        self._body_has_begun = True
        self._resume_reading()
        return taken

    def give_back(self, taken: bytes) -> None:
        """Have what was taken of the body handed on again, to another reader."""
        if taken:
            self.pieces.insert(0, taken)
            self._size += len(taken)

    def hold(self, head: bytes | None, body: bytes) -> None:
        """Have a whole answer read by another reader.

        Args:
            head: Its head, where it was known; None where it is here.
            body: Its body.
        """
        if head is not None:
            self.head = head.removesuffix(b"\r\n\r\n")
        self.give_back(body)

    def release(self) -> None:
        """Take no more of the answer; keep the connection if the next request can go out on it, else close it."""
        is_read = self.is_complete and self._wanted != "chunks" and not self._reading_is_paused  # all is handed on
        is_sent = self._unsent is None and self._transport.get_write_buffer_size() == 0
        if is_read and is_sent and self._keeps_alive and not self.is_closing:
            self.pieces.clear()
            self._is_asked = False
            self._served += 1
            self._keeper.keep(self)
        else:
            self._reader, self._wanted = None, "nothing"
            self.abort()

    def abort(self) -> None:
        """Close at once, whatever is on its way; an answer not read to its end is what stops the provider."""
        if not self._is_closing:
            self._is_closing = True
            self._keeper.put_aside(self)
            self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # only those are made
        """Begin to be a connection: until it is lost, the parser and the deadline refer back to it."""
        self._transport = transport
        self._deadline = Deadline(self._loop, self._on_deadline)
        self.on_chunk_header = partial(self._open_chunks.append, None)
        self.on_chunk_complete = self._open_chunks.clear
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the provider."""
        takes_chunks = self._is_between_chunks and self._wanted == "chunks" and self._body_has_begun
        if takes_chunks and not self.pieces and (start := find_chunk(data)):
            # All that came is a chunk: the parser goes on at the next one.
            self._came_at = self._loop.time()
            if self._reader is not None and not self._reader.on_chunk(data[start:-2], data):
                self._tell_end()
            elif self._came_at >= self._end:  # a stream whose next bytes are always there would never wait until then
                self._fail_late()
            return
        if not self._is_asked:
            self.abort()
            return
        if self._known is not None and self._take_known(data):
            return
        if not self.status:
            self._has_answered = True
            self.head = self.head + data if self.head else data.lstrip(b"\r\n")
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.is_complete:
                if self.status and self._wanted == "head":
                    self._tell_answer()
                self._refuse()
                return
            self._keeps_alive = False  # it sends more than was asked for
        is_between = self._is_chunked and not self._open_chunks and not self.is_complete
        self._is_between_chunks = is_between and data.endswith(b"\r\n")  # else within a size
        self._size += len(data)
        self._tell()

    def eof_received(self) -> None:
        """Take the end of what the provider sends, which may be the body's."""
        if self._is_asked and not self.is_complete:
            self._note_death()
            if self.status and ends_with_connection(self.head):
                self.on_message_complete()
                if self._wanted == "chunks":
                    self._hand_on()
                elif self._wanted == "whole":
                    self._tell_end()
            else:
                self._fail(partial(failures.closes_early, self.label))
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Come to an end."""
        self._note_death()
        self._is_closing = True
        self._deadline.cancel()
        self._keeper.forget(self)
        if self._is_asked and not self.is_complete:
            reason = type(exc or ConnectionAbortedError()).__name__
            self._fail(partial(failures.breaks, self.label, reason))
        self._unsent = None
        del self._parser

    def pause_writing(self) -> None:
        """Write nothing more for now."""
        self._writing_is_paused = True

    def resume_writing(self) -> None:
        """Write on."""
        self._writing_is_paused = False
        self._write_more()

    # What the parser calls, besides `on_body`.

    def on_message_begin(self) -> None:
        """Begin an answer, the first and only one."""
        if self.is_complete:
            raise FramingError("The provider sent bytes after the end of its answer.")

    def on_headers_complete(self) -> None:
        """Take the answer's head, unless it is an interim one's."""
        status = self._parser.get_status_code()
        end = self.head.find(b"\r\n\r\n")
        if status in _INTERIM:
            self.head = self.head[end + 4 :]
            return
        self.head = self.head[:end]
        self._is_chunked = check_framing(self.head)
        self._keeps_alive = self._parser.should_keep_alive()
        self.status = status

    def on_message_complete(self) -> None:
        """Take the answer's end, unless it is an interim one's."""
        if self.status:
            self.is_complete = True

    def _take_known(self, data: bytes) -> bool:
        """Take an answer's first bytes for a whole one, whose head is known; whether they are."""
        assert self._known is not None, "it is asked first"  # noqa: S101 - cannot happen
        (match, take), self._known = self._known, None
        found = match(data)
        if found is None or len(data) != (end := found.end()) + int(found["length"]):
            return False
        self.status, self.is_complete, self._has_answered, self._keeps_alive = 200, True, True, True
        self._reader, self._wanted = None, "nothing"
        take(found, data[end:])
        return True

    def _tell(self) -> None:
        """Tell the reader what came, as far as it waits for it."""
        if self._wanted == "chunks":
            if self._size > TURN_BYTES and self.pieces:
                self._hand_on_in_turns()
                return
            self._hand_on()
        elif self._wanted == "head" and self.status:
            self._tell_answer()
            return
        elif self._wanted == "whole" and self.is_complete:
            self._tell_end()
            return
        elif self._wanted == "whole" and self.pieces:
            self._body_has_begun, self._came_at = True, self._loop.time()
            self._deadline.expect(self._next_byte_due())
        if self._size > self._limit:
            self._on_too_much()

    def _hand_on(self) -> None:
        """Hand on what came, and say so where no more is taken, or comes."""
        assert self._reader is not None, "it wants chunks"  # noqa: S101 - cannot happen
        takes_more = not self.pieces or self._reader.on_chunk(self.take())
        if takes_more and not self.is_complete:
            self._came_at = self._loop.time()
            self._deadline.expect(self._next_byte_due())
            if self._came_at >= self._end:
                self._fail_late()
        else:
            self._tell_end()

    def _hand_on_in_turns(self) -> None:
        """Hand on what came a part at a time, so that others have their turns between; what follows is not read yet."""
        reader = self._reader
        if reader is None or self._wanted != "chunks":  # it has had enough, or has left, or was told why
            return
        body = b"".join(self.pieces)
        rest = body[TURN_BYTES:]
        if not rest or self.is_closing:
            self._hand_on()
            return
        self.pieces[:] = [rest]
        self._size = len(rest)
        self._body_has_begun = True
        self._pause_reading()
        if reader.on_chunk(body[:TURN_BYTES]):
            self._loop.call_soon(self._hand_on_in_turns)
        else:
            self._tell_end()

    def _wait(self, reader: Reader, wanted: _Wanted) -> None:
        if self._failure is not None:
            reader.on_failure(self._failure)
            return
        self._reader, self._wanted = reader, wanted
        self._deadline.expect(self._next_byte_due())

    def _tell_answer(self) -> None:
        reader, self._reader, self._wanted = self._reader, None, "nothing"
        if reader is not None:
            reader.on_answer()

    def _tell_end(self) -> None:
        reader, self._reader, self._wanted = self._reader, None, "nothing"
        if reader is not None:
            reader.on_end(self.is_complete and not self.pieces)

    def _next_byte_due(self) -> float:
        """Say until when the next bytes have to come, as it is known now."""
        timeouts = self._timeouts
        if not self._body_has_begun:
            return min(self._started + timeouts.first_byte_seconds, self._end)
        return min(self._came_at + timeouts.between_bytes_seconds, self._end)

    def _write_more(self) -> None:
        while self._unsent is not None and not self._writing_is_paused:
            piece, rest = self._unsent[:WRITTEN_BYTES], self._unsent[WRITTEN_BYTES:]
            self._unsent = rest or None
            self._transport.write(piece)

    def _on_too_much(self) -> None:
        """Hold no more than may be held."""
        if self.is_complete:
            return
        if self._reads_whole:
            self._fail(partial(failures.gives_too_much, self.label, self._limit))
        elif not self.pieces:
            self._fail(partial(failures.has_no_end_of_head, self.label, self._limit))
        else:
            self._pause_reading()

    def _pause_reading(self) -> None:
        if not self._reading_is_paused and not self.is_closing:
            self._reading_is_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_is_paused and not self.is_closing:
            self._reading_is_paused = False
            self._transport.resume_reading()

    def _note_death(self) -> None:
        if not self._is_closing:
            self.died_unanswered = self._is_asked and self._served > 0 and not self._has_answered

    def _refuse(self) -> None:
        """Take no more from a provider that sends no HTTP."""
        self._fail(partial(failures.speaks_no_http, self.label))

    def _fail(self, failure: Callable[[], UpstreamError]) -> None:
        """End the exchange, and the connection with it.

        Args:
            failure: Builds the error anew for each who is told: one that is raised holds the frames it passes, and
                they this connection.
        """
        if self._failure is None:
            self._failure = failure
        reader, self._reader, self._wanted = self._reader, None, "nothing"
        self.abort()
        if reader is not None:
            reader.on_failure(failure)

    def _on_deadline(self) -> None:
        """Fail, unless bytes have come since it was set."""
        if self._reader is None:
            return
        due = self._next_byte_due()
        if self._loop.time() >= due:
            self._fail_late()
        else:
            self._deadline.expect(due)

    def _fail_late(self) -> None:
        if self.status and self._loop.time() >= self._end:
            self._fail(partial(failures.takes_too_long, self.label, self._timeouts))
        elif self._body_has_begun:
            self._fail(partial(failures.falls_silent, self.label, self._timeouts))
        else:
            has_head = self.status > 0
            self._fail(partial(failures.begins_late, self.label, self._timeouts, has_head=has_head))
