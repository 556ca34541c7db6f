"""The models' prices and speed, fetched from the configured sources at intervals; one that is down does no harm.

Until a source has answered, and when it fails, what it said last holds; its failure is one log line when it begins
and one when it ends. How answers read is known to ``routing.metric_sources``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from plano_agents.config.options import CostSource, MetricsSource
from plano_agents.errors import PlanoError
from plano_agents.routing.candidates import ModelMetrics, merge_metrics
from plano_agents.routing.metric_sources import build_source_url, parse_source

log = logging.getLogger(__name__)

RETRY_SECONDS = 60
"""When a source that failed is asked again, at the latest."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what is at a URL; raises a `PlanoError` where that fails."""


class Measurements:
    """Keeps the sources' last answers.

    Args:
        sources: What is asked.
        fetch: Asks.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        sources: Sequence[MetricsSource],
        fetch: Fetch,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources = sources
        self._fetch = fetch
        self._sleep = sleep
        self._costs: Mapping[str, ModelMetrics] = {}
        self._latencies: Mapping[str, ModelMetrics] = {}
        self.metrics: Mapping[str, ModelMetrics] = {}
        """What is known, by model."""

    async def watch(self) -> None:
        """Ask every source for as long as its interval says; without an interval, until it has answered once."""
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(self._watch(source))

    async def _watch(self, source: MetricsSource) -> None:
        failing = False
        while True:
            try:
                self._take(source, await self._ask(source))
            except PlanoError as error:
                if not failing:
                    log.warning("model_metrics_sources: %s: %s", source.provider, error)
                failing = True
            else:
                if failing:
                    log.warning("model_metrics_sources: %s answers again", source.provider)
                failing = False
                if source.refresh_interval is None:
                    return
            interval = source.refresh_interval or RETRY_SECONDS
            await self._sleep(min(interval, RETRY_SECONDS) if failing else interval)

    async def _ask(self, source: MetricsSource) -> dict[str, ModelMetrics]:
        body = await self._fetch(build_source_url(source))
        # A catalog of thousands of models takes a while to read.
        return await asyncio.to_thread(parse_source, source, body)

    def _take(self, source: MetricsSource, answer: Mapping[str, ModelMetrics]) -> None:
        if isinstance(source, CostSource):
            self._costs = answer
        else:
            self._latencies = answer
        self.metrics = merge_metrics(self._costs, self._latencies)
