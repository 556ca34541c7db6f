"""The router as one application: the proxied endpoints served directly, everything else as ASGI."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.config.model import Config
from plano_agents.http.client import Upstream
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.server.budget import BufferBudget
from plano_agents.http.server.exchange import Serve
from plano_agents.http.server.shortcut import Shortcut
from plano_agents.http.server.template import Blanks, Template
from plano_agents.router.measurements import Fetch, Measurements
from plano_agents.router.operate.admin import check_operator
from plano_agents.router.operate.client_keys import ClientKeys
from plano_agents.router.operate.gate import Gate
from plano_agents.router.operate.probes import Probes
from plano_agents.router.operate.readiness import Readiness
from plano_agents.router.request.addresses import correct_path
from plano_agents.router.request.admission import Admission
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.endpoints import ProxiedEndpoints
from plano_agents.router.request.fast_service import build_fast_tally, count_fast_turns
from plano_agents.router.request.health import Health
from plano_agents.router.request.service import Service
from plano_agents.router.request.strategies import build_strategy
from plano_agents.router.watch.collectors import Collectors
from plano_agents.router.watch.ghosts.beside import Beside, Sample
from plano_agents.router.watch.ghosts.days import Days
from plano_agents.router.watch.inspector.answers import OwnInspector
from plano_agents.router.watch.inspector.seam import Inspector, build_ghost_teller, build_observer
from plano_agents.router.watch.inspector.site import InspectorSite
from plano_agents.router.watch.metrics import Metrics
from plano_agents.router.watch.prices import NO_METRICS, Prices
from plano_agents.router.watch.request_log import RequestLog
from plano_agents.router.watch.telling import Telling, forget_traces
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Strategy
from plano_agents.sessions.build import build_store
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import PlacedStore, SessionStore

logger = logging.getLogger(__name__)

LEDGER_ENTRIES = 20_000
"""Of how many sessions the last dispatch is remembered: twice as many as pins are held in memory."""


class _Serving(NamedTuple):
    """The parts that serve one configuration."""

    endpoints: ProxiedEndpoints
    """The proxied endpoints."""
    probes: Probes
    """What orchestrators poll."""
    inspector: InspectorSite
    """The inspector's page and its answers."""
    pages: ASGIApp
    """Everything else, as ASGI has it."""
    readiness: Readiness
    """True if what routing needs is loaded."""


