"""Access to the operators' endpoints: by the admin token, or, where there is none, from this machine.

A peer on loopback may be a proxy that speaks for somebody else, or a page in the operator's own browser. So without a
token a request must also address this machine by a loopback name, in HTTP/1.1 (nginx before 1.29.7 speaks 1.0 to what
it stands in front of, and adds nothing, unless it is told to), and bring no header that proxies or other sites' pages
add. A proxy that hides all of this, as nginx does since 1.29.7 where nothing is set, is trusted by its operator
without a token.
"""

import hmac
from collections.abc import Iterable, Mapping

from plano_agents.errors import AdminOnlyError, AuthenticationError
from plano_agents.http.origin import find_foreign_page, is_loopback_address, is_loopback_name, split_host
from plano_agents.secret_str import SecretStr

OPERATORS_PATHS = ("/affinity", "/inspector", "/metrics", "/report")
"""What operators ask for, with all that is below; the admin token opens it, and no client key is asked for."""

PROXY_HEADERS = frozenset(
    {
        # RFC 7239, RFC 9110 (7.6.3), RFC 8586: what any proxy may add.
        "cdn-loop",
        "forwarded",
        "via",
        # Apache httpd, HAProxy, nginx, Squid, Traefik; Rancher and Zeus load balancers.
        "client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-remote-addr",
        "x-remote-ip",
        "x-scheme",
        "x-url-scheme",
        "wl-proxy-client-ip",
        # CDNs and clouds: Akamai, Cloudflare, CloudFront, DigitalOcean, Fastly, Fly.io, Heroku, Vercel.
        "akamai-origin-hop",
        "cloudfront-viewer-address",
        "do-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "front-end-https",
        "true-client-ip",
        "x-amzn-trace-id",
        "x-request-start",
        "x-varnish",
    }
)
"""Headers that proxies add to requests: of standards, and of what each vendor documents of its own."""

PROXY_PREFIXES = (
    "cf-",  # Cloudflare: cf-connecting-ip, cf-ray
    "fly-forwarded-",  # Fly.io
    "tailscale-",  # Tailscale Serve and Funnel
    "x-akamai-",
    "x-amz-cf-",  # CloudFront
    "x-appengine-",  # Google App Engine
    "x-arr-",  # IIS' Application Request Routing, Azure App Service
    "x-azure-",  # Azure Front Door
    "x-envoy-",  # Envoy, Istio, Contour
    "x-forwarded-",  # all of them: -for, -host, -port, -proto, -prefix, -server, -client-cert
    "x-ngrok-",
    "x-original-",  # ingress-nginx, IIS, Envoy: -for, -forwarded-for, -host, -uri, -url
    "x-vercel-",
)
"""What the names of headers begin with that proxies add in several forms."""


def is_operators(path: str) -> bool:
    """Check whether a path is one of the operators'."""
    return any(path == each or path.startswith(f"{each}/") for each in OPERATORS_PATHS)


def is_proxys(header: str) -> bool:
    """Check whether a header, its name in lower case, is one that proxies add."""
    return header in PROXY_HEADERS or header.startswith(PROXY_PREFIXES)


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
    if scheme.lower() != "bearer" or not hmac.compare_digest(value.strip().encode("latin-1", "replace"), expected):
        what = "what was given is another one" if authorization else "none was given"
        raise AuthenticationError(
            f"The admin token is required, and {what}. Send 'Authorization: Bearer <token>' with admin_token."
        )


def _find_foreign(headers: Mapping[str, str], peer: str | None, http_version: str) -> str | None:
    """Say what shows that a request came from elsewhere; None where nothing does."""
    if peer is None or not is_loopback_address(peer):
        return f"came from {peer}"
    host = headers.get("host", "")
    if not is_loopback_name(split_host(host)):
        return f"was addressed to {host[:80]!r}"
    if http_version == "1.0":
        return "was sent in HTTP/1.0, as proxies do"
    proxied = next((name for name in headers if is_proxys(name)), None)
    if proxied is not None:
        return f"came through a proxy ({proxied})"
    return find_foreign_page(host, headers.get("origin"), headers.get("sec-fetch-site"))
