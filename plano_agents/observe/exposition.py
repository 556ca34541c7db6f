"""Tallies as the text that Prometheus scrapes, those of other processes added up.

The text is prometheus-client's work, which is loaded when somebody asks for it and not before.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import accumulate
from operator import add

from plano_agents.observe.shared_tallies import Snapshot
from plano_agents.observe.tally import Histogram, Labels, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""


async def load() -> None:
    """Load the library in another thread, so that no request waits for that."""
    await asyncio.to_thread(import_module, "prometheus_client")


def render(tallies: Sequence[Tally], others: Iterable[Snapshot] = ()) -> bytes:
    """Write a page.

    Args:
        tallies: Which there are, with this process's numbers.
        others: The numbers of other processes.
    """
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - loaded once it is needed
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector  # noqa: PLC0415

    others = list(others)

    class Page(Collector):
        def collect(self) -> Iterator[Metric]:
            for tally in tallies:
                series = merge(tally, others)
                if isinstance(tally, Histogram):
                    histogram = HistogramMetricFamily(tally.name, tally.text, labels=tally.labels)
                    bounds = [*map(str, tally.bounds), "+Inf"]
                    for labels, numbers in series.items():
                        buckets = list(zip(bounds, accumulate(numbers[:-1]), strict=True))
                        histogram.add_metric(labels, buckets, numbers[-1])
                    yield histogram
                    continue
                family = CounterMetricFamily if tally.kind == "counter" else GaugeMetricFamily
                simple = family(tally.name, tally.text, labels=tally.labels)
                for labels, numbers in series.items():
                    simple.add_metric(labels, numbers[0])
                yield simple

    registry = CollectorRegistry()
    registry.register(Page())
    return generate_latest(registry)


def merge(tally: Tally, others: Iterable[Snapshot]) -> Mapping[Labels, Sequence[float]]:
    """Put the numbers of several processes together.

    Args:
        tally: Which; with this process's numbers.
        others: The numbers of other processes; of one that has ended, gauges no longer hold.
    """
    found: dict[Labels, Sequence[float]] = dict(tally.read())
    for other in others:
        if tally.kind == "gauge" and not other.is_live:
            continue
        for labels, numbers in other.series.get(tally.name, ()):
            known = found.get(labels)
            both = max if tally.merge == "max" else add
            found[labels] = numbers if known is None else list(map(both, known, numbers))
    return found
