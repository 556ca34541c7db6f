"""The router's metrics: of requests as the service shows them, and on real routers' pages."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Config, Deployment, Preference
from plano_agents.config.options import Breaker, Limits, Retries
from plano_agents.errors import ConnectTimeoutError
from plano_agents.protocol.usage import Tokens
from plano_agents.router.request.trail import Trail, Try
from plano_agents.router.watch.metrics import Metrics
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Decision, SessionKey, create_pin
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.faults.redis_server import RedisServer
from tests.faults.router_process import start_router, write_config
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    COMPLETION,
    GPT,
    MESSAGE,
    SSE,
    Choose,
    Clock,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
    run_router,
)
from tests.router.raw_client import complete

ID = ("x-model-affinity", "run-1")
BOTH = build_config(GPT, CLAUDE)
COUNTED = (
    b'{"choices":[{}],"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}}'
)
JSON = {"content-type": "application/json"}
CHAT = "/v1/chat/completions"
NO_RETRIES = Retries(max_per_candidate=0)

Page = Mapping[tuple[str, ...], float]


def parse(text: str) -> Page:
    """Read a page: the sample's name and its labels' values, in their names' order, and its value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def show(metrics: Metrics) -> Page:
    return parse((await metrics.render()).decode())


def build_metrics(config: Config = BOTH) -> Metrics:
    metrics = Metrics()
    metrics.configure(config)
    return metrics


async def count(upstream: MemoryUpstream, *bodies: bytes, config: Config = BOTH) -> Page:
    """Ask with each body, as turns of one session, and give the page."""
    metrics = build_metrics(config)
    service = build_service(config, upstream, strategy=Choose("talk"), observe=lambda trail: metrics.observe([trail]))
    for body in bodies or (chat(),):
        await ask(service, body, ID)
    return await show(metrics)


async def test_requests_are_counted_by_endpoint_and_class_of_status() -> None:
    page = await count(MemoryUpstream(), chat(), chat(), b"[]")
    assert page["plano_requests_total", CHAT, "2xx"] == 2
    assert page["plano_requests_total", CHAT, "4xx"] == 1
    assert page["plano_request_failures_total", "invalid_request"] == 1
    assert page["plano_request_duration_seconds_count", CHAT] == 3


async def test_what_a_model_was_asked_for_and_cost_is_counted_under_its_name() -> None:
    page = await count(MemoryUpstream(MemoryResponse(pieces=(COUNTED,))), chat(), chat())
    assert page["plano_upstream_requests_total", GPT, "2xx"] == 2
    assert page["plano_input_tokens_total", GPT] == 14
    assert page["plano_cached_input_tokens_total", GPT] == 10
    assert page["plano_output_tokens_total", GPT] == 6
    assert page["plano_route_requests_total", "talk"] == 2


async def test_cached_tokens_are_counted_whatever_is_said_of_the_others() -> None:
    """No request is counted otherwise for those that are counted with it."""
    apart, together = build_metrics(), build_metrics()
    trails = [build_trail(GPT, tokens=Tokens(cached=5)), build_trail(GPT, tokens=Tokens(9, 1, 2))]
    for each in trails:
        apart.observe([each])
    together.observe(trails)
    assert [(await show(each))["plano_cached_input_tokens_total", GPT] for each in (apart, together)] == [7, 7]


async def test_retries_and_failovers_are_counted_under_the_model_that_failed() -> None:
    answers: list[MemoryResponse | Exception] = [
        MemoryResponse(status=503),
        ConnectTimeoutError("late"),
        MemoryResponse(status=429),
        MemoryResponse(pieces=(MESSAGE,)),
    ]
    preference = Preference("talk", "small talk", (GPT, CLAUDE))
    page = await count(MemoryUpstream(*answers), config=build_config(GPT, CLAUDE, preferences=(preference,)))
    assert page["plano_upstream_requests_total", GPT, "5xx"] == 1
    assert page["plano_upstream_requests_total", GPT, "upstream_connect_timeout"] == 1
    assert page["plano_upstream_requests_total", GPT, "429"] == 1
    assert page["plano_upstream_retries_total", GPT] == 2
    assert page["plano_upstream_failovers_total", GPT] == 1
    assert page["plano_affinity_switches_total", CLAUDE, "upstream_failed"] == 1


async def test_deployments_are_counted_each() -> None:
    places = (Deployment("eu"), Deployment("us"))
    metrics = build_metrics(Config(models=(replace(build_model(GPT), deployments=places),)))
    tries = [
        Try(GPT, 429, None, 1.0, "eu"),
        Try(GPT, None, "upstream_unreachable", 1.0, "us"),
        Try(GPT, 503, None, 1.0, "us"),
        Try(GPT, 200, None, 1.0, "eu"),
    ]
    metrics.observe([build_trail(GPT, noted=tuple(tries))])
    page = await show(metrics)
    assert page["plano_deployment_requests_total", "eu", GPT, "429"] == 1
    assert page["plano_deployment_requests_total", "eu", GPT, "2xx"] == 1
    assert page["plano_deployment_requests_total", "us", GPT, "upstream_unreachable"] == 1
    assert page["plano_deployment_failovers_total", "eu", GPT] == 1
    assert page["plano_deployment_failovers_total", "us", GPT] == 1
    assert page["plano_upstream_requests_total", GPT, "2xx"] == 1
    assert page["plano_upstream_retries_total", GPT] == 1
    assert ("plano_upstream_failovers_total", GPT) not in page


