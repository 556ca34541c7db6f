"""The router's headers: read from answers, kept in transcripts, written into requests.

`parse_plano_headers` turns the answer's headers into the ``plano`` entry that a message carries;
`build_affinity_headers` writes the request's. Pure; which id a request has is left to `plano_agents.affinity`.
"""

import math
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TypedDict
from urllib.parse import unquote

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER

_REQUEST_HEADERS = frozenset({AFFINITY_HEADER.lower(), HINT_HEADER.lower()})


class PlanoMetadata(TypedDict, total=False):
    """``response_metadata["plano"]``: what the router said; an entry is there only if its header came."""

    model: str
    """The provider-qualified model that answered: ``openai/gpt-4o``."""
    deployment: str
    """Which of the model's deployments answered, where it has several."""
    route: str
    """The preference that matched."""
    decision: str
    """``none``, ``initialize``, ``retain``, ``detour`` or ``switch``."""
    reason: str
    """Why: ``first_turn``, ``pinned``, …"""
    pinned: str
    """The model that the session keeps, where another answered this request alone (``detour``)."""
    because: str
    """What exactly made the model another: the field, the status, the limit."""
    session: str
    """Where the session's id comes from, where it is not the affinity id: ``harness=claude-code; lane=…``."""
    degraded: str
    """What the router had to do without, e.g. ``store``."""
    affinity_id: str
    """The id that the router served the request under."""
    routing_ms: float
    """Time spent on choosing the model, in milliseconds."""
    upstream_ms: float
    """Time that the provider took, in milliseconds; of a stream, until its headers."""
    trace_id: str
    """The router's trace of this request."""


def parse_plano_headers(headers: Mapping[str, str]) -> PlanoMetadata:
    """Read the router's headers.

    Args:
        headers: An answer's headers, names in any case.

    Returns:
        What they say; empty when none of them came. What cannot be read is left out: an answer is not worth
        less for a broken timing.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    metadata = PlanoMetadata()
    if model := lower.get("x-plano-model"):
        metadata["model"] = model
    if deployment := lower.get("x-plano-deployment"):
        metadata["deployment"] = deployment
    if route := lower.get("x-plano-route"):
        metadata["route"] = route
    decision, *pairs = (part.strip() for part in lower.get("x-plano-affinity", "").split(";"))
    details = dict(pair.partition("=")[::2] for pair in pairs)
    if decision:
        metadata["decision"] = decision
    metadata.update(_read_details(details))
    if session := lower.get("x-plano-session"):
        metadata["session"] = session
    if affinity_id := lower.get(AFFINITY_HEADER.lower()):
        metadata["affinity_id"] = affinity_id
    timings = parse_server_timing(lower.get("server-timing", ""))
    if (routing_ms := timings.get("routing")) is not None:
        metadata["routing_ms"] = routing_ms
    if (upstream_ms := timings.get("upstream")) is not None:
        metadata["upstream_ms"] = upstream_ms
    if trace_id := lower.get("x-plano-trace-id"):
        metadata["trace_id"] = trace_id
    return metadata


def _read_details(details: Mapping[str, str]) -> PlanoMetadata:
    """Read what ``X-Plano-Affinity`` says beyond the decision."""
    metadata = PlanoMetadata()
    if reason := details.get("reason"):
        metadata["reason"] = reason
    if pinned := details.get("pinned"):
        metadata["pinned"] = unquote(pinned)
    if because := details.get("because"):
        metadata["because"] = unquote(because)
    if degraded := details.get("degraded"):
        metadata["degraded"] = degraded
    return metadata


def parse_server_timing(value: str) -> dict[str, float]:
    """Read a ``Server-Timing`` header (W3C Server Timing): ``routing;dur=1.2, upstream;dur=300``.

    Args:
        value: The header, empty when there was none.

    Returns:
        Milliseconds by metric name; metrics without a readable duration are left out.
    """
    timings: dict[str, float] = {}
    for metric in value.split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, text = parameter.partition("=")
            try:
                milliseconds = float(text.strip().strip('"'))
            except ValueError:
                continue
            if name and key.strip().lower() == "dur" and math.isfinite(milliseconds):
                timings[name] = milliseconds
    return timings


def build_affinity_headers(headers: Mapping[str, object], affinity_id: str, hint: str | None) -> dict[str, object]:
    """Write the affinity id, and the hint, over a caller's own headers.

    Args:
        headers: The caller's own, by name; an affinity header among them, in any case, is replaced, so that it is
            never sent twice. A hint among them is kept as it is.
        affinity_id: The request's id.
        hint: The model that the transcript was made by, or None.

    Returns:
        The headers to send.
    """
    kept = {name: value for name, value in headers.items() if name.lower() != AFFINITY_HEADER.lower()}
    if hint is not None and not any(name.lower() == HINT_HEADER.lower() for name in kept):
        kept[HINT_HEADER] = hint
    return {**kept, AFFINITY_HEADER: affinity_id}


def add_affinity_header(headers: MutableMapping[str, str], affinity_id: str | None) -> bool:
    """Write the affinity id into a request's headers, unless one stands there.

    Args:
        headers: An HTTP library's own, which knows names in any case; changed.
        affinity_id: The request's id; None for none.

    Returns:
        Whether it was written.
    """
    if affinity_id is None or AFFINITY_HEADER in headers:
        return False
    headers[AFFINITY_HEADER] = affinity_id
    return True


def drop_affinity_headers(headers: Mapping[str, object]) -> dict[str, object]:
    """Leave out what names a run rather than a request's content."""
    return {name: value for name, value in headers.items() if name.lower() not in _REQUEST_HEADERS}


def find_hint(metadata: Iterable[Mapping[str, object]]) -> str | None:
    """Find the model that a transcript was made by.

    Args:
        metadata: The ``response_metadata`` of the model's messages, newest first. A transcript may come from
            anywhere, so nothing about it is taken for granted.

    Returns:
        The newest message's model, provider-qualified, or, where another model answered that message alone, the one
        that was kept; None unless a router named it, in ``plano`` or in the raw ``headers`` that a stock model keeps
        on request.
    """
    newest = next(iter(metadata), {})
    plano, headers = newest.get("plano"), newest.get("headers")
    if newest.get("model_provider") != "plano":
        plano = parse_plano_headers(headers) if isinstance(headers, Mapping) else None
    model = plano.get("pinned", plano.get("model")) if isinstance(plano, Mapping) else None
    return model if isinstance(model, str) and model.isascii() and model.isprintable() and model else None
