"""What goes back to the client: status, headers and body, whichever way the answer came about.

The wire contract's response headers are written here and nowhere else.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.errors import PlanoError
from plano_agents.router.trail import Trail

PASSED_BACK = frozenset(
    {"content-encoding", "content-type", "request-id", "retry-after", "retry-after-ms", "x-request-id"}
)
"""The provider's headers that the client gets, besides the rate limits'."""

_RATE_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")
_HEADER_SAFE = " !#$&'()*+,/:;<=>?@[]^`{|}~"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to the client."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes | AsyncIterator[bytes] = field(repr=False)
    """Whole, or as it comes; an iterator that raises `StreamBrokenError` was cut."""


class StreamBrokenError(Exception):
    """The answer's stream cannot be ended well: the client has been told, the connection must break."""


def build_headers(trail: Trail) -> dict[str, str]:
    """Write what the wire contract promises on every proxied answer.

    Args:
        trail: What is known of the request.

    Returns:
        The headers, names in lower case; only those whose value is known.
    """
    headers = {"x-plano-trace-id": trail.trace_id}
    if trail.affinity_id is not None:
        headers[AFFINITY_HEADER.lower()] = trail.affinity_id
    if trail.decision is not None:
        headers["x-plano-model"] = quote(trail.decision.model, safe=_HEADER_SAFE)
        headers["x-plano-affinity"] = trail.decision.header
        if trail.decision.route is not None:
            headers["x-plano-route"] = quote(trail.decision.route, safe=_HEADER_SAFE)
    timings = {"routing": trail.routing_ms, "upstream": trail.upstream_ms}
    shown = [f"{name};dur={value:.3f}" for name, value in timings.items() if value is not None]
    if shown:
        headers["server-timing"] = ", ".join(shown)
    return headers


def pass_back(upstream: Mapping[str, str]) -> dict[str, str]:
    """Pick the provider's headers that the client gets, names in lower case.

    A value of anything but printable ASCII is left out: no server would send it on, and none of these needs it.
    """
    lowered = {name.lower(): value for name, value in upstream.items()}
    return {
        name: value
        for name, value in lowered.items()
        if (name in PASSED_BACK or name.startswith(_RATE_LIMITS)) and value.isascii() and value.isprintable()
    }


def answer_error(error: PlanoError, trail: Trail | None, encode: Callable[[PlanoError], bytes]) -> Answer:
    """Answer with an error of ours.

    Args:
        error: What went wrong.
        trail: What is known of the request; None before anything is.
        encode: Writes it in the form of the client's API.
    """
    headers = build_headers(trail) if trail is not None else {}
    headers["content-type"] = "application/json"
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(error.retry_after_seconds)
    return Answer(error.status_code, headers, encode(error))
