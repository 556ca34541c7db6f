"""Requests to sources of measurements, and the reading of their answers; pure, for the router does the asking.

Three shapes, read as Plano does: models.dev's ``api.json`` (``{provider: {models: {id: {cost: {input, output,
cache_read}}}}}``, named ``provider/id``), DigitalOcean's catalog (``{data: [{model_id, pricing}]}``, named
``model_id``, and ``creator/model_id`` where it names its creator), and Prometheus' instant query (series with the label
``model_name``). ``model_aliases`` renames what a catalog names. An entry without a price is left out; an answer of
another shape is an error, so that the measurements held before it can be kept.
"""

import math
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote

import msgspec

from plano_agents.config.options import EMPTY, CostSource, LatencySource, MetricsSource
from plano_agents.errors import UpstreamProtocolError
from plano_agents.routing.candidates import ModelMetrics

T = TypeVar("T")

_CHEAPEST_PER_MILLION_USD = 0.001
"""Below it a price is per token: DigitalOcean's catalog has such values in fields named ``per_million``."""


class _ModelsDevCost(msgspec.Struct):
    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


class _ModelsDevModel(msgspec.Struct):
    cost: _ModelsDevCost | None = None


class _ModelsDevProvider(msgspec.Struct):
    models: dict[str, _ModelsDevModel] = {}


class _CatalogPricing(msgspec.Struct):
    input_price_per_million: float | None = None
    output_price_per_million: float | None = None


class _CatalogModel(msgspec.Struct):
    model_id: str
    creator: str | None = None
    pricing: _CatalogPricing | None = None


class _Catalog(msgspec.Struct):
    data: list[_CatalogModel]


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(msgspec.Struct):
    result: list[_Series]


class _QueryAnswer(msgspec.Struct):
    data: _Vector


def build_source_url(source: MetricsSource) -> str:
    """Build the URL that a source is asked at, with GET.

    Args:
        source: A configured source.

    Returns:
        The URL, query included.
    """
    if isinstance(source, CostSource):
        return source.address
    return f"{source.url.rstrip('/')}/api/v1/query?query={quote(source.query, safe='')}"


def parse_source(source: MetricsSource, body: bytes) -> dict[str, ModelMetrics]:
    """Read a source's answer.

    Args:
        source: The source that was asked.
        body: The answer's body.

    Returns:
        Metrics by model, with prices alone or latencies alone.

    Raises:
        UpstreamProtocolError: The body has not the shape of that source.
    """
    if isinstance(source, LatencySource):
        return parse_prometheus(body)
    if source.provider == "models.dev":
        return parse_models_dev(body, source.model_aliases)
    return parse_digitalocean(body, source.model_aliases)


def parse_models_dev(body: bytes, aliases: Mapping[str, str] = EMPTY) -> dict[str, ModelMetrics]:
    """Read models.dev's prices; arguments and errors are as for `parse_source`."""
    providers = _decode(body, dict[str, _ModelsDevProvider], "models.dev")
    metrics = {}
    for provider, entry in providers.items():
        for model_id, model in entry.models.items():
            if model.cost is not None and model.cost.input is not None and model.cost.output is not None:
                name = f"{provider}/{model_id}"
                metrics[aliases.get(name, name)] = ModelMetrics(
                    model.cost.input,
                    model.cost.output,
                    cached_usd_per_million=model.cost.cache_read,
                    written_usd_per_million=model.cost.cache_write,
                )
    return metrics


def parse_digitalocean(body: bytes, aliases: Mapping[str, str] = EMPTY) -> dict[str, ModelMetrics]:
    """Read DigitalOcean's prices; arguments and errors are as for `parse_source`."""
    metrics: dict[str, ModelMetrics] = {}
    for model in _decode(body, _Catalog, "DigitalOcean's catalog").data:
        prices = model.pricing
        if prices is None:
            continue
        priced = ModelMetrics(
            _per_million(prices.input_price_per_million), _per_million(prices.output_price_per_million)
        )
        names = [model.model_id]
        if model.creator is not None:
            names.append(f"{model.creator.lower()}/{model.model_id}")
        metrics |= {aliases.get(name, name): priced for name in names}
    return metrics


def _per_million(price: float | None) -> float:
    """A price per million tokens; as in Plano, one that is not named is nothing."""
    if price is None:
        return 0.0
    return price * 1_000_000 if price < _CHEAPEST_PER_MILLION_USD else price


def parse_prometheus(body: bytes) -> dict[str, ModelMetrics]:
    """Read an instant query's latencies; arguments and errors are as for `parse_source`."""
    metrics = {}
    for series in _decode(body, _QueryAnswer, "Prometheus").data.result:
        name, value = series.metric.get("model_name"), _parse_sample(series.value[1])
        if name is not None and value is not None:
            metrics[name] = ModelMetrics(latency=value)
    return metrics


def _parse_sample(text: str) -> float | None:
    """A sample's value, which Prometheus writes as text; None for ``NaN`` and for no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _decode(body: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UpstreamProtocolError(
            f"The answer has not the shape of {name} ({error}). Check the source's url, provider and query."
        ) from error
