"""Operations on a span, by OpenTelemetry's own interface."""

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from plano_agents.observe.spans.attributes import ERROR
from plano_agents.trace_context import TraceContext


def build_parent(context: TraceContext, *, is_remote: bool) -> Context:
    """Name a span by its place, as the parent of others.

    Args:
        context: Its place.
        is_remote: Whether it is another process'.
    """
    state = TraceState.from_header([context.state] if context.state else [])
    span = SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(context.flags),
        trace_state=state,
    )
    return set_span_in_context(NonRecordingSpan(span), Context())


def fail(span: Span, kind: str) -> None:
    """Say that what a span tells of failed; never how an exception words it, for that may be a prompt.

    Args:
        span: The span.
        kind: An error's code, or another word from a small set.
    """
    span.set_attribute(ERROR, kind)
    span.set_status(Status(StatusCode.ERROR))
