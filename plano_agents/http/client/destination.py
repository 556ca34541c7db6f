"""Values derived from a URL once and used for every request to it: the address to connect to, the head's beginning.

Proxies follow the rules of the standard library's ``urllib.request``: one by scheme (``HTTP_PROXY``, ``HTTPS_PROXY``,
in either case), but not for hosts that ``NO_PROXY`` names. Over one, ``http`` is asked for by the whole URL, and
``https`` goes through a tunnel (RFC 9110, section 9.3.6). The environment is read once.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from plano_agents.errors import UpstreamError

PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})

_HOST = re.compile(r"[0-9A-Za-z_.~%:-]+")
_SAFE = "/%:@!$&'()*+,;=?~-._"
"""What stays as it is in a path or a query; a per cent sign is taken for an escape."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy between the router and a provider."""

    host: str
    """Its name or address."""
    port: int
    """Its port."""
    tls: bool
    """True if it is itself spoken to over TLS."""
    authorization: str | None = field(default=None, repr=False)
    """What it knows the router by, as ``Proxy-Authorization`` has it."""


class Origin(NamedTuple):
    """The server that connections lead to: those to one origin are alike."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """A name or an address, IPv6 without brackets."""
    port: int
    """The port."""
    proxy: Proxy | None
    """What is in between."""

    @property
    def authority(self) -> str:
        """Host and port, as ``Host`` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def label(self) -> str:
        """The name in messages."""
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of requests to one URL."""

    origin: Origin
    """Whom to connect to."""
    target: bytes = field(repr=False)
    """What the request line names."""
    host: bytes
    """The ``Host`` line."""
    proxy_authorization: bytes = field(default=b"", repr=False)
    """The line that a proxy wants where it passes requests on one by one; empty elsewhere."""


class Proxies:
    """The environment's proxies.

    Args:
        environment: Whether there is any: ``HTTP_PROXY`` and its kin are read now.
    """

    def __init__(self, *, environment: bool) -> None:
        self._urls: dict[str, str] = {}
        if environment:
            import urllib.request  # noqa: PLC0415 - rarely needed, and slow to import

            self._urls = urllib.request.getproxies_environment()

    def find(self, scheme: str, authority: str) -> Proxy | None:
        """Find the proxy for an origin.

        Args:
            scheme: ``http`` or ``https``.
            authority: Its host and port.

        Raises:
            UpstreamError: The one named is of a kind that is not spoken.
        """
        url = self._urls.get(scheme)
        if not url:
            return None
        import urllib.request  # noqa: PLC0415 - rarely needed, and slow to import

        if urllib.request.proxy_bypass_environment(authority, self._urls):  # type: ignore[attr-defined]  # not in typeshed
            return None
        return _parse_proxy(url, f"{scheme.upper()}_PROXY")


def _parse_proxy(url: str, variable: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in PORTS or not parts.hostname:
        raise UpstreamError(
            f"{variable} does not name an HTTP proxy. Write http://host:port; other kinds, such as SOCKS, are not supported."
        )
    return Proxy(
        _encode_host(parts.hostname),
        port or PORTS[parts.scheme],
        parts.scheme == "https",
        _encode_credentials(parts),
    )


def parse_destination(url: str, proxies: Proxies) -> Destination:
    """Parse a URL.

    Args:
        url: ``http`` or ``https``; its fragment is dropped.
        proxies: Those in force.

    Raises:
        UpstreamError: It is no such URL; the message has its origin at most.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UpstreamError(f"A provider's address is not valid: {error}. Look at base_url.") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise UpstreamError(
            f"{parts.scheme}://{parts.hostname or ''} is not a provider's address. It begins with http:// or https:// "
            "and has a host; look at base_url."
        )
    host = _encode_host(parts.hostname)
    origin = Origin(parts.scheme, host, port or PORTS[parts.scheme], None)
    origin = origin._replace(proxy=proxies.find(origin.scheme, origin.authority))
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    authorization = b""
    if origin.proxy is not None and origin.scheme == "http":
        path = f"http://{origin.authority}{path}"
        if origin.proxy.authorization is not None:
            authorization = f"proxy-authorization: {origin.proxy.authorization}\r\n".encode()
    return Destination(
        origin,
        path.encode(),
        f"host: {origin.authority}\r\n".encode(),
        authorization,
    )


def _encode_host(host: str) -> str:
    """Encode a host's name as DNS has it.

    Raises:
        UpstreamError: It has none there.
    """
    try:
        encoded = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        encoded = ""
    if _HOST.fullmatch(encoded) is None:
        raise UpstreamError(f"{host!r} is not a host name. Check base_url.")
    return encoded


def _encode_credentials(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
