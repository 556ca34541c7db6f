"""Reading the head of an HTTP/1.1 request, strictly: RFC 9110 and 9112, without their leniencies.

A request that two parsers could read differently is how requests are smuggled, so it is refused, not repaired:

- Lines end with CRLF; no other control character but a tab inside a value, no folded line, no space around a
  name. Empty lines before a request are skipped (RFC 9112, 2.2).
- One ``Host`` (it may be absent in HTTP/1.0). Either one ``Content-Length`` of at most 18 digits, or exactly
  ``Transfer-Encoding: chunked`` in HTTP/1.1, or no body.
- The target is a path (origin form), or a URL whose authority is that of ``Host`` to the letter, case aside;
  ``CONNECT``, ``*``, fragments and user names are refused.
- A WebSocket handshake is answered 426: Codex and others then send the same over plain HTTP. Any other ``Upgrade`` is
  an offer that RFC 9110, 7.8, lets us decline in silence.

Fields meant for this hop alone (RFC 9110, 7.6.1) are dropped, but for those that only ``Connection`` names: haproxy
passes a client's own on, which would take away what the proxy adds: where the request comes from, whose it is.
What a request means, its body, and when it is too late are left to others; there is no IO here, and no message
repeats what was sent. The grammar of lines is `http_syntax`'.
"""

import re
import string
from collections.abc import Mapping
from typing import NamedTuple

from plano_agents.errors import HeadTooLargeError, MalformedRequestError, UpgradeRefusedError
from plano_agents.http_syntax import MAX_KEPT_LINE_BYTES, MAX_KEPT_LINES, Header, parse_header_line

MAX_HEADERS = 100
"""How many header lines a request, and how many trailer lines a chunked body, may have."""

_FIRST_OCTETS = frozenset((string.ascii_uppercase + "\r").encode())
_REQUEST_LINE = re.compile(r"([A-Z][A-Z_-]{0,31}) ([!\"$-~]+) HTTP/(1\.[01])")
_ABSOLUTE_TARGET = re.compile(r"https?://([^/?@]+)(/[^?]*)?(\?.*)?", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+;=%-]+)(?::[0-9]*)?", re.ASCII)
_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}")

