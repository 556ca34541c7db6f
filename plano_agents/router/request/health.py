"""Each model's health: its breaker and its retry budget, over all configurations that serve.

A wildcard's models have their own each. Their names come from clients and have no end, so those used last are kept, and
of the others first those go that have nothing to tell.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct

from plano_agents.config.model import Breaker, Config, Model, Retries
from plano_agents.router.request.breaker import CircuitBreaker
from plano_agents.router.request.retry import RetryBudget

MAX_UNDECLARED = 1_000
"""Of how many models that only a wildcard declares the health is kept."""


class ModelHealth(Struct, frozen=True):
    """One model's health."""

    breaker: CircuitBreaker
    """Its circuit breaker."""
    budget: RetryBudget
    """How many retries it is sent."""
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
        self._config = config
        self._names = frozenset(model.name for model in config.models)

    def configure(self, config: Config) -> None:
        """Exchange the configuration: a model that stays as it was keeps its health, another starts anew."""
        self._config = config
        self._names = frozenset(model.name for model in config.models)
        known = {**self._undeclared, **self._declared}
        stay = {name: each for name, each in known.items() if each.made_for == self._describe(name)}
        self._declared = {name: each for name, each in stay.items() if name in self._names}
        self._undeclared = {name: each for name, each in stay.items() if name not in self._names}

    def of(self, model: str) -> ModelHealth:
        """A model's health.

        Args:
            model: Its provider-qualified name.
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

    def list_breakers(self) -> Mapping[str, bool]:
        """Whether the breaker is open of each model that was asked."""
        return {name: each.breaker.is_open for name, each in (self._undeclared | self._declared).items()}

    def is_down(self, model: str) -> bool:
        """Whether a model's circuit breaker is open now."""
        found = self._declared.get(model) or self._undeclared.get(model)
        return found is not None and found.breaker.seconds_left > 0

    def _build(self, model: str) -> ModelHealth:
        breaker = CircuitBreaker(self._config.breaker, clock=self._clock, on_change=partial(self._on_change, model))
        budget = RetryBudget(self._config.retries, clock=self._clock)
        return ModelHealth(breaker, budget, self._describe(model))

    def _describe(self, model: str) -> tuple[Model | None, Breaker, Retries]:
        config = self._config
        return config.find_model(model), config.breaker, config.retries

    def _forget_one(self) -> None:
        """Forget the model that was not asked for longest: one with nothing to tell, if there is one."""
        *others, _ = self._undeclared
        idle = (name for name in others if self._undeclared[name].breaker.is_pristine)
        del self._undeclared[next(idle, others[0])]
