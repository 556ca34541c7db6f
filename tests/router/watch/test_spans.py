"""The router's spans, as a collector gets them, and the context that its providers get."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from plano_agents import processes
from plano_agents.config.model import Breaker, Config, Preference, Retries, Timeouts
from plano_agents.config.options import Routing, SpanAttributes, Tracing
from plano_agents.http.client.client import HttpUpstream
from plano_agents.observe.spans.attributes import ATTRIBUTES, hash_affinity_id
from plano_agents.router.app import Router
from plano_agents.routing.strategy import Ranking, Scored
from plano_agents.routing.text import Utterance
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.observe.spans.collector import Collector, Seen, grpc_collector, http_collector
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import CLAUDE, COMPLETE, GPT, KEY, MESSAGE, PROMPT, Choose, build_config, chat

CHAT = "/v1/chat/completions"
MESSAGE_OF_USER = {"role": "user", "content": PROMPT}
TRACED = Tracing(random_sampling=100)
PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INBOUND = f"00-{PARENT[0]}-{PARENT[1]}-01"
SENT = re.compile(r"\ntraceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\r\n")
COUNTED = json.dumps(
    {
        "id": "chatcmpl-7",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"message": {"role": "assistant", "content": "answer-canary"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 1},
        },
    }
).encode()
PIECES = (
    b'data: {"id":"c9","model":"gpt-4o-x","choices":[{"index":0,"delta":{"content":"answer-"}}]}\n\n',
    (
        b'data: {"id":"c9","model":"gpt-4o-x","choices":[{"index":0,"delta":{"content":"canary"},'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
    ),
    b"data: [DONE]\n\n",
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with grpc_collector() as running:
        yield running


class Scores(Choose):
    """A strategy that matches the preference it is told, with scores."""

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        told = await super().rank(conversation, preferences)
        scored = tuple(Scored(each, 0.9 if each is told.match else 0.1) for each in preferences)
        return replace(told, scored=scored, threshold=0.5)


def trace_to(collector: Collector, provider: FakeUpstream, *names: str, **fields: object) -> Config:
    """A configuration that traces every request, unless told otherwise."""
    tracing = replace(TRACED, opentracing_grpc_endpoint=collector.url, **fields)  # type: ignore[arg-type] # the test names fields
    config = build_config(*(names or (GPT, CLAUDE)), base_url=provider.url)
    return replace(config, tracing=tracing, retries=Retries(base_seconds=0.0))


@asynccontextmanager
async def traced(config: Config, route: str | None = None) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of the router on a real socket; at the end all spans have been sent."""
    upstream = HttpUpstream()
    router = Router(config, upstream, strategy=Scores(route))
    listener = processes.bind("127.0.0.1", 0)
    try:
        async with (
            processes.running([processes.Site(router, listener)]),
            httpx.AsyncClient(base_url=processes.url_of(listener), trust_env=False, timeout=PATIENCE_SECONDS) as client,
        ):
            yield client
    finally:
        await router.aclose()
        await upstream.close()


