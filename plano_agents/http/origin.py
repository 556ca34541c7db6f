"""The origin of a request: this machine, a page of another site, a name that was pointed here.

A server that asks for no keys trusts every client that reaches it, and a browser on the same machine reaches it for any
page that it shows. So such a server judges what no page can forge, the headers that browsers write themselves (Fetch,
sections 3.2 and 4.6; Fetch Metadata; RFC 9110, section 7.2):

- ``Host`` is a loopback name or an allowed one: a page whose own name was pointed at this machine (DNS rebinding) sends
  its own. Asked of peers on loopback, and of every peer where allowed hosts are set.
- ``Origin`` is this server itself, a loopback name, an allowed host or an allowed origin. Where it is absent,
  ``Sec-Fetch-Site`` is ``none`` or ``same-origin``, or the request opens a page in a tab of its own, which no other
  page can read.
- A body says that it is JSON: other pages may send forms, texts and bytes without a type, but JSON, or a body without
  its length, only where a server has allowed it beforehand (a CORS preflight).

Programs send none of these but ``Host`` and the type, and are judged by them alone.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from starlette.types import Scope

from plano_agents.errors import (
    ForeignHostError,
    ForeignPageError,
    PlanoError,
    UnsupportedMediaTypeError,
)

_HEADERS = ("host", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "content-type")
MAX_REMEMBERED = 64
"""How many different requests are judged once; a client's are alike."""

_MAX_SHOWN = 80
_OWN_SITE = frozenset({None, "none", "same-origin"})


class Provenance(NamedTuple):
    """The headers that tell a request's origin; None where they are absent."""

    method: str
    """Its method."""
    peer: str | None
    """The address that it came from; None where that is a Unix socket's."""
    has_body: bool
    """True if it announces a body's length."""
    host: str | None
    """``Host``."""
    origin: str | None
    """``Origin``."""
    site: str | None
    """``Sec-Fetch-Site``."""
    mode: str | None
    """``Sec-Fetch-Mode``."""
    dest: str | None
    """``Sec-Fetch-Dest``."""
    content_type: str | None
    """``Content-Type``."""


Fault = tuple[type[PlanoError], str]
"""An error's kind and its message; the error itself would keep the traceback of where it was first raised."""


def find_peer(scope: Scope) -> str | None:
    """Find the address that an ASGI request came from; None where it came over a Unix socket."""
    client = scope.get("client")
    return client[0] if client else None


class KeylessDoor:
    """Lets in the requests that a server without keys may answer.

    Args:
        allowed_hosts: Names that the server goes by beside loopback's, lower case; ``*.example.com`` is every name
            below.
        allowed_origins: Origins whose pages may ask, as browsers write them; ``*`` is all.
    """

    def __init__(self, allowed_hosts: Iterable[str] = (), allowed_origins: Iterable[str] = ()) -> None:
        judge = partial(find_fault, tuple(allowed_hosts), frozenset(allowed_origins))
        self._judge = lru_cache(MAX_REMEMBERED)(judge)

    def check(self, method: str, headers: Mapping[str, str], peer: str | None) -> None:
        """Let a request in.

        Args:
            method: Its method.
            headers: Its headers, names in lower case.
            peer: The address that it came from; None where that is a Unix socket's.

        Raises:
            ForeignHostError: It was addressed to a name that is not this server's.
            ForeignPageError: A page of another site sent it.
            UnsupportedMediaTypeError: Its body is not declared as JSON.
        """
        fault = self._judge(
            Provenance(method, peer, headers.get("content-length", "0") != "0", *map(headers.get, _HEADERS))
        )
        if fault is not None:
            kind, message = fault
            raise kind(message)


def find_fault(allowed_hosts: Collection[str], allowed_origins: Collection[str], request: Provenance) -> Fault | None:
    """Say why a server without keys does not answer a request; None where it does.

    Args:
        allowed_hosts: See `KeylessDoor`.
        allowed_origins: See `KeylessDoor`.
        request: What the request tells of where it comes from.
    """

    def is_known(host: str) -> bool:
        name = split_host(host)
        return is_loopback_name(name) or is_allowed(name, allowed_hosts)

    host, origin, content_type = request.host or "", request.origin, request.content_type
    is_local = request.peer is not None and is_loopback_address(request.peer)
    if (is_local or allowed_hosts) and not is_known(host):
        return ForeignHostError, (
            f"The request was addressed to the host {host[:_MAX_SHOWN]!r}, which is not known here. Without keys, "
            "address this machine by a loopback name, such as 'localhost', add the host's name to allowed_hosts, or "
            "configure keys."
        )
    opens_tab = request.method in {"GET", "HEAD"} and (request.mode, request.dest) == ("navigate", "document")
    foreign = find_foreign_page(
        host,
        origin,
        None if opens_tab else request.site,
        lambda asks: "*" in allowed_origins or asks in allowed_origins or is_known(_split_origin(asks)),
    )
    if foreign is not None:
        return ForeignPageError, (
            f"The request {foreign}. Without keys, such pages are not answered. Configure keys, or allow the page: "
            "its host in allowed_hosts, or its origin in the agent server's cors_origins."
        )
    if request.has_body and not is_json(content_type):
        return UnsupportedMediaTypeError, (
            f"The request's content type is {content_type and content_type[:_MAX_SHOWN]!r}; without keys it must be "
            "JSON's. Add -H 'content-type: application/json' (curl), or configure keys."
        )
    return None


def find_foreign_page(
    host: str, origin: str | None, site: str | None, is_known: Callable[[str], bool] = lambda _origin: False
) -> str | None:
    """Say what shows that a page of another site asks; None where nothing does.

    Args:
        host: The header ``Host``: the page of this very server has it in its origin.
        origin: The header ``Origin``; browsers that do not send ``Sec-Fetch-Site`` have it on all but plain GETs.
        site: The header ``Sec-Fetch-Site``, which is believed where there is no ``Origin``.
        is_known: Whether pages of an origin may ask, though they are not this server's.
    """
    if origin is not None:
        if is_known(origin):
            return None
        if not host or _split_origin(origin).lower() != host.lower():
            return f"came from a page of another site (origin: {origin[:_MAX_SHOWN]!r})"
    if site not in _OWN_SITE:
        return f"came from a page of another site (sec-fetch-site: {(site or '')[:_MAX_SHOWN]!r})"
    return None


def is_json(content_type: str | None) -> bool:
    """Check whether a media type is JSON's: ``application/json``, or one that ends with ``+json`` (RFC 6839)."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))


def is_allowed(name: str, allowed_hosts: Collection[str]) -> bool:
    """Check whether a name is one of the allowed hosts, or below one that begins with ``*.``."""
    name = name.lower()
    return any(name.endswith(each[1:]) if each.startswith("*.") else name == each for each in allowed_hosts)


def is_loopback_name(name: str) -> bool:
    """Check whether a name of a host can be this machine's alone: ``localhost``, below it (RFC 6761), or an address."""
    name = name.lower()
    return name == "localhost" or name.endswith(".localhost") or is_loopback_address(name)


def is_loopback_address(address: str) -> bool:
    """Check whether an IP address is loopback: ``127.0.0.0/8``, ``::1``, or the former as mapped into IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def split_host(host: str) -> str:
    """Take the port, and an IPv6 address's brackets, off a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _split_origin(origin: str) -> str:
    """Take the scheme off an origin; ``null`` has none, and names nobody."""
    return origin.partition("://")[2]
