"""A request's head in bytes: HTTP/1.1, RFC 9112, section 3, with nothing in it that ends a line early.

A header that breaks the rules is refused, not repaired: what follows a line break in a value would be a header, or a
request, written by the value's author. How long the body is, is said here and nowhere else.
"""

import re

from plano_agents.errors import UpstreamError

MAX_KEPT_LINES = 64
"""How many header lines are remembered; when there are more, all are forgotten."""
MAX_KEPT_LINE_BYTES = 512
"""How long a header line is that is remembered."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_FRAMING = frozenset({"content-length", "transfer-encoding"})


def encode_line(name: str, value: str) -> bytes:
    """Encode a header line.

    Args:
        name: In any case.
        value: Of characters up to U+00FF.

    Raises:
        UpstreamError: It is no header, or one that frames the body.
    """
    if _NAME.fullmatch(name) is None or name.lower() in _FRAMING:
        raise UpstreamError(
            f"A request cannot have the header {name!r}. Look at the headers configured for the model."
        )
    if _VALUE.fullmatch(value) is None:
        raise UpstreamError(
            f"The value of the header {name!r} has a line break or another character that no header may have. Look at "
            "the key and the headers configured for the model."
        )
    return f"{name}: {value}\r\n".encode("latin-1")


class HeaderLines(dict[tuple[str, str], bytes]):
    """Header lines by name and value.

    Most lines are the same on every request to a provider; one that was judged and encoded need not be again.
    """

    def __missing__(self, header: tuple[str, str]) -> bytes:
        line = encode_line(*header)
        if len(line) <= MAX_KEPT_LINE_BYTES:
            if len(self) >= MAX_KEPT_LINES:
                self.clear()
            self[header] = line
        return line
