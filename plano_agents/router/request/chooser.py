"""A configuration's offer to requests: its models, by any spelling, what they take, its preferences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from plano_agents.config.asked_models import find_asked, word_unknown
from plano_agents.config.model import Config, ModelProfile, Preference
from plano_agents.errors import ModelNotFoundError, RequestError
from plano_agents.protocol.openai_chat import PreferenceOverride
from plano_agents.providers.profiles import find_profile
from plano_agents.routing.candidates import ModelMetrics, order_candidates
from plano_agents.routing.strategy import Ranking, Recalling, Strategy
from plano_agents.routing.text import Utterance

MAX_REMEMBERED = 256
"""How many names that nothing declares are looked up once."""


class Chooser:
    """The models and preferences that all requests under one configuration choose from.

    Args:
        config: What is configured.
        strategy: Says which preference a request matches.
        metrics: Gives what is known of the models' prices and speed, by name.
        is_down: Whether a model's breaker is open.
    """

    def __init__(
        self,
        config: Config,
        strategy: Strategy,
        metrics: Callable[[], Mapping[str, ModelMetrics]] = dict,
        *,
        is_down: Callable[[str], bool] = lambda _model: False,
    ) -> None:
        self._config = config
        self.strategy = strategy
        self._recalling = strategy if isinstance(strategy, Recalling) else None
        self.find_metrics = metrics
        self.is_down = is_down
        """True if a model's breaker is open."""
        self._profiles = {model.name: find_profile(model, config.profiles) for model in config.models}
        spellings = [*self._profiles, *(model.model_id for model in config.models), *config.aliases]
        self._find_undeclared = lru_cache(MAX_REMEMBERED)(self._look_up)
        self._names = {
            spelling: model.name for spelling in spellings if (model := config.find_model(spelling)) is not None
        }
        self.prefers_nothing = all(each.prefer == "none" for each in config.preferences)
        """True if the preferences' models stay in the order in which they are configured."""

    def find_asked(self, name: str) -> str | None:
        """Find the qualified name of the model that a client means; None for what nothing serves."""
        return self._names.get(name) or self._find_undeclared(name)

    def word_unknown(self, name: str) -> str:
        """Word that a client's model is not configured."""
        return word_unknown(self._config, name)

    def find_name(self, name: str) -> str | None:
        """Find the qualified name of a declared model; None for what is not declared."""
        known = self._names.get(name)
        if known is not None:
            return known
        model = self._config.find_model(name)
        return model.name if model is not None else None

    def list_preferences(self, own: Sequence[PreferenceOverride] | None) -> Sequence[Preference]:
        """List the preferences that a request is matched with, each with its models in order.

        Args:
            own: The request's own, which take the configured ones' place; None where it brings none.

        Raises:
            ModelNotFoundError: One of its own names a model that is not configured.
            RequestError: One of its own has no models.
        """
        if own is not None:
            return tuple(self._check_preference(number, each) for number, each in enumerate(own))
        if self.prefers_nothing:
            return self._config.preferences
        return tuple(map(self._order, self._config.preferences))

    def recall(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking | None:
        """Find what the strategy would, where it knows at once; see `Recalling`."""
        return self._recalling.recall(conversation, preferences) if self._recalling is not None else None

    @property
    def default(self) -> str | None:
        """The default model, qualified; None where there is none."""
        default = self._config.default_model
        return default.name if default is not None else None

    @property
    def reads_users_only(self) -> bool:
        """True if only users' messages are read."""
        return self._config.routing.route_on_user_only

    def find_profile(self, name: str) -> ModelProfile:
        """Find what a configured model can take; a wildcard's is looked up each time, for its names have no end."""
        known = self._profiles.get(name)
        if known is None:
            model = self._config.find_model(name)
            assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen
            known = find_profile(model, self._config.profiles)
        return known

    def _look_up(self, name: str) -> str | None:
        model = find_asked(self._config, name)
        return model.name if model is not None else None

    def _order(self, preference: Preference) -> Preference:
        """Put a preference's models into the order that its selection policy asks for now."""
        if preference.prefer == "none":
            return preference
        return replace(preference, models=order_candidates(preference, self.find_metrics()))

    def _check_preference(self, number: int, given: PreferenceOverride) -> Preference:
        param = f"routing_preferences[{number}].models"
        if not given.models:
            raise RequestError(f"{param!r} is empty; name at least one configured model.", param=param)
        found: Mapping[str, str | None] = {name: self.find_asked(name) for name in given.models}
        unknown = next((name for name, model in found.items() if model is None), None)
        if unknown is not None:
            raise ModelNotFoundError(f"{param!r}: {self.word_unknown(unknown)}", param=param)
        models = tuple(model for model in found.values() if model is not None)
        prefer = given.selection_policy.prefer if given.selection_policy is not None else "none"
        return self._order(Preference(given.name, given.description, models, prefer))
