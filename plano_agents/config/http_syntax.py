"""HTTP's syntax: header names, header values, addresses.

Names of hosts follow RFC 1035, section 2.3.4: labels of 1 to 63 characters, 253 in all. An address that breaks that
would only fail at the first request, as an encoding error of the resolver's.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

MAX_HOST_CHARACTERS = 253

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_LABEL = re.compile(r"[^.]{1,63}")


def is_token(text: str) -> bool:
    """Whether a text can be a header's name: a token of RFC 9110, section 5.6.2."""
    return _TOKEN.fullmatch(text) is not None


def is_header_value(text: str) -> bool:
    """Whether a text can be sent as a header's value: visible ASCII, spaces inside only."""
    return _HEADER_VALUE.fullmatch(text) is not None


def is_host(name: str) -> bool:
    """Whether a text can be looked up: the name of a host, a dot at its end or not, or an IP address."""
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
