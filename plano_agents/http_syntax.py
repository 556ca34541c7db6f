"""HTTP's grammar, for both ends and the configuration: header names, header values, addresses.

A header that breaks it is refused, never repaired: what follows a line break in a value would be a header, or a
request, written by the value's author. Text of a head is its bytes as Latin-1, which has a character for each.

Names of hosts follow RFC 1035, section 2.3.4: labels of 1 to 63 characters, 253 in all. An address that breaks that
would only fail at the first request, as an encoding error of the resolver's.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

MAX_HOST_CHARACTERS = 253
MAX_KEPT_LINES = 64
"""The most header lines that a reader or a writer remembers as judged; with the next, 32 KiB."""
MAX_KEPT_LINE_BYTES = 512
"""How long a line is that is remembered."""

END_OF_HEAD = b"content-length: %d\r\n\r\n"
"""The end of the head of a message with a body: its length, and the empty line."""

Header = tuple[str, str]
"""A field's name, in lower case, and its value."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_HEADER_LINE = re.compile(rf"({_TOKEN.pattern}):({_FIELD_VALUE.pattern})")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_LABEL = re.compile(r"[^.]{1,63}")


def is_token(text: str) -> bool:
    """Check whether a text can be a header's name: a token of RFC 9110, section 5.6.2."""
    return _TOKEN.fullmatch(text) is not None


def is_field_value(text: str) -> bool:
    """Check whether a text can be a header line's value: no control character but a tab (RFC 9110, section 5.5)."""
    return _FIELD_VALUE.fullmatch(text) is not None


def parse_header_line(line: str) -> Header | None:
    """Parse a header line, its end taken off; None where it has no colon, a bad name or a bad value."""
    matched = _HEADER_LINE.fullmatch(line)
    return (matched[1].lower(), matched[2].strip(" \t")) if matched is not None else None


def is_header_value(text: str) -> bool:
    """Check whether a text can be sent as a header's value: visible ASCII, spaces inside only."""
    return _HEADER_VALUE.fullmatch(text) is not None


def is_host(name: str) -> bool:
    """Check whether a text can be looked up: the name of a host, a dot at its end or not, or an IP address."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= MAX_HOST_CHARACTERS and all(map(_LABEL.fullmatch, labels))


def parse_host_pattern(text: str) -> str:
    """Read the name of a host, an IP address, or ``*.`` and a name for every name below it.

    Returns:
        It in lower case.

    Raises:
        ValueError: It is something else, such as an address with a port.

    Example:
        >>> parse_host_pattern("*.Example.com")
        '*.example.com'
    """
    lowered = text.lower()
    name = lowered.removeprefix("*.")
    if not (_NAME.fullmatch(lowered) and is_host(name)) and not _is_ip_address(lowered):
        raise ValueError(
            f"{text!r} is not the name of a host. Write one without a port, such as 'router.example.com', or "
            "'*.example.com' for all below"
        )
    return lowered


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def split_address(url: str, schemes: frozenset[str]) -> SplitResult | None:
    """Take an address apart.

    Args:
        url: Such as ``https://api.example.com/v1``.
        schemes: The schemes that are allowed, in lower case.

    Returns:
        Its parts; None where it cannot be asked: it needs a scheme, a host that can be looked up, visible ASCII, and
        no credentials in front of the host.
    """
    try:
        parts = urlsplit(url)
        usable = is_host(parts.hostname or "") and parts.port != 0 and parts.username is None
    except ValueError:
        return None
    usable = usable and parts.scheme in schemes and is_header_value(url) and " " not in url
    return parts if usable else None


def read_as_sent(value: str) -> str:
    """Read a header's value as its client wrote it: UTF-8 where it is that, though headers are read as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
