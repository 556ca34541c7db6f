"""An answer's head, kept as it came and read when somebody asks.

llhttp has judged its form: every line ends with CRLF, has a colon and begins with a token. What it lets pass and RFC
9112 calls faulty framing (section 6.1) is refused here: an encoding other than ``chunked`` alone, or any in HTTP/1.0.
"""

import re
from collections.abc import ItemsView, Iterator, Mapping

_ENCODINGS = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length:", re.IGNORECASE)


class FramingError(Exception):
    """An answer that could be read in two ways."""


def check_framing(head: bytes) -> bool:
    """Refuse what could be read in two ways and llhttp lets pass.

    Args:
        head: Status line and header lines, without their last CRLF.

    Returns:
        Whether the body comes in chunks.

    Raises:
        FramingError: It is neither HTTP/1.1 nor 1.0, or the body's encoding is not ``chunked`` alone.
    """
    encodings = _ENCODINGS.findall(head)
    version = head[:9]
    if version != b"HTTP/1.1 " and (version != b"HTTP/1.0 " or encodings):
        raise FramingError("Neither HTTP/1.1 nor HTTP/1.0, or an encoding in the latter.")
    if encodings and (len(encodings) > 1 or encodings[0].rstrip(b" \t").lower() != b"chunked"):
        raise FramingError("An encoding other than 'chunked'.")
    return bool(encodings)


def ends_with_connection(head: bytes) -> bool:
    """Check whether nothing but the connection's end says where the body ends."""
    return _LENGTH.search(head) is None and _ENCODINGS.search(head) is None


class Headers(Mapping[str, str]):
    """An answer's headers, names compared in any case; of those that came more than once, the first.

    Args:
        head: The answer's head, its status line first.
    """

    __slots__ = ("_fields", "_head")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._read()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def items(self) -> ItemsView[str, str]:
        """Give names, in lower case, and values; the mapping's own would look each up again."""
        return self._read().items()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._read()

    def _read(self) -> dict[str, str]:
        fields = self._fields
        if fields is None:
            fields = self._fields = {}
            for line in self._head.decode("latin-1").split("\r\n")[:0:-1]:
                name, _, value = line.partition(":")
                fields[name.lower()] = value.strip(" \t")
        return fields
