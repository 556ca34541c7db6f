"""The lines of a provider's head that the fast path needs: as they were, where the head is as the last ones were.

A provider's answers mostly have the same lines in the same order, and only some values differ: ids, counts that are
left. After `LEARNT_FROM` heads of that kind in a row they become a pattern with a blank for each value that has
differed, and the next head is compared, not read. One that does not fit is read line by line, and teaches again.

A whole answer that comes in one read is compared before HTTP's parser sees it, and need not be parsed at all: its
pattern was made of heads that the parser took, and no blank of it could be read in two ways, or frames the body but
for the length.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from plano_agents.http.client.response_head import Headers
from plano_agents.router.request.answer import is_passed_back, pass_back

LEARNT_FROM = 16
"""From how many heads in a row a pattern is made: making one costs as much as reading some hundred."""
MAX_PATTERNS = 8
"""How often a pattern is made."""
MAX_LEARNT_BYTES = 8_192
"""How long a head is that is learnt from."""

_TYPE, _ENCODING, _LENGTH = "content-type", "content-encoding", "content-length"
_PASSED_BLANK = rb"([!-~][ -~]*+(?<! ))"
"""A value that is passed back as it is, however a parser reads it."""
_LENGTH_BLANK = rb"(?P<length>[1-9][0-9]{0,14})"
_NO_ROOM = b"%.0b"
"""The place of a value that is not passed back."""
_END = b"\r\n\r\n"
_OTHER_BLANK = rb"[\t -~]*+"
_GOOD = b"HTTP/1.1 200 "
_FRAMING = frozenset({"transfer-encoding", "connection", "proxy-connection", "upgrade", "trailer"})
"""Headers by which an answer may be framed otherwise, or end its connection."""
_KEEPS_ALIVE = ("connection", b"keep-alive")


class ProviderHead(NamedTuple):
    """A provider's head, as far as it matters."""

    content_type: str
    """The content type in lower case; empty where none is named."""
    is_compressed: bool
    """True if the body may be compressed."""
    passed: bytes
    """The lines that the client gets, see `answer.pass_back`, the answer's own content type in place of the
    provider's."""
    has_type: bool
    """True if the content type is among them."""


class KnownHead(NamedTuple):
    """The head of all answers that fit a pattern."""

    match: Callable[[bytes], re.Match[bytes] | None]
    """Finds it where bytes begin with it; ``length`` is the blank that holds the body's."""
    head: ProviderHead
    """The head; its lines have a place for each blank, the last blank first."""

    def fill(self, found: re.Match[bytes]) -> ProviderHead:
        """Read a head that was found."""
        content_type, is_compressed, passed, has_type = self.head
        return ProviderHead(content_type, is_compressed, passed % found.groups()[::-1], has_type)


class HeadReader:
    """Reads the heads of one provider's answers of one kind.

    Args:
        content_type: The content type that the client's answers have.
    """

    __slots__ = ("_content_type", "_count", "_known", "_lines", "_made", "whole")

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type
        self._known: KnownHead | None = None
        self.whole: KnownHead | None = None
        """What answers begin with that need not be parsed; None where nothing is known of them."""
        self._lines: list[tuple[bytes, bytes | None]] = []
        self._count = self._made = 0

    def read(self, head: bytes) -> ProviderHead:
        """Read a head.

        Args:
            head: In bytes, its status line first.
        """
        if self._known is not None:
            found = self._known.match(head + _END)
            if found is not None:
                return self._known.fill(found)
        if self._made < MAX_PATTERNS and len(head) < MAX_LEARNT_BYTES:
            self._learn(head)
        return self._read(head)

    def _read(self, head: bytes) -> ProviderHead:
        fields = Headers(head)
        passed = pass_back(fields)
        has_type = _TYPE in passed
        if has_type:
            passed[_TYPE] = self._content_type
        lines = "".join([f"{name}: {value}\r\n" for name, value in passed.items()]).encode("latin-1")
        return ProviderHead(fields.get(_TYPE, "").lower(), _ENCODING in fields, lines, has_type)

    def _learn(self, head: bytes) -> None:
        """Compare a head with those before it, and make a pattern of them once there are enough."""
        split = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        lines = [(name, value) for name, _, value in split]
        if [name for name, _ in lines] != [name for name, _ in self._lines]:
            self._lines, self._count = list(lines), 0
        self._lines = [
            (name, value if value == now else None) for (name, value), (_, now) in zip(self._lines, lines, strict=True)
        ]
        self._count += 1
        if self._count == LEARNT_FROM:
            self._count = 0
            self._make(head)

    def _make(self, head: bytes) -> None:
        """Make a pattern of what was learnt; none where a line that matters came twice, or its type differs."""
        names = [name.decode("latin-1").lower() for name, _ in self._lines]
        kept = [name for name in names if is_passed_back(name, "") or name in {_TYPE, _ENCODING}]
        blank = {name for name, (_, value) in zip(names, self._lines, strict=True) if value is None}
        self._made += 1
        self._known = self.whole = None
        if len(kept) != len(set(kept)) or blank & {_TYPE, _ENCODING} or names.count(_LENGTH) > 1:
            return
        status, *_ = head.split(b"\r\n", 1)
        pattern, passed, is_framed = re.escape(status), [], status.startswith(_GOOD) and _LENGTH in names
        for name, (spelling, value) in zip(names, self._lines, strict=True):
            pattern += rb"\r\n" + re.escape(spelling) + b":"
            if name in _FRAMING and (name, (value or b"").strip(b" \t").lower()) != _KEEPS_ALIVE:
                is_framed = False
            if name == _LENGTH:
                pattern += rb"[ \t]*" + _LENGTH_BLANK
                passed.append(_NO_ROOM)
            elif value is not None:
                pattern += re.escape(value)
                text = value.decode("latin-1").strip(" \t")
                if is_passed_back(name, text):
                    told = self._content_type if name == _TYPE else text
                    passed.append(f"{name}: {told}\r\n".encode("latin-1").replace(b"%", b"%%"))
            elif is_passed_back(name, ""):
                pattern += rb"[ \t]*" + _PASSED_BLANK
                passed.append(name.encode("latin-1").replace(b"%", b"%%") + b": %b\r\n")
            else:
                pattern += _OTHER_BLANK
        read = self._read(head)._replace(passed=b"".join(reversed(passed)))
        self._known = KnownHead(re.compile(pattern + re.escape(_END)).match, read)
        if is_framed and not read.is_compressed:
            self.whole = self._known
