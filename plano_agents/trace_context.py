"""W3C Trace Context: which trace a request belongs to, read from its headers and written onto what it causes.

``traceparent`` and ``tracestate`` as Trace Context, level 1, has them (sections 3.2 and 3.3): a ``tracestate`` without
a valid ``traceparent`` counts for nothing. What a request causes carries the span that is current in OpenTelemetry's
own context, if somebody uses that here, and else what came in (`inbound_trace`).

Standard library only: OpenTelemetry is asked only where it is loaded already. Making spans is left to
``router.watch.spans`` and ``agent_server.tracing``.
"""

import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

TRACE_HEADERS = frozenset({TRACEPARENT, TRACESTATE})
"""The headers that carry a trace's context, names in lower case."""

SAMPLED = 0x01
"""The flag that says that the trace is recorded."""

_KNOWN_FLAGS = 0x03  # sampled, and level 2's random trace id; the others are to be zero
_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span's place: its trace, itself, and what goes along with it."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    flags: int
    """The trace flags; `SAMPLED` is one."""
    state: str = ""
    """The ``tracestate``, as it came."""

    @property
    def is_sampled(self) -> bool:
        """True if the trace is recorded."""
        return bool(self.flags & SAMPLED)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that name this span as the parent."""
        headers = {TRACEPARENT: f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"}
        if self.state:
            headers[TRACESTATE] = self.state
        return headers


def parse_trace_context(headers: Mapping[str, str]) -> TraceContext | None:
    """Read which span a request comes from.

    Args:
        headers: Its headers, names in lower case.

    Returns:
        The span; None where there is none, or it is not well-formed.
    """
    given = headers.get(TRACEPARENT)
    found = _FORM.fullmatch(given) if given is not None else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if more is not None and version == "00":
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & _KNOWN_FLAGS, headers.get(TRACESTATE, ""))


_inbound: ContextVar[TraceContext | None] = ContextVar("plano_inbound_trace", default=None)


@contextmanager
def inbound_trace(context: TraceContext | None) -> Iterator[None]:
    """Have what is sent in this context name the span that came in as its parent; None for none."""
    before = _inbound.get()
    _inbound.set(context)
    try:
        yield
    finally:
        _inbound.set(before)


def current_trace_headers() -> dict[str, str]:
    """Write the headers of what is sent now: OpenTelemetry's current span, else what came in; empty without both."""
    current = _find_current_span() or _inbound.get()
    return current.headers if current is not None else {}


def add_trace_headers(headers: MutableMapping[str, str]) -> None:
    """Write the same into a request's headers, unless the caller names a parent there.

    Args:
        headers: An HTTP library's own, which knows names in any case; changed.
    """
    if TRACEPARENT not in headers:
        headers.update(current_trace_headers())


def _find_current_span() -> TraceContext | None:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return TraceContext(
        f"{span.trace_id:032x}", f"{span.span_id:016x}", int(span.trace_flags), span.trace_state.to_header()
    )
