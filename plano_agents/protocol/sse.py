"""Server-sent events: reading and writing, by the WHATWG HTML standard's section 9.2.

Bytes come in any slicing, CR, LF and CRLF all end a line, and an event that no blank line ended is not an event.
What an event's data means is left to the wire formats.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from plano_agents.errors import UpstreamProtocolError

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""The largest event, in bytes on the wire, every line included; as large as a request body may be."""

MAX_EVENT_LINES = 65_536
"""The most lines of an event; providers write one to three."""

DONE_MARK = b"[DONE]"
DONE = b"data: [DONE]\n\n"
"""What ends an OpenAI stream."""

_BLANK_LINES = re.compile(rb"\n{3,}")
"""More blank lines than the one that ends an event: they mean nothing, and a provider can send many in one read."""
_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One server-sent event."""

    data: bytes
    """The data lines, joined by a line feed."""
    name: str = "message"
    """The event field; ``message`` where there is none."""


def encode_event(data: bytes, name: str | None = None) -> bytes:
    """Write one event.

    Args:
        data: The payload, on one line, as JSON is.
        name: The event field; left out where it is None, as OpenAI's wire does.
    """
    head = f"event: {name}\n".encode() if name is not None else b""
    return head + b"data: " + data + b"\n\n"


class EventDecoder:
    """Reads one response's events; made anew for each response.

    Each byte is looked at a fixed number of times, however the stream is sliced.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._name = ""
        self._size = 0
        self._lines = 0
        self._started = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes.

        Args:
            chunk: Bytes in the order they came, sliced anywhere.

        Returns:
            The events that these bytes completed, in order.

        Raises:
            UpstreamProtocolError: An event grew over `MAX_EVENT_BYTES` or `MAX_EVENT_LINES`.
        """
        rest = self._rest
        if not (rest or self._lines) and (event := _find_event(chunk)) is not None:
            self._started = True
            return [event]
        if self._started and chunk.find(b"\n") < 0 and chunk.find(b"\r") < 0 and rest[-1:] != b"\r":
            rest += chunk
            self._check(len(rest))
            return []
        text = bytes(rest) + chunk if rest else chunk
        rest.clear()
        if not self._started:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                rest += text
                return []
            self._started = True
            text = text.removeprefix(_BOM)
        # A carriage return at the very end may be the first half of a CRLF: it waits for the next byte.
        held = b"\r" if text.endswith(b"\r") else b""
        whole = text[: len(text) - len(held)] if held else text
        if b"\r" in whole:
            whole = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = _BLANK_LINES.sub(b"\n\n", whole).split(b"\n")
        rest += lines.pop() + held
        events = [event for line in lines if (event := self._take(line)) is not None]
        self._check(len(rest))
        return events

    def _take(self, line: bytes) -> Event | None:
        """Act on one line; a blank one completes the event, if it has data."""
        self._size += len(line) + 1
        self._lines += 1
        if not line:
            self._check(0)
            event = Event(b"\n".join(self._data), self._name or "message") if self._data else None
            self._data, self._name, self._size, self._lines = [], "", 0, 0
            return event
        if line.startswith(b"data: "):
            self._data.append(line[6:])
            return None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _check(self, rest: int) -> None:
        """Refuse an event that is too large.

        Args:
            rest: The size of the line that has not ended, in bytes.
        """
        if self._size + rest > MAX_EVENT_BYTES:
            raise UpstreamProtocolError(f"The stream holds one event of over {MAX_EVENT_BYTES} bytes.")
        if self._lines > MAX_EVENT_LINES:
            raise UpstreamProtocolError(f"The stream holds one event of over {MAX_EVENT_LINES} lines.")


def _find_event(chunk: bytes) -> Event | None:
    """Find the event that some bytes are, where they are one of one line of data, and nothing else."""
    if not chunk.endswith(b"\n\n") or chunk.find(b"\r") >= 0 or len(chunk) > MAX_EVENT_BYTES:
        return None
    if chunk.startswith(b"data: "):
        name, data = b"", chunk[6:-2]
    elif chunk.startswith(b"event: "):
        name, found, data = chunk[7:-2].partition(b"\ndata: ")
        if not found or b"\n" in name:
            return None
    else:
        return None
    return Event(data, name.decode("utf-8", "replace") or "message") if data.find(b"\n") < 0 else None


def cut(chunk: bytes) -> Iterator[bytes]:
    """Cut bytes after each blank line, where it has no carriage returns: a read may hold many events.

    Of several blank lines in a row one is given.
    """
    start, chunk = 0, _BLANK_LINES.sub(b"\n\n", chunk) if chunk.find(b"\n\n\n") >= 0 else chunk
    while (end := chunk.find(b"\n\n", start) + 2) > 1:
        yield chunk[start:end]
        start = end
    if start < len(chunk):
        yield chunk[start:]


def decode_events(text: bytes) -> list[Event]:
    """Decode the events of a text that is at hand; none where one of them is too large."""
    try:
        return EventDecoder().feed(text)
    except UpstreamProtocolError:
        return []
