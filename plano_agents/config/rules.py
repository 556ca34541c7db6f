"""How patient the router is, and how much it takes: the numbers of the settings file, with their defaults.

Values only. What they are read from is left to ``settings`` and ``plano``; acting on them is the router's business.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``timeouts``: how long a provider may take."""

    connect_seconds: float = 5.0
    """Until the connection stands, TLS included; Plano's ``overrides.upstream_connect_timeout``."""
    first_byte_seconds: float = 120.0
    """From the request's last byte to the answer's first."""
    between_bytes_seconds: float = 60.0
    """Of silence within an answer."""
    total_seconds: float = 900.0
    """From sending a request to its answer's end; Plano's ``timeout`` of the listener."""


@dataclass(frozen=True, slots=True)
class Retries:
    """``retries``: how often a failed request is sent again, before its first byte went out."""

    max_per_candidate: int = 2
    """Retries of one model, the first attempt not counted; Plano's ``max_retries`` of the listener."""
    base_seconds: float = 0.5
    """The first backoff's upper bound; it doubles, and each wait is a random part of it."""
    max_delay_seconds: float = 60.0
    """The longest ``Retry-After`` that is waited for; the next candidate is taken instead of waiting longer."""
    budget_ratio: float = 0.2
    """Retries allowed per request, over all requests of late."""
    budget_min: int = 3
    """Retries allowed however few requests there were."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """``breaker``: when an upstream is left alone."""

    failures: int = 5
    """Failures in a row that open it."""
    open_seconds: float = 30.0
    """How long it stays open, before one request may probe."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``limits``: what is refused for its size, its slowness or its number."""

    max_body_bytes: int = 32 * 1024 * 1024
    """The largest request body accepted, in bytes."""
    max_concurrent_requests: int = 1_000
    """Requests in flight; one more is answered 503."""
    header_seconds: float = 15.0
    """How long a client may take over a request's headers."""
    body_seconds: float = 15.0
    """How long a client may take over a request's body."""
    keepalive_comment_seconds: float = 15.0
    """How long a stream may be silent before a comment line keeps intermediaries awake."""
    shutdown_grace_seconds: float = 10.0
    """How long running requests may go on once the router was told to stop."""
    max_header_bytes: int = 64 * 1024
    """The largest request head accepted, in bytes."""
