"""The router's address, in one spelling for every integration."""

import os
import re
from urllib.parse import urlsplit

DEFAULT_BASE_URL = "http://127.0.0.1:12000/v1"
"""Where a router listens unless it is told otherwise."""

VARIABLES = ("PLANO_BASE_URL", "PLANO_URL")
"""The environment variables that name a router, the first that is set; the second is what Plano's demos read."""

_VERSIONS = re.compile(r"(?:/+v1)*/*$")
_USERINFO = re.compile(r"^([a-z]*://)?[^/?#]*@", re.IGNORECASE)


def find_router() -> str | None:
    """The router that the environment names; None where it names none."""
    return next((address for name in VARIABLES if (address := os.environ.get(name))), None)


def build_base_url(url: str) -> str:
    """Complete a router's address: ``http://host:12000``, with or without ``/v1``, once or twice, or a slash.

    Args:
        url: The address, http or https.

    Returns:
        The address that ends in ``/v1``.

    Raises:
        ValueError: It is not an http or https address, or has a query or a fragment, which no path can follow. A user
            and a password in it are not repeated.
    """
    shown = repr(name_url(url))
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"A router's address starts with http:// or https://; got {shown}.")
    if "?" in url or "#" in url:
        raise ValueError(
            f"A router's address has no query and no fragment, for paths are added to it; got {shown}. Leave out "
            "what follows '?' or '#'."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # the standard library names the part: a port, an IPv6 host
        raise ValueError(f"A router's address is like {DEFAULT_BASE_URL}; got {shown}: {error}.") from None
    if not host or port == 0 or not host.isprintable() or " " in host:
        raise ValueError(f"A router's address names a host, like {DEFAULT_BASE_URL}; got {shown}.")
    return f"{_VERSIONS.sub('', url)}/v1"


def name_url(url: str) -> str:
    """Write an address as it may be shown: without its user and password.

    Example:
        >>> name_url("http://me:secret@router:12000/v1")
        'http://…@router:12000/v1'
    """
    return _USERINFO.sub(r"\1…@", url)
