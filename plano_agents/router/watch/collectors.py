"""The router's tracing: whether, and where to. OpenTelemetry is loaded here, and only where it does.

Every process has an exporter of its own, opened when the router is built in it. A configuration that names the same
collector keeps it; another collector gets another one, and the old one goes on with what requests in flight still
tell it.
"""

import asyncio
import os
from typing import TYPE_CHECKING

from plano_agents.config.model import Config
from plano_agents.observe.spans.destination import Destination, find_destination
from plano_agents.router.request.sampling import Sampler
from plano_agents.router.request.trail import Observer

if TYPE_CHECKING:
    from plano_agents.router.watch.spans import Collector


class Collectors:
    """The collectors that the router sends spans to, by address."""

    def __init__(self) -> None:
        self._open: dict[Destination, Collector] = {}

    def observe(self, config: Config) -> tuple[Sampler | None, tuple[Observer, ...]]:
        """Say what begins and what ends the traces of requests under a configuration: nothing where it traces none.

        Raises:
            ConfigError: The extra is missing, or the exporter refuses what the environment says.
        """
        tracing = config.tracing
        destination = find_destination(tracing.random_sampling, tracing.opentracing_grpc_endpoint, os.environ)
        if destination is None:
            return None, ()
        if destination not in self._open:
            from plano_agents.router.watch.spans import Collector  # noqa: PLC0415 - an extra

            self._open[destination] = Collector(destination)
        sampler, tell = self._open[destination].observe(config)
        return sampler, (tell,)

    async def aclose(self) -> None:
        """Send what is left, for a bounded time."""
        await asyncio.gather(*(asyncio.to_thread(each.close) for each in self._open.values()))
