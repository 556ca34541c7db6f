"""A request's head in bytes: HTTP/1.1, RFC 9112, section 3, with nothing in it that ends a line early.

A header that breaks the grammar (`http_syntax`) is refused, not repaired. How long the body is, is said here and
nowhere else.
"""

from plano_agents.errors import UpstreamError
from plano_agents.http_syntax import MAX_KEPT_LINE_BYTES, MAX_KEPT_LINES, is_field_value, is_token

_FRAMING = frozenset({"content-length", "transfer-encoding"})


def encode_line(name: str, value: str) -> bytes:
    """Encode a header line.

    Args:
        name: In any case.
        value: Of characters up to U+00FF.

    Raises:
        UpstreamError: It is not a header, or one that frames the body.
    """
    if not is_token(name) or name.lower() in _FRAMING:
        raise UpstreamError(f"A request cannot have the header {name!r}. Look at the headers configured for the model.")
    if not is_field_value(value):
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
