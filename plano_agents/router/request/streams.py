"""A provider's stream on its way to the client: as it is or translated, and never ended well when it was cut.

Both Python SDKs take a clean end for success. So what breaks, or ends before the answer did, gets an error event and
then a broken connection. While nothing comes from the provider, comment lines keep whoever stands in between awake.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, Protocol

import msgspec

from plano_agents.errors import PlanoError, UpstreamError, UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.end_mark import EndMark
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.request.bugs import report_bug
from plano_agents.router.request.dispatch import StreamedAnswer
from plano_agents.router.request.trail import Trail

COMMENT = b": waiting for the model\n\n"
"""Says nothing, by the standard's own rule (WHATWG HTML, section 9.2.7, "authoring notes")."""

DRAIN_SECONDS = 1.0
"""How long the provider may take to end its connection's answer once the answer's own end was there."""

_BLANK_LINES = (b"\n\n", b"\n\r\n")
_LONGEST_BOUNDARY = 3


class StreamEncoder(Protocol):
    """Makes the client's stream of the provider's; one for each answer."""

    @property
    def finished(self) -> bool:
        """Whether the client's stream has its end: nothing that the provider still sends belongs to it."""

    @property
    def failed(self) -> bool:
        """Whether it ended with the provider's own error event."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and give those that they make.

        Raises:
            UpstreamProtocolError: They are no such stream.
        """

    def finish(self) -> bytes:
        """Give what is left to be said at the provider's end."""

    def close(self) -> None:
        """Check that the answer had ended.

        Raises:
            UpstreamProtocolError: It was cut.
        """

    def break_off(self, error: PlanoError) -> bytes:
        """Write the error event of a stream that broke."""


class SameStream:
    """Gives a stream as it is, event by event, and looks for its end.

    Half an event is held back until it is whole, so that an error event never stands in the middle of one.

    Args:
        end_mark: Finds what every stream has that came to its end.
        encode_error_event: Writes an error in the stream's form.
    """

    def __init__(self, end_mark: EndMark, encode_error_event: Callable[[PlanoError], bytes]) -> None:
        self._end_mark = end_mark
        self._encode_error_event = encode_error_event
        self._held = bytearray()
        self._ended = False
        self.finished = False
        self.failed = False

    def feed(self, chunk: bytes) -> bytes:
        """See `StreamEncoder.feed`."""
        if not self._held and chunk.endswith(_BLANK_LINES):
            return self._note_end(chunk)
        held = self._held
        looked_at = max(len(held) - _LONGEST_BOUNDARY + 1, 0)
        held += chunk
        end = _find_last_boundary(held, looked_at)
        if not end:
            if len(held) > sse.MAX_EVENT_BYTES:
                raise UpstreamProtocolError(
                    f"The stream holds one event of over {sse.MAX_EVENT_BYTES} bytes."
                )
            return b""
        events = bytes(held[:end])
        del held[:end]
        return self._note_end(events)

    def finish(self) -> bytes:
        """Give a last event that lacks nothing but its blank line, as some providers leave it.

        Half an event is left out: readers drop it, and would take the answer without it for whole. One with half its
        data shows that the answer was cut, even after its finish.
        """
        text = bytes(self._held) + b"\n\n"
        last = sse.EventDecoder().feed(text)
        if last and _is_whole(last[0].data):
            return self._note_end(text)
        self._ended = self._ended and not last
        return b""

    def close(self) -> None:
        """See `StreamEncoder.close`."""
        if not self._ended:
            raise UpstreamProtocolError("The provider's stream ended before the answer did.")

    def break_off(self, error: PlanoError) -> bytes:
        """See `StreamEncoder.break_off`."""
        return self._encode_error_event(error)

    def _note_end(self, events: bytes) -> bytes:
        """Look for the end in whole events; some compatible providers leave ``[DONE]`` out."""
        found = self._end_mark.search(events)
        if found is not None:
            self._ended = True
            self.failed = bool(found.groupdict().get("error"))
            # A finish reason ends an answer; its usage and its [DONE] may still follow.
            self.finished = b"finish_reason" not in found.group() or sse.DONE in events
        elif self._ended and sse.DONE in events:
            self.finished = True
        return events


def _find_last_boundary(text: bytearray, start: int) -> int:
    """Find the end of the last blank line from a place on; 0 where there is none."""
    found = [(text.rfind(blank, start), len(blank)) for blank in _BLANK_LINES]
    return max(place + length if place >= 0 else 0 for place, length in found)


