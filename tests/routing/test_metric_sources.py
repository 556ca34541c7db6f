"""Answers in the shapes of models.dev, DigitalOcean and Prometheus."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.options import CostSource, LatencySource, MetricsSource
from plano_agents.errors import UpstreamProtocolError
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.metric_sources import (
    build_source_url,
    parse_digitalocean,
    parse_models_dev,
    parse_prometheus,
    parse_source,
)

MODELS_DEV = json.dumps(
    {
        "anthropic": {
            "id": "anthropic",
            "env": ["ANTHROPIC_API_KEY"],
            "models": {
                "claude-opus-4-5": {"cost": {"input": 5, "output": 25, "cache_read": 0.5}, "limit": {}},
                "claude-free": {"limit": {"context": 200000}},
                "claude-half": {"cost": {"input": 5}},
            },
        },
        "empty": {"id": "empty"},
    }
).encode()

CATALOG = json.dumps(
    {
        "data": [
            {
                "model_id": "openai-gpt-5.4",
                "creator": "OpenAI",
                "pricing": {"input_price_per_million": 5.0, "output_price_per_million": 15.0},
            },
            {
                "model_id": "llama",
                "pricing": {"input_price_per_million": 5e-8, "output_price_per_million": None},
            },
            {"model_id": "unpriced"},
        ],
        "meta": {"total": 3},
    }
).encode()


def vector(*series: tuple[dict[str, str], str]) -> bytes:
    result = [{"metric": metric, "value": [1763894400.781, value]} for metric, value in series]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


LATENCIES = vector(({"model_name": "openai/gpt-4o", "job": "j"}, "0.25"), ({"job": "j"}, "1"))

COST = CostSource("cost", "models.dev", "https://models.dev/api.json")
CATALOG_COST = CostSource("cost", "digitalocean", "https://do.example/catalog")
LATENCY = LatencySource("latency", "prometheus", "http://prometheus:9090", 'avg by (model_name) (x{a="b"})')


def test_models_dev_prices_are_named_by_provider_and_id() -> None:
    assert parse_models_dev(MODELS_DEV) == {
        "anthropic/claude-opus-4-5": ModelMetrics(5, 25, cached_usd_per_million=0.5)
    }


def test_an_alias_renames_a_catalogs_model() -> None:
    parsed = parse_models_dev(MODELS_DEV, {"anthropic/claude-opus-4-5": "vercel/opus"})
    assert parsed == {"vercel/opus": ModelMetrics(5, 25, cached_usd_per_million=0.5)}


def test_digitalocean_prices_are_named_by_id_and_by_creator_and_id() -> None:
    assert parse_digitalocean(CATALOG) == {
        "openai-gpt-5.4": ModelMetrics(5, 15),
        "openai/openai-gpt-5.4": ModelMetrics(5, 15),
        "llama": ModelMetrics(5e-8 * 1_000_000, 0),
    }


@pytest.mark.parametrize("name", ["openai-gpt-5.4", "openai/openai-gpt-5.4"])
def test_an_alias_may_use_either_name_of_digitaloceans(name: str) -> None:
    assert parse_digitalocean(CATALOG, {name: "openai/gpt"})["openai/gpt"] == ModelMetrics(5, 15)


def test_prometheus_series_are_named_by_the_label_model_name() -> None:
    assert parse_prometheus(LATENCIES) == {"openai/gpt-4o": ModelMetrics(latency=0.25)}


@pytest.mark.parametrize("sample", ["NaN", "", "fast"])
def test_a_sample_without_a_number_is_left_out(sample: str) -> None:
    assert parse_prometheus(vector(({"model_name": "m"}, sample))) == {}


@pytest.mark.parametrize(
    ("source", "body", "name"),
    [
        (COST, MODELS_DEV, "anthropic/claude-opus-4-5"),
        (CATALOG_COST, CATALOG, "llama"),
        (LATENCY, LATENCIES, "openai/gpt-4o"),
    ],
)
def test_each_source_is_read_in_its_own_shape(source: MetricsSource, body: bytes, name: str) -> None:
    assert name in parse_source(source, body)


@pytest.mark.parametrize("source", [COST, CATALOG_COST, LATENCY])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"data": 1}', b'{"data": {}, "a": 1}', b"[" * 100_000, b"\xff"]
)
def test_junk_is_an_error_that_says_what_to_check(source: MetricsSource, body: bytes) -> None:
    with pytest.raises(UpstreamProtocolError, match="Check the source's url, provider and query"):
        parse_source(source, body)


def test_a_cost_source_is_asked_at_its_url() -> None:
    assert build_source_url(COST) == "https://models.dev/api.json"


def test_prometheus_is_asked_with_the_query_encoded() -> None:
    assert build_source_url(LATENCY) == (
        "http://prometheus:9090/api/v1/query?query=avg%20by%20%28model_name%29%20%28x%7Ba%3D%22b%22%7D%29"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "result", "metric", "value", "models", "cost", "model_id"]), inner)
    ),
    max_leaves=8,
)


@given(
    source=st.sampled_from([COST, CATALOG_COST, LATENCY]),
    body=st.binary(max_size=20) | json_values.map(lambda value: json.dumps(value).encode()),
)
def test_any_body_is_metrics_or_an_error(source: MetricsSource, body: bytes) -> None:
    try:
        parsed = parse_source(source, body)
    except UpstreamProtocolError:
        return
    assert all(isinstance(metrics, ModelMetrics) for metrics in parsed.values())
