"""The service of one configuration: its chooser, sessions, dispatcher and observers, for all its stories."""

import time
from collections.abc import Callable, Sequence

from plano_agents.config.model import Config, Model
from plano_agents.router.request.candidates import Served
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.deployments import order_deployments
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.sampling import Sampler, new_trace_id
from plano_agents.router.request.surfaces import Endpoint
from plano_agents.router.request.switch_budget import FindMetrics
from plano_agents.router.request.trail import Tell, Trail
from plano_agents.router.request.turns import Turns
from plano_agents.sessions.cache_keys import remember_cache_keys
from plano_agents.sessions.pin import Decision, SessionKey
from plano_agents.sessions.pinning import Pinning, Turn

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
        find_metrics: Gives what is known of the models' prices, for the budget of switches.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.
        new_trace_id: Makes the ids of traces that no client has begun.

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
        observe: Tell = lambda _trail: None,
        look_beside: LookBeside | None = None,
        sampler: Sampler | None = None,
        find_metrics: FindMetrics = dict,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
        new_trace_id: Callable[[], str] = new_trace_id,
    ) -> None:
        self.chooser = chooser
        self.turns = Turns(config, pinning, find_metrics, wall_clock)
        self.dispatcher = dispatcher
        self.observe = observe
        self.look_beside = look_beside
        self.sampler = sampler
        self.clock = clock
        self.wall_clock = wall_clock
        self.new_trace_id = new_trace_id
        self.patience = config.limits.keepalive_comment_seconds
        """After how many seconds without a stream's first byte the client is told to wait."""
        self._config = config
        self._find_cache_key = remember_cache_keys(config)
        self._served = {model.name: self._serve(model) for model in config.models}

    def list_served(self, name: str, turn: Turn | None = None, decision: Decision | None = None) -> Sequence[Served]:
        """List where a configured model is served, in the order in which its deployments are asked.

        Args:
            name: The model, provider-qualified; one of a wildcard's is looked up each time.
            turn: The session's turn that is served; None without one.
            decision: The decision about the request; the deployment that it names, of its own model, is asked first.
        """
        served = self._served.get(name) or self._find_undeclared(name)
        if served[0].deployment is None:
            return served
        pinned = decision.deployment if decision is not None and decision.model == name else None
        return self._order(served, turn.key if turn is not None else None, pinned)

    def choose_deployment(self, name: str, key: SessionKey) -> str | None:
        """Choose the deployment that a session is pinned to with a model; None for a model without deployments."""
        served = self._served.get(name) or self._find_undeclared(name)
        return self._order(served, key, None)[0].deployment if served[0].deployment is not None else None

    def _order(self, served: Sequence[Served], key: SessionKey | None, pinned: str | None) -> Sequence[Served]:
        return order_deployments(served, key, pinned, is_down=self.chooser.is_down)

    def _find_undeclared(self, name: str) -> Sequence[Served]:
        model = self._config.find_model(name)
        assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen
        return self._serve(model)

    def _serve(self, model: Model) -> Sequence[Served]:
        return [Served(model, self._config, self._find_cache_key, each) for each in model.deployments or (None,)]
