"""Our schema against Plano's own, as planoai ships it."""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from plano_agents.config import KNOWN_PROVIDERS, NEED_BASE_URL, parse_config
from plano_agents.config.options import (
    CostSource,
    Exporter,
    LatencySource,
    Overrides,
    PlanoPromptCaching,
    PlanoRouting,
    PlanoTracing,
    RoutingBudget,
    SessionCache,
    SpanAttributes,
)
from plano_agents.config.schema import (
    LegacyListener,
    LegacyListeners,
    ListenerEntry,
    PlanoFile,
    PreferenceEntry,
    ProviderEntry,
    ProviderInterface,
    Version,
)
from plano_agents.config.sections import Section, list_declared

REPOSITORY = Path(__file__).parents[2]

INLINE = """\
version: v0.3.0
listeners:
  egress_traffic: {address: 0.0.0.0, port: 12000, message_format: openai, timeout: 30s}
llm_providers:
  - name: fast
    model: openai/gpt-4o-mini
    access_key: $OPENAI_API_KEY
    default: true
    routing_preferences:
      - {name: chat, description: small talk}
  - model: mine/llama
    base_url: http://localhost:8000/v1
    provider_interface: openai
    http_host: llama.local
    headers: {X-Team: blue}
    passthrough_auth: true
model_aliases:
  quick: {target: gpt-4o-mini}
"""

FULL = """\
version: v0.4.0
agents: [{id: a, url: "http://localhost:1"}]
filters: [{id: f, url: "http://localhost:2", type: mcp}]
listeners:
  - {type: model, name: m, port: 12000, address: 127.0.0.1, timeout: 30s, max_retries: 2}
  - {type: agent, name: a, port: 8001, router: plano_orchestrator_v1, agents: [{id: a, description: d}]}
endpoints: {app: {endpoint: "localhost:3"}}
model_providers: [{model: openai/gpt-4o}]
routing_preferences:
  - {name: code, description: writes code, models: [openai/gpt-4o], selection_policy: {prefer: cheapest}}
model_aliases: {four: {target: openai/gpt-4o}}
overrides:
  llm_routing_model: Plano-Orchestrator
  orchestrator_model_context_length: 8192
  upstream_connect_timeout: 5s
  upstream_tls_ca_path: /etc/ssl/certs/ca-certificates.crt
  disable_signals: true
prompt_caching: {enabled: true, min_prefix_tokens: 1024}
system_prompt: be brief
prompt_targets: [{name: t, description: d}]
ratelimits: [{model: gpt-4o, selector: {key: k, value: v}, limit: {tokens: 1, unit: hour}}]
tracing:
  random_sampling: 100
  opentracing_grpc_endpoint: http://localhost:4317
  span_attributes: {header_prefixes: [x-team-], static: {environment: test}}
  exporters: [{type: posthog, url: "https://posthog.example", api_key: $POSTHOG_KEY}]
mode: llm
routing:
  session_ttl_seconds: 60
  session_max_entries: 5
  session_cache: {type: redis, url: "redis://localhost:6379", tenant_header: x-tenant}
  route_on_user_only: true
  model: Arch-Router
  llm_provider: plano
  routing_budget: {max_switch_spend_pct: 20}
state_storage: {type: memory}
prompt_guards: {input_guards: {jailbreak: {on_exception: {message: refused}}}}
model_metrics_sources:
  - {type: cost, provider: models.dev, refresh_interval: 3600, model_aliases: {openai/gpt-4o: openai/gpt-4o}}
  - {type: latency, provider: prometheus, url: "http://localhost:9090", query: up}
"""


def locate(name: str) -> Path:
    spec = importlib.util.find_spec("planoai")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / name


@cache
def load_schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(locate("data/plano_config_schema.yaml").read_text())
    return schema["properties"]  # type: ignore[no-any-return]  # a plain JSON schema