async def test_the_breakers_of_deployments_are_shown() -> None:
    breakers = {f"{GPT} (eu)": True, f"{GPT} (us)": False, CLAUDE: False}
    metrics = Metrics(breakers=lambda: breakers)
    metrics.configure(build_config(GPT, CLAUDE))
    page = await show(metrics)
    assert page["plano_deployment_breaker_open", "eu", GPT] == 1
    assert page["plano_deployment_breaker_open", "us", GPT] == 0
    assert (page["plano_upstream_breaker_open", GPT], page["plano_upstream_breaker_open", CLAUDE]) == (1, 0)


async def test_a_streams_first_bytes_are_timed() -> None:
    page = await count(MemoryUpstream(MemoryResponse(headers=SSE, pieces=CHUNKS)), chat(stream=True), chat(stream=True))
    assert page["plano_time_to_first_token_seconds_count", GPT] == 2
    assert ("plano_time_to_first_token_seconds_count", GPT) not in await count(MemoryUpstream())


def build_trail(model: str, route: str | None = None, **fields: object) -> Trail:
    trail = Trail("0" * 32, CHAT, 0, 0, status=200, decision=Decision(model, route, "retain", "pinned"))
    for name, value in fields.items():
        setattr(trail, name, value)
    return trail


@pytest.mark.parametrize(
    ("seconds", "buckets"), [(0.01, ["0.01"]), (0.5, ["0.64"]), (900.0, ["+Inf"]), (40.0, ["40.96"])]
)
async def test_a_duration_falls_into_its_bucket(seconds: float, buckets: list[str]) -> None:
    metrics = build_metrics()
    metrics.observe([build_trail(GPT, duration_ms=seconds * 1000)])
    page = await show(metrics)
    holding = [key[2] for key, value in page.items() if key[0] == "plano_request_duration_seconds_bucket" and value]
    assert holding[:1] == buckets


async def test_a_model_that_only_a_wildcard_declares_is_counted_under_the_wildcard() -> None:
    metrics = build_metrics(build_config("openai/*", CLAUDE))
    for name in ("openai/a", "openai/b", CLAUDE, "nobody/c"):
        metrics.observe([build_trail(name, noted=(Try(name, 200, None, 1.0),))])
    page = await show(metrics)
    found = {key[1]: value for key, value in page.items() if key[0] == "plano_upstream_requests_total"}
    assert found == {"openai/*": 2, CLAUDE: 1, "other": 1}


async def test_a_route_that_a_request_declares_for_itself_is_counted_as_other() -> None:
    metrics = build_metrics()
    for route in ("talk", "my-own-1", "my-own-2", None):
        metrics.observe([build_trail(GPT, route)])
    page = await show(metrics)
    found = {key[1]: value for key, value in page.items() if key[0] == "plano_route_requests_total"}
    assert found == {"talk": 1, "other": 2, "none": 1}


async def test_names_of_a_configuration_that_was_replaced_are_still_known() -> None:
    metrics = build_metrics()
    metrics.configure(build_config("openai/gpt-5"))
    metrics.observe([build_trail(GPT, noted=(Try(GPT, 200, None, 1.0),))])
    assert (await show(metrics))["plano_upstream_requests_total", GPT, "2xx"] == 1


async def test_whatever_clients_send_the_page_stays_within_its_ceiling() -> None:
    """70 M + P + 550: ten thousand models, ids, tenants and routes, every status, code, decision and reason."""
    config = build_config("openai/*", GPT, CLAUDE, preferences=(Preference("talk", "t", (GPT,)),))
    metrics = build_metrics(config)
    kinds = [("none", None), ("initialize", "first_turn"), ("initialize", "hint"), ("retain", "pinned")]
    kinds += [("switch", reason) for reason in ("upstream_failed", "unsuitable", "model_removed")]
    degraded = [(), ("store",), ("routing",), ("store", "routing")]
    for number in range(10_000):
        kind, reason = kinds[number % 7]
        model = (GPT, CLAUDE, f"openai/{number}", f"p{number}/m")[number % 4]
        tried = Try(model, 200 + number % 400 if number % 3 else None, "upstream_timeout", number)
        trail = build_trail(model, f"route-{number}", noted=(tried, tried), status=200 + number % 400)
        trail.session = SessionKey(f"tenant-{number}", f"id-{number}")
        trail.decision = Decision(model, f"route-{number}", kind, reason, degraded[number % 4])  # type: ignore[arg-type]  # a row of the contract
        trail.duration_ms = trail.routing_ms = trail.first_ms = float(number)
        metrics.observe([trail])
    page = await show(metrics)
    assert 300 < len(page) <= 70 * 3 + 1 + 550
    assert not [key for key in page if any(f"{kind}-" in value for value in key for kind in ("id", "tenant", "route"))]


