"""Sections beside models, routes and listeners."""

from collections.abc import Callable

import pytest

from plano_agents.config import (
    Config,
    CostSource,
    LatencySource,
    Overrides,
    PromptCaching,
    SessionCache,
    Tracing,
)
from plano_agents.config.options import SpanAttributes

Parse = Callable[..., Config]
Problems = Callable[..., tuple[str, ...]]

COST = "{type: cost, provider: models.dev}"
LATENCY = "{type: latency, provider: prometheus, url: 'http://p:9090/', query: up}"


def tell(problems: tuple[str, ...]) -> str:
    (problem,) = problems
    return problem


def test_what_is_absent_has_planos_defaults(parse: Parse, minimal: str) -> None:
    config = parse(minimal)
    assert config.routing.session_cache == SessionCache(type="memory", url=None, tenant_header=None)
    assert config.overrides == Overrides(None, 8192, None)
    assert config.prompt_caching == PromptCaching(enabled=False)
    assert config.tracing == Tracing(random_sampling=0)
    assert config.metrics_sources == ()


def test_overrides_are_read(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "overrides: {llm_routing_model: Arch-Router, orchestrator_model_context_length: 4096, "
        "upstream_tls_ca_path: /etc/ca.pem}\n"
    )
    assert parse(text).overrides == Overrides("Arch-Router", 4096, "/etc/ca.pem")


def test_prompt_caching_is_read(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "prompt_caching: {enabled: true, session_affinity: false, inject_cache_control: false, "
        "min_prefix_tokens: 9, session_ttl_seconds: 3600}\n"
    )
    assert parse(text).prompt_caching == PromptCaching(
        enabled=True,
        session_affinity=False,
        inject_cache_control=False,
        min_prefix_tokens=9,
        session_ttl_seconds=3600,
    )


def test_tracing_is_read(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "tracing: {random_sampling: 50, trace_arch_internal: true, opentracing_grpc_endpoint: $OTEL, "
        "span_attributes: {header_prefixes: [X-Team-], static: {env: prod}}}\n"
    )
    assert parse(text, environ={"OTEL": "http://otel:4317/"}).tracing == Tracing(
        random_sampling=50,
        trace_arch_internal=True,
        opentracing_grpc_endpoint="http://otel:4317",
        span_attributes=SpanAttributes(("x-team-",), {"env": "prod"}),
    )


@pytest.mark.parametrize("address", ["https://otel:4317", "http://otel/v1", "otel:4317", "http://["])
def test_a_collector_at_another_kind_of_address_is_refused(problems: Problems, minimal: str, address: str) -> None:
    text = minimal + f"tracing:\n  opentracing_grpc_endpoint: '{address}'\n"
    assert tell(problems(text)) == (
        "config.yaml:6: tracing.opentracing_grpc_endpoint is not an address. "
        "Write http://, a host and a port, and no path."
    )


def test_a_tenant_header_is_lower_case(parse: Parse, minimal: str) -> None:
    text = minimal + "routing: {session_cache: {tenant_header: X-Tenant}}\n"
    assert parse(text).routing.session_cache.tenant_header == "x-tenant"


def test_a_tenant_header_that_is_no_header_is_refused(problems: Problems, minimal: str) -> None:
    text = minimal + "routing:\n  session_cache:\n    tenant_header: x tenant\n"
    assert tell(problems(text)).startswith("config.yaml:7: the tenant header 'x'… is not a header name.")


def test_redis_address_is_a_secret_from_the_environment(parse: Parse, minimal: str) -> None:
    text = minimal + "routing: {session_cache: {type: redis, url: $REDIS}}\n"
    cache = parse(text, environ={"REDIS": "redis://:pw@h:6379"}).routing.session_cache
    assert cache.url is not None
    assert cache.url.get_secret_value() == "redis://:pw@h:6379"
    assert "pw" not in repr(cache)


def test_redis_without_an_address_is_refused(problems: Problems, minimal: str) -> None:
    text = minimal + "routing:\n  session_cache: {type: redis}\n"
    assert tell(problems(text)) == (
        "config.yaml:6: a session_cache of type 'redis' needs url. Write one such as 'redis://localhost:6379'."
    )


def test_offline_addresses_from_the_environment_are_left_out(parse: Parse, minimal: str) -> None:
    text = minimal + (
        "routing: {session_cache: {type: redis, url: $REDIS}}\ntracing: {opentracing_grpc_endpoint: $OTEL}\n"
    )
    config = parse(text, offline=True)
    assert config.routing.session_cache.url is None
    assert config.tracing.opentracing_grpc_endpoint is None