@cache
def load_constant(name: str) -> frozenset[str]:
    """A list of planoai's generator, which is not imported for it configures logging."""
    for node in ast.parse(locate("config_generator.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return frozenset(ast.literal_eval(node.value))
    raise LookupError(name)


def check_by_plano(text: str) -> None:
    """Hold a config.yaml to Plano's schema."""
    schema = yaml.safe_load(locate("data/plano_config_schema.yaml").read_text())
    jsonschema.validate(yaml.safe_load(text), schema)


def find_sections() -> list[tuple[type[Section], dict[str, Any]]]:
    plano = load_schema()
    listeners = plano["listeners"]["oneOf"]
    tracing = plano["tracing"]["properties"]
    sources = plano["model_metrics_sources"]["items"]["oneOf"]
    return [
        (PlanoFile, plano),
        (ListenerEntry, listeners[0]["items"]["properties"]),
        (LegacyListeners, listeners[1]["properties"]),
        (LegacyListener, listeners[1]["properties"]["egress_traffic"]["properties"]),
        (ProviderEntry, plano["model_providers"]["items"]["properties"]),
        (ProviderEntry, plano["llm_providers"]["items"]["properties"]),
        (PreferenceEntry, plano["routing_preferences"]["items"]["properties"]),
        (PlanoRouting, plano["routing"]["properties"]),
        (SessionCache, plano["routing"]["properties"]["session_cache"]["properties"]),
        (RoutingBudget, plano["routing"]["properties"]["routing_budget"]["properties"]),
        (Overrides, plano["overrides"]["properties"]),
        (PlanoPromptCaching, plano["prompt_caching"]["properties"]),
        (PlanoTracing, tracing),
        (SpanAttributes, tracing["span_attributes"]["properties"]),
        (Exporter, tracing["exporters"]["items"]["oneOf"][0]["properties"]),
        (CostSource, sources[0]["properties"]),
        (LatencySource, sources[1]["properties"]),
    ]


@pytest.mark.parametrize(("section", "properties"), find_sections())
def test_a_section_knows_exactly_planos_keys(section: type[Section], properties: dict[str, Any]) -> None:
    assert set(list_declared(section)) == set(properties)


def test_the_versions_are_planos() -> None:
    assert list(get_args(Version)) == load_schema()["version"]["enum"]


def test_the_provider_interfaces_are_planos() -> None:
    enum = load_schema()["model_providers"]["items"]["properties"]["provider_interface"]["enum"]
    assert list(get_args(ProviderInterface)) == enum


def test_the_known_providers_are_planos() -> None:
    with_base_url = load_constant("SUPPORTED_PROVIDERS_WITH_BASE_URL")
    without = load_constant("SUPPORTED_PROVIDERS_WITHOUT_BASE_URL")
    assert (with_base_url, with_base_url | without) == (NEED_BASE_URL, KNOWN_PROVIDERS)


@pytest.mark.parametrize(
    "text",
    [INLINE, FULL, (REPOSITORY / "config.yaml").read_text()],
    ids=["v0.3.0", "every key", "the project's config.yaml"],
)
class TestAFile:
    def test_is_accepted_by_plano(self, text: str) -> None:
        check_by_plano(text)

    def test_is_accepted_by_us(self, text: str) -> None:
        assert parse_config(text, source="config.yaml", environ={}, offline=True).models


def test_each_key_that_nothing_acts_on_is_told_once() -> None:
    warnings = parse_config(FULL, source="config.yaml", environ={}).warnings
    told = [line.split("'")[1] for line in warnings]
    assert sorted(told) == sorted(
        [
            *(
                "agent",
                "agents",
                "endpoints",
                "filters",
                "listeners[1].agents",
                "listeners[1].router",
                "mode",
            ),
            *("overrides.disable_signals", "overrides.llm_routing_model"),
            *(
                "prompt_guards",
                "prompt_targets",
            ),
            *("ratelimits", "routing.llm_provider", "routing.model"),
            *("routing.routing_budget", "state_storage", "system_prompt", "tracing.exporters"),
        ]
    )


def test_a_warning_names_the_line_and_the_key() -> None:
    warnings = parse_config(FULL, source="config.yaml", environ={}).warnings
    assert "config.yaml:26: 'tracing.exporters' is Plano's; plano-agents does not act on it yet" in warnings