async def test_pins_are_counted_as_they_begin_and_end() -> None:
    clock = Clock()
    store = MemorySessionStore(max_entries=2, clock=clock)
    metrics = Metrics(store.tallies)

    async def begin(name: str) -> None:
        key = SessionKey("", name)
        store.open(key, 600)
        await store.pin(key, create_pin(GPT, None, "first_turn", 0))
        store.close(key, None)

    for name in ("a", "b", "c", "d"):
        await begin(name)
    await store.drop(SessionKey("", "c"))
    page = await show(metrics)
    assert (page["plano_pins",], page["plano_pins_begun_total",]) == (1, 4)
    clock.now = 601
    page = await show(metrics)
    ended = {key[1]: value for key, value in page.items() if key[0] == "plano_pins_ended_total"}
    assert page["plano_pins",] == 0
    assert ended == {"evicted": 2, "dropped": 1, "idle": 1, "elsewhere": 0}


async def read_page(client: httpx.AsyncClient) -> Page:
    response = await client.get("/metrics")
    assert response.status_code == 200
    return parse(response.text)


async def test_what_is_refused_before_the_service_is_counted_by_its_code() -> None:
    config = build_config(GPT, client_keys=(build_client_key("k"),), limits=Limits(max_body_bytes=10))
    async with run_router(config) as url, httpx.AsyncClient(base_url=url, headers=JSON) as client:
        await client.post(CHAT, content=chat())
        await client.post(CHAT, content=chat(), headers={"x-api-key": "k"})
        await client.get(CHAT, headers={"x-api-key": "k"})
        page = await read_page(client)
    found = {key[1]: value for key, value in page.items() if key[0] == "plano_requests_refused_total"}
    assert found == {"invalid_api_key": 1, "body_too_large": 1, "method_not_allowed": 1}


async def test_requests_in_flight_are_shown_and_those_too_many_refused() -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def hold(exchange: UpstreamExchange) -> None:
        asked.set()
        await release.wait()
        await exchange.answer(COMPLETION)

    async with FakeUpstream(hold) as provider:
        config = build_config(GPT, base_url=provider.url, limits=Limits(max_concurrent_requests=1))
        async with run_router(config) as url, httpx.AsyncClient(base_url=url, headers=JSON) as client:
            held = asyncio.create_task(client.post(CHAT, content=chat()))
            await asked.wait()
            assert (await client.post(CHAT, content=chat())).status_code == 503
            during = await read_page(client)
            release.set()
            await held
            after = await read_page(client)
    assert (during["plano_requests_in_flight",], after["plano_requests_in_flight",]) == (1, 0)
    assert during["plano_requests_refused_total", "overloaded"] == 1


async def test_a_breaker_that_opens_is_shown_and_counted() -> None:
    async def fail(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"{}", status=500)

    async with FakeUpstream(fail) as provider:
        config = build_config(GPT, base_url=provider.url, retries=NO_RETRIES, breaker=Breaker(failures=2))
        async with run_router(config) as url, httpx.AsyncClient(base_url=url, headers=JSON) as client:
            before = await read_page(client)
            for _ in range(2):
                await client.post(CHAT, content=chat())
            page = await read_page(client)
    assert ("plano_upstream_breaker_open", GPT) not in before
    assert page["plano_upstream_breaker_open", GPT] == 1
    assert page["plano_upstream_breaker_changes_total", GPT, "open"] == 1


async def ask_until(client: httpx.AsyncClient, is_shown: Callable[[Page], bool]) -> Page:
    """Ask for session after session until the page shows something, however late a busy machine's Redis is."""
    for number in itertools.count():
        asked = await client.post(CHAT, content=chat(), headers={"x-model-affinity": f"run-{number}"})
        assert asked.status_code == 200
        page = await read_page(client)
        if is_shown(page):
            break
    return page


async def test_the_shared_store_is_timed_and_its_outage_shown(tmp_path: Path) -> None:
    pins, degraded = ("plano_store_operation_duration_seconds_count", "pin"), ("plano_store_degraded",)
    async with RedisServer(tmp_path) as redis, FakeUpstream(complete) as provider:
        cache = {"session_cache": {"type": "redis", "url": redis.url}}
        async with (
            start_router(write_config(tmp_path, {GPT: provider.url}, routing=cache)) as router,
            httpx.AsyncClient(base_url=router.url, headers=JSON) as client,
        ):
            await ask_until(client, lambda page: page.get(pins, 0) > 0 and not page[degraded])
            await redis.kill()
            down = await ask_until(client, lambda page: page[degraded] == 1)
    assert sum(value for key, value in down.items() if key[0] == "plano_store_failures_total") >= 1


async def test_the_version_and_the_configurations_age_are_shown() -> None:
    async with run_router(build_config(GPT)) as url, httpx.AsyncClient(base_url=url, headers=JSON) as client:
        page = await read_page(client)
    assert [key for key in page if key[0] == "plano_build_info"] == [("plano_build_info", "0.1.0")]
    assert page["plano_config_loaded_timestamp_seconds",] > 1_700_000_000
    assert page["plano_config_reloads_total", "success"] == 0
