"""Reading the body of an HTTP/1.1 request: of a known length, or in chunks, strictly (RFC 9112, 6 and 7.1).

Chunk extensions and trailers are checked and forgotten: nothing here reads any, and a trailer that became a header
would be one that nobody judged.
"""

import re
from typing import Protocol

from plano_agents.errors import MalformedRequestError
from plano_agents.http.server.head import MAX_HEADERS, parse_header

MAX_CHUNK_LINE_BYTES = 256
"""How long a chunk's size and extensions may be."""
MAX_CHUNKS = 100_000
"""How many chunks a body may have; one that is sent in pieces of a packet's size has fewer."""
MAX_TRAILER_BYTES = 8192
"""How long all trailers together may be."""

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t -~\x80-\xff]*)?\r\n")


class Body(Protocol):
    """A request's body while it arrives."""

    is_over: bool
    """True if all of it was taken."""

    def take(self, buffer: bytearray) -> bytes:
        """Take what there is of the body off the buffer's front.

        Raises:
            MalformedRequestError: A chunked body's framing is wrong.
        """


class FixedBody:
    """A body of a known length, in bytes."""

    def __init__(self, length: int) -> None:
        self._missing = length
        self.is_over = length == 0

    def take(self, buffer: bytearray) -> bytes:
        """Take what there is of the body off the buffer's front."""
        piece = _take(buffer, self._missing)
        self._missing -= len(piece)
        self.is_over = self._missing == 0
        return piece


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        self.is_over = False
        self._missing = 0
        self._chunks = 0
        self._after_chunk = False
        self._in_trailers = False
        self._trailer_bytes = 0
        self._trailer_lines = 0

    def take(self, buffer: bytearray) -> bytes:
        """Take what there is of the body off the buffer's front; several chunks come as one piece.

        Raises:
            MalformedRequestError: A size, a line end, or a trailer is wrong, or too long.
        """
        pieces: list[bytes] = []
        while buffer and not self.is_over:
            if self._missing:
                piece = _take(buffer, self._missing)
                self._missing -= len(piece)
                pieces.append(piece)
            elif (line := self._take_line(buffer)) is None:
                break
            else:
                self._read_line(line)
        return b"".join(pieces)

    def _take_line(self, buffer: bytearray) -> bytes | None:
        limit = MAX_TRAILER_BYTES if self._in_trailers else MAX_CHUNK_LINE_BYTES
        end = buffer.find(b"\n", 0, limit) + 1
        if end:
            return _take(buffer, end)
        if len(buffer) >= limit:
            raise MalformedRequestError("A chunk's extensions or trailers are too long. Send none.")
        return None

    def _read_line(self, line: bytes) -> None:
        if self._in_trailers:
            self._read_trailer(line)
        elif self._after_chunk:
            if line != b"\r\n":
                raise MalformedRequestError("A chunk does not end with CRLF after as many bytes as it said.")
            self._after_chunk = False
        else:
            self._read_size(line)

    def _read_size(self, line: bytes) -> None:
        matched = _CHUNK_LINE.fullmatch(line)
        if matched is None:
            raise MalformedRequestError("A chunk does not begin with its size in hexadecimal digits and CRLF.")
        self._missing = int(matched[1], 16)
        self._chunks += self._missing > 0
        if self._chunks > MAX_CHUNKS:
            raise MalformedRequestError(f"A body has more than {MAX_CHUNKS:,} chunks. Send larger ones.")
        self._after_chunk = self._missing > 0
        self._in_trailers = self._missing == 0

    def _read_trailer(self, line: bytes) -> None:
        """Check a trailer, and forget it: nothing here reads any."""
        if line == b"\r\n":
            self.is_over = True
            return
        self._trailer_bytes += len(line)
        self._trailer_lines += 1
        if self._trailer_bytes > MAX_TRAILER_BYTES or self._trailer_lines > MAX_HEADERS:
            raise MalformedRequestError("A chunked body's trailers are too long. Send none.")
        if not line.endswith(b"\r\n"):
            raise MalformedRequestError("A trailer ends with LF alone. End lines with CRLF.")
        parse_header(line[:-2].decode("latin-1"))


def build_body(length: int | None) -> Body:
    """Build a body of so many bytes, or (None) one in chunks."""
    return ChunkedBody() if length is None else FixedBody(length)


def _take(buffer: bytearray, size: int) -> bytes:
    """Take up to so many bytes off a buffer's front."""
    if len(buffer) <= size:
        piece = bytes(buffer)
        buffer.clear()
        return piece
    piece = bytes(buffer[:size])
    del buffer[:size]
    return piece