class Router:
    """The whole router: one application, whose configuration can be exchanged while it serves.

    The proxied endpoints, the probes and the inspector are served directly (`http.server.exchange`), by our own HTTP
    server alone; what ASGI can reach is the rest.

    Args:
        config: What is configured.
        upstream: Sends to the providers.
        store: Keeps the sessions' pins; None for the one that is configured.
        fetch: Asks the sources of measurements; None leaves them alone.
        strategy: Says which preference a request matches; None for the embedded one.
        inspector: Remembers requests for the page at ``/inspector``; None for this process's own memory.
        clock: Monotonic time in seconds, by which pins expire.
        wall_clock: Unix time in seconds.
        chance: Gives a number from 0 to 1, 1 excluded, for each turn that may be routed beside its request.
        tallies: Where workers tell each other what they count; None where this process serves alone.
        takes_fast_path: Whether requests of live sessions take the fast path, where they can.
        gather_seconds: How long requests that are over are gathered before observers are told; 0 tells of each at once.

    Raises:
        ConfigError: A configured model cannot be served, or the store cannot be used.
    """

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        *,
        store: SessionStore | None = None,
        fetch: Fetch | None = None,
        strategy: Strategy | None = None,
        inspector: Inspector | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        tallies: Path | None = None,
        takes_fast_path: bool = True,
        gather_seconds: float | None = None,
    ) -> None:
        self._cache = config.routing.session_cache
        self._upstream = upstream
        self._fetch = fetch
        self._takes_fast_path = takes_fast_path
        self._gather_seconds = gather_seconds
        self._tellings: WeakSet[Telling] = WeakSet()  # those of earlier configurations stay while requests have them
        self._strategy = strategy
        self._watching: asyncio.Task[None] | None = None
        self._collectors = Collectors()
        self._admission = Admission(config.limits)
        self._health = Health(config, on_change=self._note_breaker)
        self._inspector = inspector if inspector is not None else OwnInspector()
        self._wall_clock = wall_clock
        store = store if store is not None else build_store(config.routing, clock=clock, wall_clock=wall_clock)
        self._find_place = store.find_place if isinstance(store, PlacedStore) else None
        self._days = Days(store, wall_clock=wall_clock)
        self._beside = Beside(self._days, chance=chance)
        self._fast_turns = count_fast_turns()
        self._metrics = Metrics(
            (*store.tallies, *self._beside.tallies, build_fast_tally(self._fast_turns)),
            breakers=self._health.list_breakers,
            admission=self._admission,
            directory=tallies,
            settle=self._tell,
        )
        self._log = RequestLog()
        ledger = Ledger(
            max_entries=LEDGER_ENTRIES,
            is_shared=store.is_shared,
            on_violation=self._count_violation,
        )
        if isinstance(store, MemorySessionStore):
            store.on_end = ledger.forget
        self._pinning = Pinning(store, ledger, wall_clock=wall_clock)
        self._serving = self._start(config)

    @property
    def metrics(self) -> Metrics:
        """The router's metrics."""
        return self._metrics

    @property
    def buffered(self) -> BufferBudget:
        """The bytes that are buffered for clients, for the connections to count."""
        return self._admission.buffered

    def configure(self, config: Config) -> None:
        """Exchange the configuration: new requests get the new one, those in flight finish on the old one.

        Pins stay, and the store that holds them; so does what is known of the health of models that stay as they are.

        Raises:
            ConfigError: A configured model cannot be served; the old configuration stays.
        """
        before, self._serving = self._serving, self._start(config)
        before.readiness.stop()
        if before.endpoints.fast_path is not None:
            before.endpoints.fast_path.retire()
        self._serving.readiness.check()
        self._pinning.store.configure(max_entries=config.routing.session_max_entries)
        cache = config.routing.session_cache
        if (cache.type, cache.url) != (self._cache.type, self._cache.url):
            logger.warning("routing.session_cache has changed: pins stay where they are until the router is restarted")

    async def connect(self) -> None:
        """Look whether the session store answers; one that does not is reported, and requests go on without it."""
        await self._pinning.store.connect()

    async def warm_up(self) -> None:
        """Load what routing needs before a request does; without preferences nothing is."""
        await self._serving.readiness.wait()

    def stop(self) -> None:
        """End the answers that have no end of their own: the router stops."""
        self._inspector.close()

    async def aclose(self) -> None:
        """Stop asking the sources of measurements, send the last spans, and close the session store."""
        self._tell()
        self._stop_watching()
        self._serving.readiness.stop()
        await self._collectors.aclose()
        await self._beside.aclose()
        await self._pinning.store.aclose()

    def _tell(self) -> None:
        """Have observers told of all requests that are over."""
        for each in self._tellings:
            each.tell()

    def _count_violation(self) -> None:
        self._metrics.count_violation()
        self._inspector.count_violation()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event that is not served directly, as ASGI has it."""
        if scope["type"] == "http":
            scope = {**scope, "path": correct_path(scope["path"])}
        await self._serving.pages(scope, receive, send)

    def find_direct(self, path: str) -> Serve | None:
        """See `plano_agents.http.server.handlers.DirectApp`."""
        endpoints, probes, inspector = self._serving.endpoints, self._serving.probes, self._serving.inspector
        return (
            endpoints.find_direct(path)
            or endpoints.find_direct(correct_path(path))
            or probes.find_direct(path)
            or inspector.find_direct(path)
        )

    def list_blanks(self, target: str) -> Blanks | None:
        """See `plano_agents.http.server.shortcut.ShortcutApp`."""
        fast_path = self._serving.endpoints.fast_path
        return fast_path.list_blanks(target) if fast_path is not None else None

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        """See `plano_agents.http.server.shortcut.ShortcutApp`."""
        fast_path = self._serving.endpoints.fast_path
        return fast_path.find_shortcut(template, peer) if fast_path is not None else None

    def count_fast_turns(self) -> Mapping[str, int]:
        """Count what became of the requests that took the fast path; see `FastPath.counts`."""
        return self._fast_turns

    def _start(self, config: Config) -> _Serving:
        """Build what serves a configuration, and let its measurements take the old ones' place."""
        measurements = Measurements(config.metrics_sources, self._fetch) if self._fetch is not None else None

        def read_metrics() -> Mapping[str, ModelMetrics]:
            return measurements.metrics if measurements is not None else NO_METRICS

        prices = Prices(config, read_metrics)

        sampler, tracers = self._collectors.observe(config)
        strategy = self._strategy or build_strategy(config, self._upstream)
        observers = [self._metrics.observe, self._log.observe, build_observer(self._inspector, prices), *tracers]
        if any(key.name for key in config.client_keys):
            observers.append(self._metrics.observe_clients)
        if tracers:
            observers.append(forget_traces)
        telling = Telling(observers, gather_seconds=self._gather_seconds)
        self._tellings.add(telling)
        health = self._health
        chooser = Chooser(config, strategy, read_metrics, is_down=health.is_down)
        share = config.routing.observe
        sample = Sample(share, chooser, lambda: prices, build_ghost_teller(self._inspector, self._tell))
        service = Service(
            config,
            chooser=chooser,
            pinning=self._pinning,
            dispatcher=Dispatcher(config, self._upstream, health),
            observe=telling.add,
            look_beside=partial(self._beside.offer, sample) if share else None,
            sampler=sampler,
            find_metrics=lambda: prices,
            wall_clock=self._wall_clock,
        )
        readiness = Readiness(partial(strategy.warm_up, config.preferences) if config.preferences else None)
        self._stop_watching()
        if measurements is not None and config.metrics_sources:
            self._watching = asyncio.get_running_loop().create_task(measurements.watch())
        keys = ClientKeys(config.client_keys, config.limits.allowed_hosts)
        endpoints = ProxiedEndpoints(
            service,
            config,
            keys.let_in,
            self._admission,
            on_refused=self._metrics.count_refusal,
            upstream=self._upstream if self._takes_fast_path and isinstance(self._upstream, HttpUpstream) else None,
            fast_turns=self._fast_turns,
        )
        self._admission.configure(config.limits)
        health.configure(config)
        self._metrics.configure(config)
        self._log.configure(config)
        pages = Gate(
            partial(self._build_pages, config),
            config,
            on_refused=self._metrics.count_refusal,
        )
        check = partial(check_operator, config.admin_token)
        site = InspectorSite(self._inspector, config, check, has_prices=bool(prices), settle=self._tell)
        return _Serving(
            endpoints, Probes(readiness.check, self._find_place, check_operator=check), site, pages, readiness
        )

    def _note_breaker(self, model: str, is_open: bool) -> None:  # noqa: FBT001 - a callback's
        self._metrics.count_breaker(model, is_open)
        self._log.note_breaker(model, is_open=is_open)

    def _build_pages(self, config: Config) -> ASGIApp:
        """Load FastAPI, and put together what is served beside the proxied endpoints."""
        from plano_agents.router.operate.operators import build_operators_api  # noqa: PLC0415 - slow to import
        from plano_agents.router.operate.pages import create_pages  # noqa: PLC0415

        pages = create_pages(config)
        pages.include_router(
            build_operators_api(config, self._pinning.store, self._metrics, self._days, wall_clock=self._wall_clock)
        )
        return pages
