"""The lines of a provider's head that the fast path needs: as they were, where the head is as the last ones were.

A provider's answers mostly have the same lines in the same order, and only some values differ: ids, counts that are
left. After `LEARNT_FROM` heads of that kind in a row they become a pattern with a blank for each value that has
differed, and the next head is compared, not read. One that does not fit is read line by line, and teaches again.
"""

import re
from typing import NamedTuple

from plano_agents.http.client.response_head import Headers
from plano_agents.router.request.answer import is_passed_back, pass_back

LEARNT_FROM = 16
"""From how many heads in a row a pattern is made: making one costs as much as reading some hundred."""
MAX_PATTERNS = 8
"""How often a pattern is made."""
MAX_LEARNT_BYTES = 8_192
"""How long a head is that is learnt from."""

_TYPE, _ENCODING = "content-type", "content-encoding"
_PASSED_BLANK = rb"([!-~]++(?: [!-~]++)*+)"
"""A value that is passed back as it is, however a parser reads it."""
_OTHER_BLANK = rb"[^\r\n]*+"


class ProviderHead(NamedTuple):
    """A provider's head, as far as it matters."""

    content_type: str
    """The content type in lower case; empty where none is named."""
    is_compressed: bool
    """Whether the body may be compressed."""
    passed: bytes
    """The lines that the client gets, see `answer.pass_back`, the answer's own content type in place of the
    provider's."""
    has_type: bool
    """Whether the content type is among them."""


class HeadReader:
    """Reads the heads of one provider's answers of one kind.

    Args:
        content_type: The content type that the client's answers have.
    """

    __slots__ = ("_content_type", "_count", "_known", "_lines", "_made", "_pattern")

    def __init__(self, content_type: str) -> None:
        self._content_type = content_type
        self._pattern: re.Pattern[bytes] | None = None
        self._known: ProviderHead | None = None
        self._lines: list[tuple[bytes, bytes | None]] = []
        self._count = self._made = 0

    def read(self, head: bytes) -> ProviderHead:
        """Read a head.

        Args:
            head: In bytes, its status line first.
        """
        if self._pattern is not None and self._known is not None:
            found = self._pattern.fullmatch(head)
            if found is not None:
                known = self._known
                return ProviderHead(known[0], known[1], known.passed % found.groups()[::-1], known[3])
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
        if len(kept) != len(set(kept)) or blank & {_TYPE, _ENCODING}:
            self._pattern = None
            return
        status, *_ = head.split(b"\r\n", 1)
        pattern, passed = re.escape(status), []
        for name, (spelling, value) in zip(names, self._lines, strict=True):
            if value is not None:
                pattern += rb"\r\n" + re.escape(spelling + b":" + value)
            elif is_passed_back(name, ""):
                pattern += rb"\r\n" + re.escape(spelling) + rb":[ \t]*" + _PASSED_BLANK
                passed.append(f"{name}: %b\r\n".encode("latin-1"))
                continue
            else:
                pattern += rb"\r\n" + re.escape(spelling) + b":" + _OTHER_BLANK
            text = value.decode("latin-1").strip(" \t") if value is not None else ""
            if value is not None and is_passed_back(name, text):
                told = self._content_type if name == _TYPE else text
                passed.append(f"{name}: {told}\r\n".encode("latin-1").replace(b"%", b"%%"))
        read = self._read(head)
        self._known = read._replace(passed=b"".join(reversed(passed)))
        self._pattern = re.compile(pattern)
