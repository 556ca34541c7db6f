"""A request's head as a text with blanks: the next heads of its client are compared with it, not parsed.

The strict parser has read the first (`head`); one that differs from it in the blanks alone, and has a plain value in
each, is read as it was. One that differs anywhere else goes to the parser, so strictness is one piece of code. A value
is plain that no rule of the grammar could read in two ways: an id, 1 to 256 visible ASCII characters; a text, such
characters with spaces inside; a length, digits.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from plano_agents.http.server.head import RequestHead

PATTERN_AFTER = 64
"""How often a template is filled before it gets a pattern, which costs as much as some hundred comparisons."""
MAX_PATTERNS = 256
"""How many patterns are kept for all connections: clients of one program have one."""
MAX_PATTERN_BYTES = 8_192
"""How long a head is that gets one: of 64 KiB it takes a tenth of a second to make, and half a megabyte to keep."""

_ID = re.compile(rb"[!-~]{1,256}")
_TEXT = re.compile(rb"(?>[!-~][ -~]*)(?<! )")
_LENGTH = re.compile(rb"[1-9][0-9]{0,14}")
_CONTENT_LENGTH = "content-length"


class Blanks(NamedTuple):
    """The headers that may differ between a target's requests, names in lower case."""

    ids: Collection[str] = ()
    """Those whose values are ids."""
    texts: Collection[str] = ()
    """Those whose values are texts."""


class Filled(Struct, frozen=True):
    """A head that fits into a template; a struct, for one is made for every request."""

    end: int
    """Where it ends, in bytes."""
    length: int
    """How long its body is, in bytes."""
    values: tuple[bytes, ...]
    """What stands in the template's blanks, in the order of `Template.names`."""


class Template:
    """A head with blanks.

    Args:
        head: What the parser read.
        pieces: What stands before, between and after the blanks; the last ends with the empty line.
        names: The blanks' headers in order, ``content-length`` among them.
        plain: What a plain value is of each.
    """

    __slots__ = (
        "_count",
        "_first",
        "_length_at",
        "_pattern",
        "_pieces",
        "_plain",
        "_rest",
        "head",
        "keeps_alive",
        "names",
    )

    def __init__(
        self, head: RequestHead, pieces: list[bytes], names: tuple[str, ...], plain: tuple[re.Pattern[bytes], ...]
    ) -> None:
        self.head = head
        """What the parser read."""
        self.keeps_alive = head.keep_alive
        """True if the connection may serve another request."""
        self.names = names
        """The blanks' headers in order, names in lower case."""
        self._pieces = tuple(pieces)
        self._plain = plain
        self._pattern: re.Pattern[bytes] | None = None
        self._count = 0
        self._first, *rest = pieces
        self._rest = tuple((piece, len(piece)) for piece in rest)
        self._length_at = names.index(_CONTENT_LENGTH)

    def fill(self, data: bytes, max_bytes: int) -> Filled | None:
        """Read what a connection's next request begins with, where it is this head.

        Args:
            data: What came, from the head's first byte on.
            max_bytes: How long a head may be.

        Returns:
            Its values; None where it has to be parsed.
        """
        if self._pattern is None:
            return self._compare(data, max_bytes)
        found = self._pattern.match(data)
        if found is None or (end := found.end()) > max_bytes:
            return None
        values = found.groups()
        return Filled(end, int(values[self._length_at]), values)

    def _compare(self, data: bytes, max_bytes: int) -> Filled | None:
        """Do so piece by piece; a template that is filled again and again gets a pattern."""
        if not data.startswith(self._first):
            return None
        values = []
        end = len(self._first)
        for piece, size in self._rest:
            start, end = end, data.find(b"\r\n", end)
            if not data.startswith(piece, end) or end < 0:
                return None
            values.append(data[start:end])
            end += size
        if end > max_bytes:
            return None
        for value, plain in zip(values, self._plain, strict=True):
            if plain.fullmatch(value) is None:
                return None
        self._count += 1
        if self._count == PATTERN_AFTER and sum(map(len, self._pieces)) <= MAX_PATTERN_BYTES:
            self._pattern = _compile(self._pieces, self._plain)
        return Filled(end, int(values[self._length_at]), tuple(values))

    def read(self, values: tuple[bytes, ...]) -> RequestHead:
        """Give the head with such values, as the parser would have read it."""
        given = dict(zip(self.names, [value.decode("ascii") for value in values], strict=True))
        headers = [(name, given.get(name, value)) for name, value in self.head.headers]
        return self.head._replace(headers=headers, content_length=int(given[_CONTENT_LENGTH]))


def build_template(block: bytes, head: RequestHead, blanks: Blanks) -> Template | None:
    """Cut the blanks out of a head.

    Args:
        block: The head, its empty line included.
        head: What the parser read of it.
        blanks: Which headers are blanks; those that came twice, or with a value that is not plain, are not, and
            ``content-length`` always is one.

    Returns:
        The template; None where the head has no length, or one of 0.
    """
    once = [name for name, _ in head.headers]
    pieces, found, start = [], {}, 0
    for matched in _LINE.finditer(block):
        name = matched[1].decode("latin-1").lower()
        plain = _choose_plain(name, blanks)
        if plain is not None and once.count(name) == 1 and plain.fullmatch(matched[2]) is not None:
            pieces.append(block[start : matched.start(2)])
            found[name] = plain
            start = matched.end(2)
    if _CONTENT_LENGTH not in found or not head.content_length:
        return None
    pieces.append(block[start:])
    return Template(head, pieces, tuple(found), tuple(found.values()))


def _choose_plain(name: str, blanks: Blanks) -> re.Pattern[bytes] | None:
    """Choose what a plain value of a header is; None for one that is not a blank."""
    if name == _CONTENT_LENGTH:
        return _LENGTH
    if name in blanks.ids:
        return _ID
    return _TEXT if name in blanks.texts else None


@lru_cache(MAX_PATTERNS)
def _compile(pieces: tuple[bytes, ...], plain: tuple[re.Pattern[bytes], ...]) -> re.Pattern[bytes]:
    """Make a pattern of the pieces between blanks."""
    first, *rest = [re.escape(piece) for piece in pieces]
    return re.compile(
        first + b"".join(b"(%b)%b" % (blank.pattern, piece) for blank, piece in zip(plain, rest, strict=True))
    )


_LINE = re.compile(rb"(?<=\r\n)([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?>[!-~][ -~]*)(?<! ))(?=\r\n)")
