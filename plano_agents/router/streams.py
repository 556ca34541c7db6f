"""A provider's stream on its way to the client: as it is or translated, and never ended well when it was cut.

Both Python SDKs take a clean end for success. So what breaks, or ends before the answer did, gets an error event and
then a broken connection. While nothing comes from the provider, comment lines keep whoever stands in between awake.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from plano_agents.errors import PlanoError, UpstreamError, UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.router.answer import StreamBrokenError
from plano_agents.router.bugs import report_bug
from plano_agents.router.dispatch import StreamedAnswer
from plano_agents.router.trail import Trail

COMMENT = b": waiting for the model\n\n"
"""Says nothing, by the standard's own rule (WHATWG HTML, section 9.2.7, "authoring notes")."""

DRAIN_SECONDS = 1.0
"""How long the provider may take to end its connection's answer once the answer's own end was there."""

_BOUNDARY = re.compile(rb"\r?\n\r?\n")
_LONGEST_BOUNDARY = 4


class StreamEncoder(Protocol):
    """Makes the client's stream of the provider's; one for each answer."""

    finished: bool
    """Whether the client's stream has its end: nothing that the provider still sends belongs to it."""
    failed: bool
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

    failed = False

    def __init__(
        self, end_mark: re.Pattern[bytes], encode_error_event: Callable[[PlanoError], bytes]
    ) -> None:
        self._end_mark = end_mark
        self._encode_error_event = encode_error_event
        self._held: list[bytes] = []
        self._size = 0
        self._edge = b""
        self._ended = False
        self.finished = False

    def feed(self, chunk: bytes) -> bytes:
        """See `StreamEncoder.feed`."""
        seam = self._edge + chunk
        self._edge = seam[1 - _LONGEST_BOUNDARY :]
        self._held.append(chunk)
        self._size += len(chunk)
        if _BOUNDARY.search(seam) is None:
            if self._size > sse.MAX_EVENT_BYTES:
                raise UpstreamProtocolError(
                    f"The stream holds one event of over {sse.MAX_EVENT_BYTES} bytes."
                )
            return b""
        text = b"".join(self._held)
        end = max(found.end() for found in _BOUNDARY.finditer(text))
        self._held, self._size = [text[end:]], len(text) - end
        self._edge = text[end:][1 - _LONGEST_BOUNDARY :]
        return self._note_end(text[:end])

    def finish(self) -> bytes:
        """Give a last event that lacks nothing but its blank line, as some providers leave it.

        Half an event is left out: readers drop it, and would take the answer without it for whole. One with half its
        data shows that the answer was cut, even after its finish.
        """
        text = b"".join(self._held) + b"\n\n"
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
            # A finish reason ends an answer; its usage and its [DONE] may still follow.
            self.finished = b"finish_reason" not in found.group() or sse.DONE in events
        elif self._ended and sse.DONE in events:
            self.finished = True
        return events


def _is_whole(data: bytes) -> bool:
    """Whether no byte is missing of an event's data: JSON says where it ends."""
    if data == b"[DONE]":
        return True
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return True


async def pass_stream(
    answer: StreamedAnswer,
    encoder: StreamEncoder,
    trail: Trail,
    *,
    patience: float,
    note: Callable[[bytes], None],
) -> AsyncGenerator[bytes, None]:
    """Pass a stream on.

    Args:
        answer: The provider's.
        encoder: Makes the client's bytes of the provider's.
        trail: The request's; it learns what went wrong.
        patience: After how many seconds without a first byte a comment is sent, again and again.
        note: Is shown whole events before they are passed on.

    Yields:
        The client's stream.

    Raises:
        StreamBrokenError: It was cut; the error event has been given.
    """
    try:
        while not answer.first.done():
            yield COMMENT
            await asyncio.wait({answer.first}, timeout=patience)
        piece = encoder.feed(answer.first.result())
        if piece:
            note(piece)
            yield piece
        while not encoder.finished:
            chunk = await anext(answer.rest, b"")
            piece = encoder.feed(chunk) if chunk else encoder.finish()
            if piece:
                note(piece)
                yield piece
            if not chunk:
                break
        encoder.close()
    except PlanoError as error:
        trail.failure = error.code
        yield encoder.break_off(error)
        raise StreamBrokenError from error
    except Exception as error:
        bug = report_bug(error, trail.trace_id)
        trail.failure = bug.code
        yield encoder.break_off(bug)
        raise StreamBrokenError from error
    if encoder.failed:
        trail.failure = UpstreamError.code
        raise StreamBrokenError
    await _drain(answer.rest)


async def _drain(rest: AsyncGenerator[bytes, None]) -> None:
    """Read what follows an answer's end, mostly nothing, so that the connection can serve another request."""
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while await anext(rest, b""):
                pass