_ONCE = frozenset({"host", "content-length", "transfer-encoding"})
_HOP_BY_HOP = frozenset(
    {
        "close",  # never a header, always an option of Connection
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NO_OPTIONS: frozenset[str] = frozenset()


class RequestHead(NamedTuple):
    """A request's head; a tuple, because one is made for every request and this is three times as fast."""

    method: str
    """In upper case."""
    target: str
    """Path and query, beginning with ``/``."""
    http_version: str
    """``1.0`` or ``1.1``."""
    headers: list[Header]
    """Those for the application, in order."""
    content_length: int | None
    """The body's bytes, or None for a chunked one."""
    keep_alive: bool
    """True if the connection may serve another request."""
    expects_continue: bool
    """True if the client waits for ``100 Continue`` before it sends the body."""


def parse_header(line: str) -> Header:
    """Parse a header line, its end taken off.

    Raises:
        MalformedRequestError: It has no colon, a bad name, or a character that no value has.
    """
    header = parse_header_line(line)
    if header is None:
        raise MalformedRequestError(
            "A header line is not of the form 'Name: value', or has a control character. End lines with CRLF."
        )
    return header


def _parse_request_line(line: str) -> tuple[str, str, str]:
    matched = _REQUEST_LINE.fullmatch(line)
    if matched is None or matched[1] == "CONNECT":
        raise MalformedRequestError("The request line is not of the form 'METHOD /path HTTP/1.1'.")
    method, target, version = matched.groups()
    return method, target, version


class LinesSeen:
    """The lines that one connection has read before.

    A client repeats most of its lines on every request of a connection; one that was judged need not be again,
    which makes this parser as fast as one in C.
    """

    def __init__(self) -> None:
        self.headers: dict[str, Header] = {}
        self._request_line = ""
        self._request = ("", "", "")

    def read_request_line(self, line: str) -> tuple[str, str, str]:
        """Give the method, the target and the version; the last line is remembered."""
        if line != self._request_line:
            self._request = _parse_request_line(line)
            self._request_line = line if len(line) < MAX_KEPT_LINE_BYTES else ""
        return self._request

    def read_header(self, line: str) -> Header:
        """Parse a header line, and remember it."""
        header = parse_header(line)
        if header[0] == "host":
            _check_host(header[1])
        if len(self.headers) < MAX_KEPT_LINES and len(line) < MAX_KEPT_LINE_BYTES:
            self.headers[line] = header
        return header


def parse_head(block: str, seen: LinesSeen) -> RequestHead:
    """Parse a request's head.

    Args:
        block: Request line and header lines, without the empty line and the CRLF before it.
        seen: What the connection's earlier lines were read as.

    Returns:
        The head.

    Raises:
        MalformedRequestError: It breaks one of this module's rules.
        HeadTooLargeError: It has more than `MAX_HEADERS` lines.
        UpgradeRefusedError: It asks for a WebSocket.
    """
    request_line, *lines = block.split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise HeadTooLargeError(f"The request has more than {MAX_HEADERS} headers. Send fewer.")
    method, target, version = seen.read_request_line(request_line)
    known = seen.headers
    try:
        headers = [known[line] for line in lines]
    except KeyError:
        headers = [known.get(line) or seen.read_header(line) for line in lines]
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = _gather(headers)
    host = fields.get("host")
    if host is None and version == "1.1":
        raise MalformedRequestError("An HTTP/1.1 request needs a Host header. Send one.")
    length = _parse_framing(fields, version)
    options = _split_list(fields["connection"]) if "connection" in fields else _NO_OPTIONS
    if "upgrade" in options and "websocket" in _split_list(fields.get("upgrade", "")):
        raise UpgradeRefusedError("WebSockets are not served here. Send the request over plain HTTP/1.1.")
    return RequestHead(
        method,
        target if target[0] == "/" else _to_origin_form(target, host),
        version,
        headers if _HOP_BY_HOP.isdisjoint(fields) else [header for header in headers if header[0] not in _HOP_BY_HOP],
        length,
        version == "1.1" and "close" not in options,
        "expect" in fields and version == "1.1" and length != 0 and fields["expect"].lower() == "100-continue",
    )


def _gather(headers: list[Header]) -> dict[str, str]:
    """Gather headers by name; repeated ones are one list (RFC 9110, 5.2)."""
    fields: dict[str, str] = {}
    for name, value in headers:
        if name in fields and name in _ONCE:
            raise MalformedRequestError(f"The request has two {name!r} headers. Send one.")
        fields[name] = fields[name] + "," + value if name in fields else value
    return fields


def _check_host(host: str) -> None:
    if _HOST.fullmatch(host) is None:
        raise MalformedRequestError("The Host header is not a host name or address with an optional port.")


def _parse_framing(fields: Mapping[str, str], version: str) -> int | None:
    """Find where the body ends: after so many bytes, or (None) where its chunks say."""
    length = fields.get("content-length")
    encoding = fields.get("transfer-encoding")
    if encoding is None:
        if length is None:
            return 0
        if _CONTENT_LENGTH.fullmatch(length) is None:
            raise MalformedRequestError("Content-Length is not a number of at most 18 decimal digits.")
        return int(length)
    if length is not None:
        raise MalformedRequestError("The request has both Content-Length and Transfer-Encoding. Send one of them.")
    if encoding.lower() != "chunked" or version != "1.1":
        raise MalformedRequestError("Transfer-Encoding can only be 'chunked', and only in HTTP/1.1.")
    return None


def _to_origin_form(target: str, host: str | None) -> str:
    matched = _ABSOLUTE_TARGET.fullmatch(target)
    if matched is None or (host is not None and matched[1].lower() != host.lower()):
        raise MalformedRequestError("The request's target is neither a path nor a URL on the host that Host names.")
    return (matched[2] or "/") + (matched[3] or "")


def _split_list(value: str) -> frozenset[str]:
    return frozenset(item.strip(" \t") for item in value.lower().split(","))


class HeadReader:
    """Reads one connection's request heads from bytes that are split anywhere.

    Args:
        max_bytes: How long a head may be, its empty line included.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._scanned = 0
        self._lines_seen = LinesSeen()
        self.last = b""
        """The head taken last, its empty line included."""

    def take(self, buffer: bytearray) -> RequestHead | None:
        """Take a head off the buffer's front.

        Args:
            buffer: What came since the last request's end.

        Returns:
            The head, or None while it is not whole.

        Raises:
            MalformedRequestError: There is no request here; nothing may be read after that.
            HeadTooLargeError: It is too large; nothing may be read after that.
            UpgradeRefusedError: It asks for a WebSocket; what follows may be one.
        """
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
            self._scanned = 0
        end = buffer.find(b"\r\n\r\n", max(self._scanned - 3, 0))
        size = len(buffer) if end < 0 else end + 4
        if size > self._max_bytes:
            raise HeadTooLargeError(
                f"The request's head is longer than {self._max_bytes} bytes. Send fewer or shorter headers."
            )
        if end < 0:
            self._check_unfinished(buffer)
            return None
        self.last = bytes(buffer[:size])
        head = parse_head(self.last[:end].decode("latin-1"), self._lines_seen)
        del buffer[:size]
        self._scanned = 0
        return head

    def _check_unfinished(self, buffer: bytearray) -> None:
        """Refuse what can be no head, such as TLS, before its time is up; looks at each byte once."""
        if buffer and (buffer[0] not in _FIRST_OCTETS or (buffer[0] == ord("\r") and len(buffer) > 1)):
            raise MalformedRequestError("The request does not begin with a method. Send HTTP/1.1 without TLS.")
        scanned = self._scanned
        if buffer.count(b"\n", scanned) != buffer.count(b"\r\n", max(scanned - 1, 0)):
            raise MalformedRequestError("A line of the request's head ends with LF alone. End lines with CRLF.")
        self._scanned = len(buffer)
