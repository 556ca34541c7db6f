"""A configuration for people."""

from collections.abc import Callable

import yaml

from plano_agents.config import Config, render_config

Parse = Callable[..., Config]

TEXT = """\
version: v0.4.0
listeners: []
model_providers:
  - model: openai/gpt-4o
    access_key: sk-canary
    headers: {X-Team: canary-header}
    default: true
  - model: ollama/llama
    base_url: http://localhost:11434
routing_preferences: [{name: code, description: writes code, models: [gpt-4o]}]
model_aliases: {four: {target: gpt-4o}}
routing: {session_cache: {type: redis, url: 'redis://:canary@h'}}
model_metrics_sources: [{type: cost, provider: models.dev, url: 'https://x.example/api?token=canary'}]
tracing: {exporters: [{type: posthog, url: 'https://x.example', api_key: canary}]}
"""

SETTINGS = "client_keys: [canary-client]\nadmin_token: canary-admin\ntimeouts: {total_seconds: 30}\n"
SETTINGS += "models: {ollama/llama: {images: false}}\n"


def render(parse: Parse) -> str:
    return render_config(parse(TEXT, settings_text=SETTINGS))


def test_no_secret_is_shown(parse: Parse) -> None:
    assert "canary" not in render(parse)


def test_a_secret_that_is_set_is_masked(parse: Parse) -> None:
    page = yaml.safe_load(render(parse))
    gpt = page["model_providers"][0]
    assert (gpt["access_key"], gpt["headers"]) == ("***", {"X-Team": "***"})
    assert (page["client_keys"], page["admin_token"]) == (["***"], "***")
    assert page["model_metrics_sources"][0]["url"] == "https://x.example/api?***"


def test_what_is_resolved_is_shown(parse: Parse) -> None:
    page = yaml.safe_load(render(parse))
    assert page["routing_preferences"][0]["models"] == ["openai/gpt-4o"]
    assert page["model_aliases"] == {"four": "openai/gpt-4o"}
    assert page["timeouts"]["total_seconds"] == 30
    assert page["models"] == {"ollama/llama": {"images": False}}


def test_defaults_are_shown(parse: Parse) -> None:
    page = yaml.safe_load(render(parse))
    assert page["timeouts"]["connect_seconds"] == 5
    assert page["listener"] == {"host": "127.0.0.1", "port": 12000}
    assert page["breaker"] == {"failures": 5, "open_seconds": 30}


def test_what_is_not_set_is_left_out(parse: Parse) -> None:
    llama = yaml.safe_load(render(parse))["model_providers"][1]
    assert "access_key" not in llama
    assert llama["base_url"] == "http://localhost:11434"


def test_models_come_first(parse: Parse) -> None:
    assert render(parse).startswith("model_providers:\n- name: openai/gpt-4o\n")