def test_offline_it_is_told_that_pins_stay_in_memory(parse: Parse, minimal: str) -> None:
    text = minimal + "routing: {session_cache: {type: redis, url: $REDIS}}\n"
    assert parse(text, offline=True).warnings == (
        "config.yaml:5: offline, no address is read from the environment: pins are kept in memory",
    )


@pytest.mark.parametrize("url", ["h:6379", "http://h", "redis://:1", "redis://h:x", "redis://h:99999", "redis:/h"])
def test_an_address_that_is_none_of_redis_is_refused_without_being_shown(
    problems: Problems, minimal: str, url: str
) -> None:
    message = tell(problems(f"{minimal}routing: {{session_cache: {{type: redis, url: '{url}'}}}}\n"))
    assert message.startswith("config.yaml:5: the url of session_cache is not a Redis URL: ")
    assert url not in message


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://u:p@h:1/2?ssl_ca_certs=/x",
        "redis://[::1]:6379",
        "redis+sentinel://h,i:1/mymaster",
        "rediss+cluster://u:p@h,i:1",
    ],
)
def test_an_address_of_redis_is_taken(parse: Parse, minimal: str, url: str) -> None:
    cache = parse(f"{minimal}routing: {{session_cache: {{type: redis, url: '{url}'}}}}\n").routing.session_cache
    assert cache.is_shared


@pytest.mark.parametrize(
    "routing",
    [
        "{session_cache: {type: memory}}",
        "{session_cache: {type: redis, url: 'redis://h'}}",
        "{route_on_user_only: true}",
    ],
)
def test_what_is_asked_for_and_holds_is_not_warned_of(parse: Parse, minimal: str, routing: str) -> None:
    assert parse(f"{minimal}routing: {routing}\n").warnings == ()


def test_metrics_sources_are_read(parse: Parse, minimal: str) -> None:
    cost = "{type: cost, provider: digitalocean, refresh_interval: 60, model_aliases: {a/b: openai/gpt-4o}}"
    config = parse(f"{minimal}model_metrics_sources: [{cost}, {LATENCY}]\n")
    assert config.metrics_sources == (
        CostSource(
            "cost",
            "digitalocean",
            "https://api.digitalocean.com/v2/gen-ai/models/catalog",
            60,
            {"a/b": "openai/gpt-4o"},
        ),
        LatencySource("latency", "prometheus", "http://p:9090/", "up", None),
    )


@pytest.mark.parametrize("source", [COST, LATENCY])
def test_a_second_source_of_a_type_is_refused(problems: Problems, minimal: str, source: str) -> None:
    text = f"{minimal}model_metrics_sources:\n  - {source}\n  - {source}\n"
    assert tell(problems(text)).startswith("config.yaml:7: this is a second metrics source of type ")


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "http://", "http://[", "https://u:sk-secret@x", "http://x y", "https://ü.example"]
)
def test_a_source_without_a_usable_address_is_refused_and_not_shown(problems: Problems, minimal: str, url: str) -> None:
    text = f"{minimal}model_metrics_sources:\n  - type: cost\n    provider: models.dev\n    url: '{url}'\n"
    problem = tell(problems(text))
    assert problem.startswith("config.yaml:8: the url of this cost source is not an address.")
    assert "sk-secret" not in problem


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            "{type: costs, provider: models.dev}",
            "model_metrics_sources[0].type must be one of 'cost', 'latency', not 'costs'; did you mean 'cost'?",
        ),
        ("{provider: models.dev}", "the key 'type' is missing in model_metrics_sources[0]. Add it."),
        (
            "{type: cost, provider: models.dev, query: up}",
            (
                "unknown key 'query' in model_metrics_sources[0]; "
                "valid keys: model_aliases, provider, refresh_interval, type, url"
            ),
        ),
        (
            "{type: latency, provider: prometheus, url: 'http://p', query: up, refresh: 5}",
            "unknown key 'refresh' in model_metrics_sources[0]; did you mean 'refresh_interval'?",
        ),
    ],
)
def test_a_sources_keys_are_those_of_its_type(problems: Problems, minimal: str, entry: str, problem: str) -> None:
    assert tell(problems(f"{minimal}model_metrics_sources:\n  - {entry}\n")) == f"config.yaml:6: {problem}"
