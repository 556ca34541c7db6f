"""In which order a route's models are tried: ``selection_policy`` over what is known of them.

The measures are Plano's: *cheapest* is the lowest sum of the prices of a million input and a million output tokens,
*fastest* the lowest latency. Models of which the measure is unknown come last; equals keep the order given. Reading
the measurements is left to ``metric_sources``, fetching them to the router.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from plano_agents.config.model import Preference


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """The measurements of one model; None is not known."""

    input_usd_per_million: float | None = None
    """The price of a million input tokens, in USD."""
    output_usd_per_million: float | None = None
    """The price of a million output tokens, in USD."""
    latency: float | None = None
    """In the unit of the configured query, for it is only compared; commonly seconds or milliseconds."""
    cached_usd_per_million: float | None = None
    """The price of a million input tokens that the provider read from its cache, in USD."""
    written_usd_per_million: float | None = None
    """The price of a million input tokens that it wrote to its cache, in USD; the input's where that is not known."""


UNKNOWN = ModelMetrics()


def order_candidates(preference: Preference, metrics: Mapping[str, ModelMetrics]) -> tuple[str, ...]:
    """Order a preference's models, the one to try first in front.

    Args:
        preference: The route, with provider-qualified models.
        metrics: What is known, by qualified name (``openai/gpt-4o``) or bare id (``gpt-4o``).

    Returns:
        The same models.
    """
    if preference.prefer == "none":
        return preference.models
    measure = _measure_cost if preference.prefer == "cheapest" else _measure_latency

    return tuple(sorted(preference.models, key=lambda name: _find(name, metrics, measure)))


def measure_cost(name: str, metrics: Mapping[str, ModelMetrics]) -> float | None:
    """Tell a model's price, in USD for a million tokens in and a million out; None where it is not known."""
    return _or_none(_find(name, metrics, _measure_cost))


def measure_latency(name: str, metrics: Mapping[str, ModelMetrics]) -> float | None:
    """Tell a model's latency, in the unit of the configured query; None where it is not known."""
    return _or_none(_find(name, metrics, _measure_latency))


def merge_metrics(costs: Mapping[str, ModelMetrics], latencies: Mapping[str, ModelMetrics]) -> dict[str, ModelMetrics]:
    """Put prices and latencies of the same models together.

    Args:
        costs: Metrics whose prices are taken.
        latencies: Metrics whose latencies are taken.

    Returns:
        Both, by model.
    """
    merged = {}
    for name in (*costs, *latencies):
        cost = costs.get(name, UNKNOWN)
        latency = latencies.get(name, UNKNOWN).latency
        merged[name] = replace(cost, latency=latency)
    return merged


def _find(name: str, metrics: Mapping[str, ModelMetrics], measure: Callable[[ModelMetrics], float]) -> float:
    # Prices come by qualified name and latencies often by bare id, so one entry may lack what the other has.
    qualified = measure(metrics.get(name, UNKNOWN))
    return qualified if qualified < math.inf else measure(metrics.get(name.partition("/")[2], UNKNOWN))


def _or_none(value: float) -> float | None:
    return value if value < math.inf else None


def _measure_cost(metrics: ModelMetrics) -> float:
    if metrics.input_usd_per_million is None or metrics.output_usd_per_million is None:
        return math.inf
    return _known(metrics.input_usd_per_million + metrics.output_usd_per_million)


def _measure_latency(metrics: ModelMetrics) -> float:
    return math.inf if metrics.latency is None else _known(metrics.latency)


def _known(value: float) -> float:
    """Take what is not a number, as Prometheus answers without samples, for not known."""
    return math.inf if math.isnan(value) else value
