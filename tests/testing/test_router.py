"""The router that a test runs: whose configuration it has, and who serves its models."""

import json
import urllib.request
from pathlib import Path

from plano_agents.testing import FakeUpstream, offline_router, say

ONE_MODEL = """\
version: v0.4.0
listeners: [{type: model, name: m, port: 12000}]
model_providers: [{model: openai/mine, access_key: $MISSING_KEY}]
"""


def list_models(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/models") as answer:
        return [model["id"] for model in json.load(answer)["data"]]


def ask(url: str, **fields: object) -> str:
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return str(answer.read().decode())


def test_a_configuration_is_a_text_or_a_path(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(ONE_MODEL)
    with offline_router(ONE_MODEL) as by_text, offline_router(path) as by_path:
        assert list_models(by_text) == list_models(by_path) == ["openai/mine"]


def test_settings_go_beside_it() -> None:
    with offline_router(ONE_MODEL, settings="model_aliases: {mine-*: openai/mine}") as url:
        assert '"choices"' in ask(url, model="mine-2024")


def test_an_upstream_serves_every_model_on_its_providers_wire() -> None:
    config = f"{ONE_MODEL.rstrip()[:-1]}, {{model: anthropic/claude, access_key: $MISSING_KEY}}]"
    with FakeUpstream(say("From a fake.")) as upstream, offline_router(config, upstream=upstream.url) as url:
        for model in ("openai/mine", "anthropic/claude"):
            assert "From a fake." in ask(url, model=model)
    assert [exchange.wire for exchange in upstream.exchanges] == ["chat", "messages"]


def test_settings_beside_a_path_count_although_an_upstream_serves(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(ONE_MODEL)
    (tmp_path / "plano-agents.yaml").write_text("model_aliases: {mine-*: openai/mine}")
    with (
        FakeUpstream() as upstream,
        offline_router(tmp_path / "config.yaml", upstream=upstream.url) as url,
    ):
        ask(url, model="mine-2024")
    assert upstream.exchanges[0].json["model"] == "mine"


def test_with_an_upstream_nobody_is_asked_for_prices_either() -> None:
    with FakeUpstream() as upstream, FakeUpstream() as prices:
        source = f"{{type: cost, provider: digitalocean, url: '{prices.url}/prices'}}"
        with offline_router(f"{ONE_MODEL}model_metrics_sources: [{source}]", upstream=upstream.url) as url:
            ask(url)
    assert (len(upstream.exchanges), prices.exchanges) == (1, [])
