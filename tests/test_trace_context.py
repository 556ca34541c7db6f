"""The trace that a request belongs to, and the headers sent because of it."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from plano_agents.trace_context import (
    TraceContext,
    add_trace_headers,
    current_trace_headers,
    inbound_trace,
    parse_trace_context,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CAME = TraceContext(TRACE, SPAN, 1, "vendor=1")


def test_a_traceparent_is_read_with_its_tracestate() -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    assert parse_trace_context(headers) == CAME
    assert CAME.headers == headers


@pytest.mark.parametrize(("given", "flags"), [("00", 0), ("01", 1), ("03", 3), ("ff", 3), ("02", 2)])
def test_flags_that_nobody_knows_are_dropped(given: str, flags: int) -> None:
    found = parse_trace_context({"traceparent": f"00-{TRACE}-{SPAN}-{given}"})
    assert found is not None
    assert (found.flags, found.is_sampled) == (flags, bool(flags & 1))


@pytest.mark.parametrize("given", [f"01-{TRACE}-{SPAN}-01", f"fe-{TRACE}-{SPAN}-01-more-to-come"])
def test_a_later_version_is_read_as_far_as_it_is_known(given: str) -> None:
    found = parse_trace_context({"traceparent": given})
    assert found is not None
    assert found.headers == {"traceparent": f"00-{TRACE}-{SPAN}-01"}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_no_traceparent_counts_for_nothing_and_its_tracestate_neither(given: str) -> None:
    assert parse_trace_context({"traceparent": given, "tracestate": "vendor=1"}) is None


def test_what_came_in_is_sent_on_and_only_inside() -> None:
    assert current_trace_headers() == {}
    with inbound_trace(CAME):
        assert current_trace_headers() == CAME.headers
    assert current_trace_headers() == {}


async def test_what_came_in_follows_tasks_and_threads_of_asyncio() -> None:
    with inbound_trace(CAME):
        task = asyncio.create_task(asyncio.to_thread(current_trace_headers))
    assert await task == CAME.headers


def test_the_current_span_outranks_what_came_in() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    expected: dict[str, str] = {}
    with inbound_trace(CAME), tracer.start_as_current_span("mine"):
        TraceContextTextMapPropagator().inject(expected)
        assert current_trace_headers() == expected
        assert TRACE not in expected["traceparent"]


def test_a_callers_own_traceparent_is_kept_alone() -> None:
    headers = {"traceparent": "own"}
    with inbound_trace(CAME):
        add_trace_headers(headers)
    assert headers == {"traceparent": "own"}
