"""Who may use the operators' endpoints: who has the admin token, or, where there is none, who is on this machine.

A peer on loopback may be a proxy that speaks for somebody else, or a page in the operator's own browser. So without a
token a request must also address this machine by a loopback name, in HTTP/1.1 (nginx before 1.29.7 speaks 1.0 to what
it stands in front of, and adds nothing, unless it is told to), and bring no header that proxies or other sites' pages
add. A proxy that hides all of this, as nginx does since 1.29.7 where nothing is set, is trusted by whoever runs it
without a token.
"""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from plano_agents.errors import AdminOnlyError, AuthenticationError

OPERATORS_PATHS = ("/affinity", "/inspector", "/metrics")
"""What operators ask for, with all that is below; the admin token opens it, and no client key is asked for."""

PROXY_HEADERS = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-real-ip",
    }
)
"""What proxies add to requests."""

_OWN_SITE = frozenset({"none", "same-origin"})


def is_operators(path: str) -> bool:
    """Whether a path is one of the operators'."""
    return any(path == each or path.startswith(f"{each}/") for each in OPERATORS_PATHS)


def check_operator(
    token: SecretStr | None, headers: Iterable[tuple[str, str]], peer: str | None, http_version: str
) -> None:
    """Let an operator in.

    Args:
        token: The configured admin token, or None.
        headers: The request's, names in lower case.
        peer: The address that it came from.
        http_version: In which it was sent.

    Raises:
        AuthenticationError: There is a token, and the request does not bring it.
        AdminOnlyError: There is none, and the request did not come from this machine itself.
    """
    given = dict(headers)
    if token is not None:
        _check_token(token, given.get("authorization", ""))
        return
    foreign = _find_foreign(given, peer, http_version)
    if foreign is not None:
        raise AdminOnlyError(
            f"This endpoint answers operators on this machine only; the request {foreign}. Set admin_token in "
            "plano-agents.yaml and send 'Authorization: Bearer <token>' to use it from elsewhere."
        )


def _check_token(token: SecretStr, authorization: str) -> None:
    scheme, _, value = authorization.partition(" ")
    expected = token.get_secret_value().encode()
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        value.strip().encode("latin-1", "replace"), expected
    ):
        what = "what was given is another one" if authorization else "none was given"
        raise AuthenticationError(
            f"The admin token is needed, and {what}. Send 'Authorization: Bearer <token>' with admin_token."
        )


def _find_foreign(headers: Mapping[str, str], peer: str | None, http_version: str) -> str | None:
    """Say what shows that a request came from elsewhere; None where nothing does."""
    if peer is None or not _is_loopback(peer):
        return f"came from {peer}"
    host = headers.get("host", "")
    if not _is_loopback(_host_name(host)):
        return f"was addressed to {host[:80]!r}"
    if http_version == "1.0":
        return "was sent in HTTP/1.0, as proxies do"
    proxied = next((name for name in headers if name in PROXY_HEADERS), None)
    if proxied is not None:
        return f"came through a proxy ({proxied})"
    return _find_other_site(headers, host)


def _find_other_site(headers: Mapping[str, str], host: str) -> str | None:
    """Say what shows that a page of another site asks; browsers that have no Sec-Fetch-Site have Origin."""
    site = headers.get("sec-fetch-site", "none")
    if site not in _OWN_SITE:
        return f"came from a page of another site (sec-fetch-site: {site[:20]!r})"
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return f"came from a page of another site (origin: {origin[:80]!r})"
    return None


def _host_name(host: str) -> str:
    """Take the port off a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
