"""Failures between the router and a provider, as errors of the tree.

Each function's name says what the provider does, and its first argument how messages call the provider.
"""

from plano_agents.config.model import Timeouts
from plano_agents.errors import (
    ConnectTimeoutError,
    FirstByteTimeoutError,
    SilenceTimeoutError,
    TotalTimeoutError,
    UpstreamProtocolError,
    UpstreamUnreachableError,
)


def is_unreachable(label: str, error: Exception) -> UpstreamUnreachableError:
    """No connection can be made."""
    reason = getattr(error, "strerror", None) or error
    return UpstreamUnreachableError(f"No connection to {label}: {reason}. Is it running, and is base_url right?")


def connects_late(label: str) -> ConnectTimeoutError:
    """The connection takes too long."""
    return ConnectTimeoutError(f"No connection to {label} in time (timeouts.connect_seconds).")


def begins_late(label: str, limits: Timeouts, *, has_head: bool) -> FirstByteTimeoutError:
    """No head comes, or no body after it."""
    seconds = limits.first_byte_seconds if has_head else min(limits.first_byte_seconds, limits.total_seconds)
    return FirstByteTimeoutError(f"{label} sent no answer within {seconds:g} s (timeouts.first_byte_seconds).")


def falls_silent(label: str, limits: Timeouts) -> SilenceTimeoutError:
    """Nothing more comes of the body."""
    return SilenceTimeoutError(
        f"{label} fell silent for {limits.between_bytes_seconds:g} s in the middle of its answer "
        "(timeouts.between_bytes_seconds)."
    )


def takes_too_long(label: str, limits: Timeouts) -> TotalTimeoutError:
    """The body's end does not come."""
    return TotalTimeoutError(
        f"{label} had not ended its answer after {limits.total_seconds:g} s (timeouts.total_seconds)."
    )


def closes_early(label: str) -> UpstreamUnreachableError:
    """The connection ends where the answer does not."""
    return UpstreamUnreachableError(f"{label} closed the connection before its answer was complete.")


def breaks(label: str, reason: str) -> UpstreamUnreachableError:
    """The connection breaks."""
    return UpstreamUnreachableError(f"The connection to {label} broke: {reason}.")


def speaks_no_http(label: str) -> UpstreamProtocolError:
    """Build the error for bytes that are not an answer, or could be read in two ways."""
    return UpstreamProtocolError(f"{label} gave an answer that is not HTTP. Is base_url right?")


def gives_too_much(label: str, limit: int) -> UpstreamProtocolError:
    """The body is too long to be held."""
    return UpstreamProtocolError(f"{label} gave an answer of over {limit} bytes.")


def has_no_end_of_head(label: str, limit: int) -> UpstreamProtocolError:
    """Headers, or trailers, go on and on."""
    return UpstreamProtocolError(f"{label} sent over {limit} bytes of headers or trailers.")
