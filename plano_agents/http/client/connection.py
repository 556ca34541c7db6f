"""One HTTP/1.1 connection to a provider, and the exchange on it: one request, one answer, then maybe the next.

Answers are framed by llhttp (``httptools``), strictly, and their heads are kept as bytes. Interim answers (1xx) are
passed over. What comes after the answer's end, or while nothing was asked, ends the connection.

A `Reader` is called back: with the head, then, as it asks, once the whole body is there or with each chunk as it
comes, until it takes no more. What is not read is held, up to `HELD_BYTES`; then the socket is not read. Time runs
only while a reader waits: one that is slow is no provider that is silent.

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
from plano_agents.http.client.chunks import are_chunks, find_chunk
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


class Reader(Protocol):
    """Reads an answer as it comes. Each call is the last until the reader asks for more; none may raise."""

    def on_answer(self) -> None:
        """Take the answer's head."""

    def on_chunk(self, chunk: bytes, framed: bytes = b"", /) -> bool:
        """Take all that came of the body since the last chunk, never nothing; whether more is taken.

        Args:
            chunk: What came.
            framed: The same as ``chunked`` has it, its size before it, where it came so in one read; else empty.
        """

    def on_end(self, is_all: bool, /) -> None:  # noqa: FBT001 - a callback's
        """Take the body's end, or (False) that no more is handed on, as no more was taken."""

    def on_failure(self, failure: Callable[[], UpstreamError], /) -> None:
        """Take why the rest does not come."""


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
        "_between_chunks",
        "_body_has_begun",
        "_deadline",
        "_end",
        "_failure",
        "_first_byte_due",
        "_has_answered",
        "_is_asked",
        "_is_closing",
        "_keeper",
        "_keeps_alive",
        "_limit",
        "_loop",
        "_parser",
        "_reader",
        "_reading_is_paused",
        "_reads_whole",
        "_served",
        "_size",
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
        self._reader: Reader | None = None
        self._wanted: _Wanted = "nothing"
        self._unsent: memoryview | None = None
        self._failure: Callable[[], UpstreamError] | None = None
        self._served = 0
        self._is_asked = self._is_closing = False
        self._reading_is_paused = self._writing_is_paused = False
        self.is_idle = False
        """Whether its keeper has it."""
        self.idle_since = 0.0
        """Since when, in seconds on the event loop's clock."""
        self.died_unanswered = False
        """Whether the provider ended a kept connection in place of an answer: the request may not have been read."""

    @property
    def is_closing(self) -> bool:
        """Whether no request can go out any more."""
        return self._is_closing or self._transport.is_closing()

    def ask(self, head: bytes, body: bytes, timeouts: Timeouts, *, started: float, reader: Reader) -> None:
        """Write a request.

        Args:
            head: The request's head.
            body: Its body; a large one is written as the other side takes it, also after the answer has begun.
            timeouts: Timeouts of the request.
            started: Since when, in seconds on the event loop's clock.
            reader: Is called once the answer's head is there.
        """
        self.status = 0
        """The answer's status; 0 until its head is there."""
        self.head = b""
        """The answer's head, as `check_framing` takes it, once it is there."""
        self.is_complete = False
        """Whether the answer's end is there."""
        self._is_asked = True
        self._has_answered = self._body_has_begun = self._reads_whole = self._keeps_alive = False
        self._between_chunks = False
        self._size, self._limit = 0, HELD_BYTES
        self._timeouts = timeouts
        self._first_byte_due = started + timeouts.first_byte_seconds
        self._end = started + timeouts.total_seconds
        if len(body) <= WRITTEN_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._write_more()
        self._wait(reader, "head")

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
        self._body_has_begun = self._body_has_begun or self._size > 0
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

    def release(self) -> None:
        """Take no more of the answer; keep the connection if the next request can go out on it, else close it."""
        if (
            self.is_complete
            and self._keeps_alive
            and self._wanted != "chunks"  # else not all is handed on
            and not self._reading_is_paused
            and self._unsent is None
            and not self.is_closing
            and self._transport.get_write_buffer_size() == 0
        ):
            self.pieces.clear()
            self._is_asked = False
            self._served += 1
            self._keeper.keep(self)
        else:
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
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the provider."""
        if not self._is_asked:
            self.abort()
            return
        self._has_answered = True
        if self._between_chunks:
            start = find_chunk(data)
            if start and self._wanted == "chunks" and not self.pieces:
                self._hand_on_framed(data, start)
                return
            self._between_chunks = start > 0 or are_chunks(data)
        if not self.status:
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
            raise FramingError("Something follows the answer.")

    def on_headers_complete(self) -> None:
        """Take the answer's head, unless it is an interim one's."""
        status = self._parser.get_status_code()
        end = self.head.find(b"\r\n\r\n")
        if status in _INTERIM:
            self.head = self.head[end + 4 :]
            return
        came, self.head = self.head, self.head[:end]
        self._between_chunks = check_framing(self.head) and are_chunks(came[end + 4 :])
        self._keeps_alive = self._parser.should_keep_alive()
        self.status = status

    def on_message_complete(self) -> None:
        """Take the answer's end, unless it is an interim one's."""
        if self.status:
            self.is_complete = True

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
            self._body_has_begun = True
            self._deadline.move_to(self._next_byte_due())
            self._deadline.watch()
        if self._size > self._limit:
            self._on_too_much()

    def _hand_on(self) -> None:
        """Hand on what came, and say so where no more is taken, or comes."""
        assert self._reader is not None, "it wants chunks"  # noqa: S101 - cannot happen
        takes_more = not self.pieces or self._reader.on_chunk(self.take())
        if takes_more and not self.is_complete:
            self._deadline.move_to(self._next_byte_due())
            self._deadline.watch()
        else:
            self._tell_end()

    def _hand_on_framed(self, data: bytes, start: int) -> None:
        """Hand on a chunk that is all that came, past the parser: it goes on at the next one."""
        assert self._reader is not None, "it wants chunks"  # noqa: S101 - cannot happen
        self._body_has_begun = True
        if self._reader.on_chunk(data[start:-2], data):
            self._deadline.move_to(self._next_byte_due())
            self._deadline.watch()
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
        self._deadline.move_to(self._next_byte_due())
        self._deadline.watch()

    def _tell_answer(self) -> None:
        reader, self._reader, self._wanted = self._reader, None, "nothing"
        if reader is not None:
            reader.on_answer()

    def _tell_end(self) -> None:
        reader, self._reader, self._wanted = self._reader, None, "nothing"
        if reader is not None:
            reader.on_end(self.is_complete and not self.pieces)

    def _next_byte_due(self) -> float:
        if not self._body_has_begun:
            return min(self._first_byte_due, self._end)
        now = self._loop.time()
        if now >= self._end:  # a stream whose next bytes are always there first would never wait until then
            self._fail_late()
        return min(now + self._timeouts.between_bytes_seconds, self._end)

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
        if self._reader is not None:
            self._fail_late()

    def _fail_late(self) -> None:
        if self.status and self._loop.time() >= self._end:
            self._fail(partial(failures.takes_too_long, self.label, self._timeouts))
        elif self._body_has_begun:
            self._fail(partial(failures.falls_silent, self.label, self._timeouts))
        else:
            has_head = self.status > 0
            self._fail(partial(failures.begins_late, self.label, self._timeouts, has_head=has_head))
