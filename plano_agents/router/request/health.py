"""Each upstream's health: its breaker, its rest and its retry budget, over all configurations that serve.

An upstream is a model, or one of its deployments (`name_upstream`); a deployment rests while its provider wants no
requests, or refuses its key, so that new sessions are pinned to others. What is said here of models holds of both.
A wildcard's models have their own each. Their names come from clients and have no end, so those used last are kept, and
of the others first those go that have nothing to tell.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from msgspec import Struct

from plano_agents.config.model import Breaker, Config, Model, Retries, name_upstream, split_upstream
from plano_agents.router.request.breaker import CircuitBreaker
from plano_agents.router.request.retry import RetryBudget
from plano_agents.sessions.pin import Cause

MAX_REST_SECONDS = 3_600.0
"""The longest rest, whatever a provider asks for."""

_NO_CAUSE = Cause("upstream_failed")

MAX_UNDECLARED = 1_000
"""Of how many models that only a wildcard declares the health is kept."""


class Rest:
    """A deployment's rest: for how long it is asked after all others only, and why.

    Args:
        clock: Monotonic time in seconds.
    """

    __slots__ = ("_clock", "_until", "cause", "is_asked_for")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = -math.inf
        self.cause = _NO_CAUSE
        """Why it rests."""
        self.is_asked_for = False
        """True if its provider has said how long: then nothing is sent before."""

    def begin(self, seconds: float, cause: Cause, *, is_asked_for: bool) -> None:
        """Leave it alone for some seconds, `MAX_REST_SECONDS` at most."""
        self._until = self._clock() + min(seconds, MAX_REST_SECONDS)
        self.cause, self.is_asked_for = cause, is_asked_for

    @property
    def seconds_left(self) -> float:
        """Seconds until it has rested; 0 where it does not rest."""
        return max(0.0, self._until - self._clock())


class ModelHealth(Struct, frozen=True):
    """One model's health."""

    breaker: CircuitBreaker
    """Its circuit breaker."""
    budget: RetryBudget
    """How many retries it is sent."""
    rest: Rest
    """True if it is not asked for now."""
    made_for: tuple[Model | None, Breaker, Retries]
    """How it was configured."""


class Health:
    """The models' health.

    Args:
        config: The breakers' and the retries' limits.
        clock: Monotonic time in seconds.
        on_change: Told which model's breaker opened (True) or closed (False).
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, bool], None] = lambda _model, _is_open: None,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._declared: dict[str, ModelHealth] = {}
        self._undeclared: dict[str, ModelHealth] = {}  # the one used last is last
        self._learn(config)

    def configure(self, config: Config) -> None:
        """Exchange the configuration: a model that stays as it was keeps its health, another starts anew."""
        self._learn(config)
        known = {**self._undeclared, **self._declared}
        stay = {name: each for name, each in known.items() if each.made_for == self._describe(name)}
        self._declared = {name: each for name, each in stay.items() if name in self._names}
        self._undeclared = {name: each for name, each in stay.items() if name not in self._names}

    def of(self, model: str) -> ModelHealth:
        """A model's health, or a deployment's.

        Args:
            model: The upstream's name.
        """
        found = self._declared.get(model)
        if found is not None:
            return found
        found = self._undeclared.pop(model, None) or self._build(model)
        if model in self._names:
            self._declared[model] = found
        else:
            self._undeclared[model] = found
            if len(self._undeclared) > MAX_UNDECLARED:
                self._forget_one()
        return found

    def is_declared(self, model: str) -> bool:
        """Tell whether a model, or a deployment, is configured by its name: then its health is not forgotten."""
        return model in self._names

    def list_breakers(self) -> Mapping[str, bool]:
        """Check whether the breaker is open of each model that was asked."""
        return {name: each.breaker.is_open for name, each in (self._undeclared | self._declared).items()}

    def is_down(self, model: str) -> bool:
        """Tell whether an upstream is not to be asked now: its breaker is open, or it is resting.

        A model is down where all of its deployments are.
        """
        deployed = self._config.find_model(model) if self._has_deployments else None
        if deployed is not None and deployed.deployments:
            return all(self.is_down(name_upstream(model, each.name)) for each in deployed.deployments)
        found = self._declared.get(model) or self._undeclared.get(model)
        return found is not None and (found.breaker.seconds_left > 0 or found.rest.seconds_left > 0)

    def _learn(self, config: Config) -> None:
        self._config = config
        self._has_deployments = any(model.deployments for model in config.models)
        self._names = frozenset(
            name_upstream(model.name, deployment)
            for model in config.models
            for deployment in (None, *(each.name for each in model.deployments))
        )

    def _build(self, model: str) -> ModelHealth:
        breaker = CircuitBreaker(self._config.breaker, clock=self._clock, on_change=partial(self._on_change, model))
        budget = RetryBudget(self._config.retries, clock=self._clock)
        return ModelHealth(breaker, budget, Rest(self._clock), self._describe(model))

    def _describe(self, model: str) -> tuple[Model | None, Breaker, Retries]:
        config = self._config
        name, deployment = split_upstream(model)
        found = config.find_model(name)
        if found is not None and deployment is not None:
            found = next((found.deploy(each) for each in found.deployments if each.name == deployment), None)
        elif found is not None:
            found = replace(found, deployments=())
        return found, config.breaker, config.retries

    def _forget_one(self) -> None:
        """Forget the model that was not asked for longest: one with nothing to tell, if there is one."""
        *others, _ = self._undeclared
        idle = (name for name in others if self._undeclared[name].breaker.is_pristine)
        del self._undeclared[next(idle, others[0])]