class RestoredStream:
    """A stream in which what fitting changed is as the client knows it, such as the names of its tools.

    Args:
        encoder: Makes the client's stream, whole events at a time.
        restore: Changes whole events.
    """

    def __init__(self, encoder: StreamEncoder, restore: Callable[[bytes], bytes]) -> None:
        self._encoder = encoder
        self._restore = restore

    @property
    def finished(self) -> bool:
        """See `StreamEncoder.finished`."""
        return self._encoder.finished

    @property
    def failed(self) -> bool:
        """See `StreamEncoder.failed`."""
        return self._encoder.failed

    def feed(self, chunk: bytes) -> bytes:
        """See `StreamEncoder.feed`."""
        return self._restore(self._encoder.feed(chunk))

    def finish(self) -> bytes:
        """See `StreamEncoder.finish`."""
        return self._restore(self._encoder.finish())

    def close(self) -> None:
        """See `StreamEncoder.close`."""
        self._encoder.close()

    def break_off(self, error: PlanoError) -> bytes:
        """See `StreamEncoder.break_off`."""
        return self._encoder.break_off(error)


def _is_whole(data: bytes) -> bool:
    """Whether no byte is missing of an event's data: JSON says where it ends."""
    if data == b"[DONE]":
        return True
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return True


class Stream:
    """A provider's stream on its way to the client, one for each answer.

    Args:
        answer: The provider's.
        encoder: Makes the client's bytes of the provider's.
        trail: The request's; it learns what went wrong.
        patience: After how many seconds without a first byte a comment is sent, again and again.
        note: Is shown whole events before they are passed on.
    """

    __slots__ = (
        "_answer",
        "_encoder",
        "_failure",
        "_has_begun",
        "_is_broken",
        "_is_ended",
        "_is_over",
        "_last",
        "_note",
        "_patience",
        "_trail",
        "_write",
    )

    def __init__(
        self,
        answer: StreamedAnswer,
        encoder: StreamEncoder,
        trail: Trail,
        *,
        patience: float,
        note: Callable[[bytes], None],
    ) -> None:
        self._answer = answer
        self._encoder = encoder
        self._trail = trail
        self._patience = patience
        self._note = note
        self._write: Callable[[bytes], bool]
        self._has_begun = False
        self._is_over = False  # the provider's stream
        self._is_ended = False  # the client's
        self._is_broken = False
        self._last = b""
        self._failure: PlanoError | None = None

    async def forward(self, write: Callable[[bytes], bool]) -> bytes | None:
        """Write what comes, translated; see `AnswerStream.forward`."""
        answer, self._write = self._answer, write
        try:
            if not self._has_begun:
                await self._await_first()
                self._has_begun, self._is_over = True, answer.first.result()
                takes_more = not answer.opening or self._take(answer.opening)
            else:
                takes_more = True
            if takes_more and not self._is_over:
                self._is_over = await answer.forward(self._take)
            if self._failure is None:
                if self._is_over and not self._is_ended:
                    self._end(self._encoder.finish())
                if self._is_ended:
                    self._encoder.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            self._fail(error)
        if self._failure is not None or (self._is_ended and self._encoder.failed):
            self._break_off()
        if not self._is_ended:
            return None
        answer.attempt.succeed()
        return self._last

    async def aclose(self) -> None:
        """End it, read to its end or not.

        What follows an answer's end, mostly nothing, is read, so that the connection can serve another request.
        """
        try:
            if self._is_ended and not (self._is_broken or self._is_over):
                await _drain(self._answer)
        finally:
            await self._answer.aclose()

    async def _await_first(self) -> None:
        """Wait for the first bytes, and tell the client again and again that they are awaited."""
        first = self._answer.first
        while not first.done():
            self._write(COMMENT)
            await asyncio.wait({first}, timeout=self._patience)

    def _take(self, chunk: bytes) -> bool:
        """Pass on a chunk; whether another may follow. What is wrong with it is told later."""
        encoder = self._encoder
        try:
            piece = encoder.feed(chunk)
            if encoder.finished:
                self._end(piece)
                return False
            if not piece:
                return True
            self._note(piece)
            return self._write(piece)
        except Exception as error:  # noqa: BLE001 - see `TakeChunk`
            self._fail(error)
            return False

    def _end(self, last: bytes) -> None:
        self._note(last)
        self._last, self._is_ended = last, True

    def _break_off(self) -> NoReturn:
        """Tell the client that the stream broke, unless the provider's own error event does."""
        failure = self._failure
        self._is_broken = True
        self._trail.failure = UpstreamError.code if failure is None else failure.code
        if failure is None or isinstance(failure, UpstreamError):
            self._answer.attempt.fail()
        said = self._last if failure is None else self._last + self._encoder.break_off(failure)
        if said:
            self._write(said)
        raise StreamBrokenError

    def _fail(self, error: Exception) -> None:
        """Keep what the client is told, without the frames that the error passed: they hold this stream."""
        failure = error if isinstance(error, PlanoError) else report_bug(error, self._trail.trace_id)
        self._failure = failure.with_traceback(None)


async def _drain(answer: StreamedAnswer) -> None:
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await answer.forward(lambda _: True)