async def ask(
    client: httpx.AsyncClient, *, path: str = CHAT, body: bytes | None = None, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["content-type"] = "application/json"
    return await client.post(path, content=chat() if body is None else body, headers=named)


def find_sent(exchange: UpstreamExchange) -> tuple[str, str, str]:
    """The trace, parent and flags that a provider was told."""
    found = SENT.findall(exchange.head)
    assert len(found) == 1, exchange.head
    first: tuple[str, str, str] = found[0]
    return first


async def counted(exchange: UpstreamExchange) -> None:
    await exchange.answer(COUNTED)


async def stream(exchange: UpstreamExchange) -> None:
    await exchange.start_stream()
    for piece in (*PIECES, b""):
        await exchange.chunk(piece)


@pytest.mark.parametrize("start", [grpc_collector, http_collector])
async def test_a_request_is_a_tree_of_spans_under_the_clients_and_over_the_providers(
    start: Callable[[], AbstractContextManager[Collector]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with start() as collector:
        async with FakeUpstream(counted) as provider:
            config = trace_to(collector, provider)
            if start is http_collector:
                monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
                monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
                config = replace(config, tracing=TRACED)
            async with traced(config, "talk") as client:
                answer = await ask(client, traceparent=INBOUND, x_model_affinity="run-1")
        assert collector.draw() == f"POST {CHAT}\n  route\n  chat gpt-4o"
        request, sent = collector.find(f"POST {CHAT}"), collector.find("chat gpt-4o")
        assert (request.trace_id, request.parent_id) == PARENT
        assert answer.headers["x-plano-trace-id"] == PARENT[0]
        assert find_sent(provider.exchanges[0]) == (PARENT[0], sent.span_id, "01")


async def test_spans_say_who_decided_what_and_who_answered_with_what_cost(collector: Collector) -> None:
    async with FakeUpstream(counted) as provider, traced(trace_to(collector, provider), "talk") as client:
        await ask(client, x_model_affinity="run-1", user_agent="probe/1")
    request, decided, sent = (collector.find(name).attributes for name in (f"POST {CHAT}", "route", "chat gpt-4o"))
    decision = {
        "plano.affinity.decision": "initialize",
        "plano.affinity.reason": "first_turn",
        "plano.model": GPT,
        "plano.route": "talk",
    }
    assert request == {
        **decision,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": CHAT,
        "url.path": CHAT,
        "url.scheme": "http",
        "user_agent.original": "probe/1",
        "gen_ai.conversation.id": hash_affinity_id("run-1"),
    }
    assert decided == {
        **decision,
        "plano.routing.strategy": "told",
        "plano.routing.threshold": 0.5,
        "plano.routing.score": 0.9,
        "plano.routing.preferences": ["code", "talk"],
        "plano.routing.scores": [0.1, 0.9],
    }
    assert sent == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.stream": False,
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.cache_write.input_tokens": 1,
        "gen_ai.conversation.id": hash_affinity_id("run-1"),
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }


async def test_spans_lie_within_their_parents(collector: Collector) -> None:
    async with FakeUpstream(counted) as provider, traced(trace_to(collector, provider)) as client:
        await ask(client)
    by_id = {span.span_id: span for span in collector.spans}
    for span in collector.spans:
        parent = by_id.get(span.parent_id, span)
        assert parent.began <= span.began <= span.ended <= parent.ended
    assert {span.kind for span in collector.spans} == {"SERVER", "INTERNAL", "CLIENT"}


async def test_a_client_without_a_trace_gets_a_new_one_and_is_told_its_id(collector: Collector) -> None:
    async with FakeUpstream(COMPLETE) as provider, traced(trace_to(collector, provider)) as client:
        answer = await ask(client, tracestate="vendor=1")
    request = collector.find(f"POST {CHAT}")
    assert (request.trace_id, request.parent_id) == (answer.headers["x-plano-trace-id"], "")
    assert find_sent(provider.exchanges[0])[0] == request.trace_id
    assert "tracestate" not in provider.exchanges[0].headers


async def test_the_clients_tracestate_goes_along(collector: Collector) -> None:
    async with FakeUpstream(COMPLETE) as provider, traced(trace_to(collector, provider)) as client:
        await ask(client, traceparent=INBOUND, tracestate="vendor=1,other=2")
    assert provider.exchanges[0].headers["tracestate"] == "vendor=1,other=2"
    assert {span.state for span in collector.spans} == {"vendor=1,other=2"}


@pytest.mark.parametrize("percent", [1, 100])
@pytest.mark.parametrize("flag", ["00", "01"])
async def test_a_client_that_has_decided_about_sampling_is_followed(
    collector: Collector, percent: int, flag: str
) -> None:
    async with (
        FakeUpstream(COMPLETE) as provider,
        traced(trace_to(collector, provider, random_sampling=percent)) as client,
    ):
        answer = await ask(client, traceparent=f"{INBOUND[:-2]}{flag}")
    assert len(collector.spans) == (3 if flag == "01" else 0)
    trace_id, span_id, told = find_sent(provider.exchanges[0])
    assert (trace_id, told) == (answer.headers["x-plano-trace-id"], flag)
    assert span_id != PARENT[1]


async def test_about_as_many_traces_are_sampled_as_configured_and_the_provider_is_told_which(
    collector: Collector,
) -> None:
    async with (
        FakeUpstream(COMPLETE) as provider,
        traced(trace_to(collector, provider, GPT, random_sampling=50)) as client,
    ):
        for _ in range(200):
            await ask(client)
    sampled = {span.trace_id for span in collector.spans}
    told = [find_sent(exchange) for exchange in provider.exchanges]
    assert {trace_id for trace_id, _, flags in told if flags == "01"} == sampled
    assert 60 < len(sampled) < 140  # of a binomial distribution, six standard deviations and less


async def test_every_sending_is_a_span_of_its_own_and_the_provider_is_told_which(
    collector: Collector,
) -> None:
    async def refuse(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"{}", status=503)

    async def break_off(exchange: UpstreamExchange) -> None:
        exchange.close()

    async with (
        FakeUpstream(break_off, refuse, counted) as provider,
        traced(trace_to(collector, provider, GPT)) as client,
    ):
        await ask(client)
    sent = [span for span in collector.spans if span.name == "chat gpt-4o"]
    assert [span.span_id for span in sent] == [find_sent(each)[1] for each in provider.exchanges]
    assert [span.attributes.get("error.type") for span in sent] == ["upstream_unreachable", "503", None]
    assert [span.is_failure for span in sent] == [True, True, False]
    assert [span.attributes.get("http.request.resend_count") for span in sent] == [None, 1, 2]
    assert [span.attributes.get("gen_ai.usage.input_tokens") for span in sent] == [None, None, 7]
    assert not collector.find(f"POST {CHAT}").is_failure


async def test_a_failover_is_a_switch_with_a_span_for_each_model(collector: Collector) -> None:
    async def by_model(exchange: UpstreamExchange) -> None:
        if b'"gpt-4o"' in exchange.body:
            await exchange.answer(b"{}", status=500)
        else:
            await exchange.answer(MESSAGE)

    async with FakeUpstream(by_model) as provider:
        config = trace_to(collector, provider)
        both = replace(config.preferences[0], name="both", models=(GPT, CLAUDE))
        config = replace(config, preferences=(both,), retries=Retries(max_per_candidate=0))
        async with traced(config, "both") as client:
            await ask(client, x_model_affinity="run-1")
    failed, served = collector.find("chat gpt-4o"), collector.find("chat claude-sonnet-4-6")
    assert failed.attributes["error.type"] == "500"
    assert served.attributes["gen_ai.provider.name"] == "anthropic"
    assert served.attributes["gen_ai.usage.output_tokens"] == 5
    request = collector.find(f"POST {CHAT}").attributes
    assert (request["plano.affinity.decision"], request["plano.model"]) == ("switch", CLAUDE)
    assert request["plano.affinity.reason"] == "upstream_failed"


async def test_a_failed_request_is_a_failed_span_with_the_code_that_the_client_was_told(
    collector: Collector,
) -> None:
    async with FakeUpstream(UpstreamExchange.gone) as provider:
        config = replace(
            trace_to(collector, provider, GPT),
            timeouts=Timeouts(first_byte_seconds=0.05),
            retries=Retries(max_per_candidate=0),
            breaker=Breaker(),
        )
        async with traced(config) as client:
            answer = await ask(client)
    code = answer.json()["error"]["code"]
    for name in (f"POST {CHAT}", "chat gpt-4o"):
        span = collector.find(name)
        assert (span.is_failure, span.attributes["error.type"]) == (True, code)
    assert collector.find(f"POST {CHAT}").attributes["http.response.status_code"] == 504


async def test_a_clients_mistake_is_no_failure_of_the_routers(collector: Collector) -> None:
    async with FakeUpstream(COMPLETE) as provider, traced(trace_to(collector, provider)) as client:
        answer = await ask(client, body=chat(model="unheard-of"))
    span = collector.find(f"POST {CHAT}")
    assert answer.status_code == span.attributes["http.response.status_code"] == 404
    assert not span.is_failure
    assert collector.draw() == f"POST {CHAT}"


async def test_a_streams_spans_last_to_its_end_and_tell_what_it_cost(collector: Collector) -> None:
    async with FakeUpstream(stream) as provider, traced(trace_to(collector, provider, GPT)) as client:
        answer = await ask(client, body=chat(stream=True))
    assert answer.content == b"".join(PIECES)
    request, sent = collector.find(f"POST {CHAT}"), collector.find("chat gpt-4o")
    assert sent.ended == request.ended
    assert sent.attributes["gen_ai.request.stream"] is True
    assert sent.attributes["gen_ai.response.model"] == "gpt-4o-x"
    assert sent.attributes["gen_ai.usage.output_tokens"] == 3
    assert 0 < sent.attributes["gen_ai.response.time_to_first_chunk"] <= sent.ended - sent.began


async def test_a_stream_that_was_cut_is_a_failure(collector: Collector) -> None:
    async def cut(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(PIECES[0])
        exchange.close()

    async with FakeUpstream(cut) as provider, traced(trace_to(collector, provider, GPT)) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(client, body=chat(stream=True))
    for name in (f"POST {CHAT}", "chat gpt-4o"):
        assert collector.find(name).attributes["error.type"] == "upstream_unreachable"


async def test_a_client_that_leaves_is_told_of_and_what_was_under_way_too(collector: Collector) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        came.set()
        await exchange.gone()
        gone.set()

    async with FakeUpstream(wait) as provider, traced(trace_to(collector, provider, GPT)) as client:
        asking = asyncio.create_task(ask(client))
        await came.wait()
        asking.cancel()
        await asyncio.wait({asking})
        await gone.wait()
    request, sent = collector.find(f"POST {CHAT}"), collector.find("chat gpt-4o")
    assert request.attributes["plano.client_left"] is True
    assert not request.is_failure
    assert sent.attributes["error.type"] == "client_left"


async def test_the_decision_alone_is_traced_without_a_sending(collector: Collector) -> None:
    async with FakeUpstream(COMPLETE) as provider, traced(trace_to(collector, provider), "talk") as client:
        answer = await ask(client, path=f"/routing{CHAT}")
    assert collector.draw() == f"POST /routing{CHAT}\n  route"
    assert answer.json()["trace_id"] == collector.find("route").trace_id


async def test_neither_content_nor_keys_nor_the_id_itself_reach_the_collector(collector: Collector) -> None:
    async with FakeUpstream(counted, stream) as provider:
        config = trace_to(collector, provider, GPT, span_attributes=SpanAttributes(("x-", "auth")))
        config = replace(config, routing=Routing(affinity_headers=("x-thread",)))
        async with traced(config) as client:
            for body in (chat(), chat(stream=True)):
                await ask(
                    client,
                    body=body,
                    x_model_affinity="id-canary",
                    x_thread="id-canary",
                    authorization="Bearer client-canary",
                    x_api_key="client-canary",
                )
    sent = b"".join(collector.raw)
    assert len(collector.spans) == 6
    for canary in (PROMPT, "answer-canary", KEY, "id-canary", "client-canary"):
        assert canary.encode() not in sent


@pytest.mark.parametrize("answer", [counted, stream])
async def test_content_is_told_where_the_settings_want_it(
    collector: Collector, answer: Callable[[UpstreamExchange], Awaitable[None]]
) -> None:
    async with (
        FakeUpstream(answer) as provider,
        traced(trace_to(collector, provider, GPT, content=True)) as client,
    ):
        await ask(client, body=chat(stream=answer is stream))
    told = collector.find("chat gpt-4o").attributes
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": PROMPT}]}
    ]
    assert json.loads(told["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "answer-canary"}],
            "finish_reason": "stop",
        }
    ]
    assert KEY.encode() not in b"".join(collector.raw)


async def test_content_is_told_as_the_client_had_it_whatever_the_provider_speaks(
    collector: Collector,
) -> None:
    asked = {
        "model": GPT,
        "max_tokens": 9,
        "stream": True,
        "system": "be brief",
        "messages": [MESSAGE_OF_USER],
    }
    async with (
        FakeUpstream(stream) as provider,
        traced(trace_to(collector, provider, GPT, content=True)) as client,
    ):
        await ask(client, path="/v1/messages", body=json.dumps(asked).encode())
    told = collector.find("chat gpt-4o").attributes
    assert json.loads(told["gen_ai.system_instructions"]) == [{"type": "text", "content": "be brief"}]
    (answered,) = json.loads(told["gen_ai.output.messages"])
    assert answered["parts"] == [{"type": "text", "content": "answer-canary"}]


async def test_a_bug_in_tracing_is_a_line_for_the_operator_and_nothing_for_the_client(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError(PROMPT)

    monkeypatch.setattr("plano_agents.router.watch.spans._describe_session", break_down)
    async with FakeUpstream(counted) as provider, traced(trace_to(collector, provider)) as client:
        answer = await ask(client)
    assert answer.content == COUNTED
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith(f"trace {answer.headers['x-plano-trace-id']}: unexpected error (RuntimeError at ")
    assert PROMPT not in told


async def test_configured_headers_and_values_become_attributes_as_in_plano(collector: Collector) -> None:
    async with FakeUpstream(COMPLETE) as provider:
        config = trace_to(
            collector,
            provider,
            span_attributes=SpanAttributes(("x-acme-",), {"team": "search"}),
        )
        async with traced(config) as client:
            await ask(client, x_acme_tenant_id="t-4", x_other="no")
    request = collector.find(f"POST {CHAT}").attributes
    assert (request["tenant.id"], request["team"]) == ("t-4", "search")
    assert "other" not in request
    assert {span.attributes["team"] for span in collector.spans} == {"search"}


async def test_every_attribute_stands_in_the_table(collector: Collector) -> None:
    async with (
        FakeUpstream(counted, stream) as provider,
        traced(trace_to(collector, provider, content=True), "talk") as client,
    ):
        await ask(client, x_model_affinity="run-1")
        await ask(client, body=chat(stream=True), x_model_affinity="run-1")
    assert {name for span in collector.spans for name in span.attributes} <= set(ATTRIBUTES)


async def test_a_reloaded_configuration_traces_by_its_own_rules_at_once(collector: Collector) -> None:
    async with FakeUpstream(COMPLETE) as provider:
        config = trace_to(collector, provider)
        upstream = HttpUpstream()
        router = Router(replace(config, tracing=Tracing()), upstream)
        listener = processes.bind("127.0.0.1", 0)
        async with (
            processes.running([processes.Site(router, listener)]),
            httpx.AsyncClient(base_url=processes.url_of(listener), trust_env=False) as client,
        ):
            await ask(client)
            router.configure(config)
            await ask(client)
            router.configure(replace(config, tracing=replace(config.tracing, random_sampling=0)))
            await ask(client)
        await router.aclose()
        await upstream.close()
    assert len([span for span in collector.spans if span.kind == "SERVER"]) == 1


async def test_without_tracing_the_clients_context_goes_on_as_it_came() -> None:
    async with FakeUpstream(COMPLETE) as provider, traced(build_config(GPT, base_url=provider.url)) as client:
        await ask(client, traceparent=INBOUND, tracestate="vendor=1")
        await ask(client)
    traced_one, plain = provider.exchanges
    assert find_sent(traced_one) == (*PARENT, "01")
    assert traced_one.headers["tracestate"] == "vendor=1"
    assert "traceparent" not in plain.headers


@pytest.mark.parametrize("names", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
async def test_the_environment_can_switch_traces_off(
    collector: Collector, names: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    async with FakeUpstream(COMPLETE) as provider, traced(trace_to(collector, provider)) as client:
        await ask(client)
    assert "traceparent" not in provider.exchanges[0].headers
    assert collector.spans == []


async def test_the_environments_service_name_and_collectors_key_are_taken(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=secret")
    async with FakeUpstream(COMPLETE) as provider:
        async with traced(trace_to(collector, provider)) as client:
            await ask(client)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "edge")
        async with traced(trace_to(collector, provider)) as client:
            await ask(client)
    assert [_service(span) for span in collector.spans if span.kind == "SERVER"] == [
        "plano-agents-router",
        "edge",
    ]
    assert {span.resource["deployment.environment.name"] for span in collector.spans} == {"test"}
    assert {headers["x-collector-key"] for headers in collector.headers} == {"secret"}


def _service(span: Seen) -> object:
    return span.resource["service.name"]
