"""The service of one configuration: its chooser, sessions, dispatcher and observers, for all its stories."""

import time
from collections.abc import Callable

from plano_agents.config.model import Config
from plano_agents.router.request.candidates import Served
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.sampling import Sampler
from plano_agents.router.request.surfaces import Endpoint
from plano_agents.router.request.trail import Observer, Trail
from plano_agents.router.request.turns import Turns
from plano_agents.sessions.cache_keys import remember_cache_keys
from plano_agents.sessions.pinning import Pinning

LookBeside = Callable[[Endpoint, bytes, Trail], None]
"""Is shown each request once it is over, with its body; returns at once."""


class Service:
    """The parts that answer the proxied endpoints' requests.

    Args:
        config: What is configured.
        chooser: Says which models may serve a request.
        pinning: Keeps the sessions' models; it may outlive this service, as a configuration is exchanged.
        dispatcher: Sends to the providers.
        observe: Is shown each request once it is over.
        look_beside: Is shown it too, with its body, to route it beside; None where no request is.
        sampler: Begins requests' traces; None where nothing is traced.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.

    Raises:
        ConfigError: A configured model cannot be served.
    """

    def __init__(
        self,
        config: Config,
        *,
        chooser: Chooser,
        pinning: Pinning,
        dispatcher: Dispatcher,
        observe: Observer = lambda _trail: None,
        look_beside: LookBeside | None = None,
        sampler: Sampler | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.chooser = chooser
        self.turns = Turns(config, pinning)
        self.dispatcher = dispatcher
        self.observe = observe
        self.look_beside = look_beside
        self.sampler = sampler
        self.clock = clock
        self.wall_clock = wall_clock
        self.patience = config.limits.keepalive_comment_seconds
        """After how many seconds without a stream's first byte the client is told to wait."""
        self._config = config
        self._find_cache_key = remember_cache_keys(config)
        self._served = {model.name: Served(model, config, self._find_cache_key) for model in config.models}

    def find_served(self, name: str) -> Served:
        """Find where a configured model is served; one of a wildcard's is looked up each time."""
        served = self._served.get(name)
        if served is None:
            model = self._config.find_model(name)
            assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen
            served = Served(model, self._config, self._find_cache_key)
        return served
