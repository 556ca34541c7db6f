"""The trace that a client's requests carry to a router, with OpenTelemetry in use and without."""

import re
from collections.abc import Awaitable, Callable

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from plano_agents import ChatPlano, instrument, uninstrument
from plano_agents.openai import AsyncOpenAI
from plano_agents.testing import FakeUpstream
from plano_agents.trace_context import TraceContext, inbound_trace

CAME = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1, "vendor=1")
MESSAGES = [{"role": "user", "content": "hello"}]

Ask = Callable[[str], Awaitable[object]]


async def ask_chat_plano(url: str) -> None:
    await ChatPlano(base_url=url, model="m").ainvoke("hello")


async def ask_openai(url: str) -> None:
    async with AsyncOpenAI(base_url=url) as client:
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


async def ask_instrumented(url: str) -> None:
    instrument(url)
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{url}/v1/chat/completions", json={"model": "m", "messages": MESSAGES})
    finally:
        uninstrument()


each_client = pytest.mark.parametrize("ask", [ask_chat_plano, ask_openai, ask_instrumented])


def read_headers(provider: FakeUpstream) -> dict[str, str]:
    (exchange,) = provider.exchanges
    return dict(re.findall(r"\n(trace\w+): ([^\r]*)\r", exchange.head))


@each_client
async def test_a_request_goes_on_with_the_trace_that_came_in(ask: Ask) -> None:
    async with FakeUpstream() as router:
        with inbound_trace(CAME):
            await ask(router.url)
        assert read_headers(router) == CAME.headers


@each_client
async def test_the_current_span_is_named_without_any_instrumentation_of_the_http_library(ask: Ask) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("mine")
    async with FakeUpstream() as router:
        with tracer.start_as_current_span("my agent") as span:
            await ask(router.url)
        context = span.get_span_context()
        found = re.fullmatch(r"00-(\w{32})-(\w{16})-0[13]", read_headers(router)["traceparent"])
    assert found is not None
    assert found.groups() == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


@each_client
async def test_without_a_trace_no_header_is_sent(ask: Ask) -> None:
    async with FakeUpstream() as router:
        await ask(router.url)
        assert read_headers(router) == {}


async def test_an_instrumented_http_client_names_its_own_span() -> None:
    kept = InMemorySpanExporter()
    mine = TracerProvider(shutdown_on_exit=False)
    mine.add_span_processor(SimpleSpanProcessor(kept))
    async with FakeUpstream() as router:
        instrument(router.url)
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                HTTPXClientInstrumentor.instrument_client(client, tracer_provider=mine)
                with mine.get_tracer("mine").start_as_current_span("my agent"):
                    await client.post(router.url, json={})
        finally:
            uninstrument()
        told = read_headers(router)["traceparent"]
    sent, _ = kept.get_finished_spans()
    assert sent.context is not None
    assert f"-{sent.context.span_id:016x}-" in told


async def test_a_callers_own_traceparent_is_kept() -> None:
    async with FakeUpstream() as router:
        with inbound_trace(CAME):
            await ChatPlano(base_url=router.url, model="m").ainvoke("hello", extra_headers={"Traceparent": "00-own"})
        assert read_headers(router) == {"traceparent": "00-own"}
