"""Encoders of the client's stream from a provider's: the same bytes, or another wire's, with the client's names.

An encoder takes bytes as they come and gives whole events, and knows whether the client's stream has had its end: both
Python SDKs take a clean end for success, so a stream that was cut must be known as one.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from plano_agents.errors import PlanoError, UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.end_mark import EndMark
from plano_agents.router.request.candidates import Opened
from plano_agents.router.request.surfaces import Surface

_BLANK_LINES = (b"\n\n", b"\n\r\n")
_LONGEST_BOUNDARY = 3


class StreamEncoder(Protocol):
    """Makes the client's stream of the provider's; one for each answer."""

    @property
    def finished(self) -> bool:
        """True if the client's stream has its end: nothing that the provider still sends belongs to it."""

    @property
    def failed(self) -> bool:
        """True if it ended with the provider's own error event."""

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
        self._may_tell = end_mark.may_tell
        self._encode_error_event = encode_error_event
        self._held = bytearray()
        self._ended = False
        self.finished = False
        self.failed = False

    def passes(self, chunk: bytes) -> bool:
        """Check whether a chunk is whole events without an end or usage in them, and nothing is held back before it."""
        return chunk.endswith(_BLANK_LINES) and not self._held and not self._may_tell(chunk)

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
                raise UpstreamProtocolError(f"The stream holds one event of over {sse.MAX_EVENT_BYTES} bytes.")
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
    """Check whether no byte is missing of an event's data: JSON says where it ends."""
    if data == b"[DONE]":
        return True
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return True


def build_encoder(opened: Opened, surface: Surface) -> StreamEncoder:
    """Build what makes the client's stream of a candidate's.

    Args:
        opened: What the candidate was sent.
        surface: The API that the client speaks.
    """
    encoder: StreamEncoder = (
        opened.translation.build_stream()
        if opened.translation is not None
        else SameStream(surface.end_mark, surface.encode_error_event)
    )
    return RestoredStream(encoder, opened.fitted.restore) if opened.fitted.is_restored else encoder
