"""Events that differ from the one before in their text alone, translated without reading them.

Most of a streamed answer are such events. Where text is remembered by neither the reader nor the writer, what is
written for one differs from what was written for the one before in the same text alone, so its bytes can be put between
those that stood around the last one's. That holds for text in the form that it is written in; one that is spelled in
another way, with letters as numbers, is read as ever.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse

ReadText = Callable[[bytes], str | None]
"""Reads the text of an event's data that adds to an answer's text and nothing else; None where it is another one."""

MAX_LEARNT = 16
"""How often a stream is learnt from: in one whose events differ otherwise each time nothing is gained."""

_PROBE = "a probe"
_TEXT = re.compile(rb'(?>(?:[^"\\\x00-\x1f]++|\\["\\bfnrt]){1,4096})')
"""The inside of a JSON string as it is written; its bytes may still be no UTF-8. Each escape takes memory, so they are
few."""


class _Frame(NamedTuple):
    """The bytes around a text."""

    before: bytes
    after: bytes
    written_before: bytes
    written_after: bytes

    def write(self, event: bytes) -> bytes | None:
        """Write an event that it stands around; None where its text is spelled otherwise than it is written."""
        before, after, written_before, written_after = self
        text = event[len(before) : len(event) - len(after)]
        if _TEXT.fullmatch(text) is None or not (text.isascii() or _is_unicode(text)):
            return None
        return written_before + text + written_after


class Repeats:
    """The repeated events of one stream.

    Args:
        read_text: Reads an event of the upstream's.
    """

    def __init__(self, read_text: ReadText) -> None:
        self._read_text = read_text
        self._frame: _Frame | None = None
        self._is_confirmed = False
        self._left = MAX_LEARNT

    def write(self, event: bytes) -> bytes | None:
        """Write an event that is as the last ones were but for its text; None where it has to be read."""
        frame = self._frame
        if not self._is_confirmed or frame is None or not (event.startswith(frame[0]) and event.endswith(frame[1])):
            return None
        return frame.write(event)

    def learn(self, event: bytes, written: bytes) -> None:
        """Learn from an event that was read: of two in a row that are alike, the second shows what is written always.

        Args:
            event: The bytes that came, whole events.
            written: What was written for them.
        """
        frame = self._frame
        if frame is not None and event.startswith(frame.before) and event.endswith(frame.after):
            if self._is_confirmed and self._read(event) is not None:
                return  # its text alone is spelled otherwise
            self._is_confirmed = frame.write(event) == written
            if self._is_confirmed:
                return
        self._frame, self._is_confirmed = None, False
        if self._left:
            self._left -= 1
            self._frame = self._find_frame(event, written)

    def _find_frame(self, event: bytes, written: bytes) -> _Frame | None:
        text = self._read(event)
        said = msgspec.json.encode(text) if text else b""
        if not said or event.count(said) != 1 or written.count(said) != 1:
            return None
        before, _, after = event.partition(said)
        written_before, _, written_after = written.partition(said)
        frame = _Frame(before + b'"', b'"' + after, written_before + b'"', b'"' + written_after)
        return frame if self._read(frame.before + _PROBE.encode() + frame.after) == _PROBE else None

    def _read(self, event: bytes) -> str | None:
        """Read an event's text; None where it is more than one event, or another one."""
        events = sse.decode_events(event)
        try:
            return self._read_text(events[0].data) if len(events) == 1 and event.endswith(b"\n\n") else None
        except UpstreamProtocolError:
            return None


def _is_unicode(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
