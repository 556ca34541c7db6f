"""Which models may serve a request: the client's own, the matching preference's, in which order.

Pure but for the strategy, which may take its time. What a session makes of it is decided by ``sessions``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plano_agents.config.model import WILDCARD, Config, Model, ModelProfile, Preference
from plano_agents.errors import ModelNotFoundError, RequestError
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.openai_chat import ChatHead, PreferenceOverride
from plano_agents.providers.profiles import find_profile
from plano_agents.routing.candidates import ModelMetrics, order_candidates
from plano_agents.routing.strategy import Ranking, Strategy
from plano_agents.routing.suitability import can_serve, put_suitable_first
from plano_agents.routing.text import Utterance, read_conversation
from plano_agents.sessions.decide import Route
from plano_agents.sessions.pin import Decision, Degraded


class Chooser:
    """Reads from requests which models may serve them.

    Args:
        config: What is configured.
        strategy: Says which preference a request matches.
        metrics: Gives what is known of the models' prices and speed, by name.
        is_down: Whether a configured entry's breaker is open.
    """

    def __init__(
        self,
        config: Config,
        strategy: Strategy,
        metrics: Callable[[], Mapping[str, ModelMetrics]] = dict,
        *,
        is_down: Callable[[str], bool] = lambda _entry: False,
    ) -> None:
        self._config = config
        self._strategy = strategy
        self._metrics = metrics
        self._is_down = is_down
        self._profiles = {model.name: find_profile(model, config.profiles) for model in config.models}

    def find_name(self, name: str) -> str | None:
        """Find the qualified name of a model, however it is spelt; None for what is not configured."""
        model = self._config.find_model(name)
        return model.name if model is not None else None

    def read(self, head: ChatHead, needs: Needs) -> "Choice":
        """Read a request's choice.

        Args:
            head: What routing needs of the request.
            needs: What the request needs of a model.

        Raises:
            ModelNotFoundError: It names a model that is not configured.
            RequestError: One of its own preferences has no models.
        """
        own = head.routing_preferences
        preferences = (
            tuple(map(self._order, self._config.preferences))
            if own is None
            else tuple(self._check_preference(number, each) for number, each in enumerate(own))
        )
        return Choice(
            head,
            self._find_requested(head.model).name,
            preferences,
            self._strategy,
            lambda name: can_serve(self._find_profile(name), needs),
            lambda name: self._is_down(self._find_entry(name)),
            self._metrics,
            user_only=self._config.routing.route_on_user_only,
        )

    def _find_entry(self, name: str) -> str:
        """Find the entry that serves a model: its own, or its provider's wildcard."""
        return name if name in self._profiles else f"{name.partition('/')[0]}/{WILDCARD}"

    def _find_profile(self, name: str) -> ModelProfile:
        """Find what a configured model can take; a wildcard's is looked up each time, for its names have no end."""
        known = self._profiles.get(name)
        if known is None:
            model = self._config.find_model(name)
            assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen
            known = find_profile(model, self._config.profiles)
        return known

    def _order(self, preference: Preference) -> Preference:
        """Put a preference's models into the order that its selection policy asks for now."""
        if preference.prefer == "none":
            return preference
        return replace(preference, models=order_candidates(preference, self._metrics()))

    def _find_requested(self, name: str | None) -> Model:
        """Find the client's own model: the candidate when no route matches."""
        model = self._config.find_model(name) if name is not None else self._config.default_model
        if model is None:
            raise ModelNotFoundError(
                f"The model {name!r} is not configured. Configured are: {', '.join(self._known_names())}."
                if name is not None
                else "No model is named, and the configuration has no default. Send 'model'.",
                param="model",
            )
        return model

    def _known_names(self) -> list[str]:
        return [*(model.name for model in self._config.models), *self._config.aliases]

    def _check_preference(self, number: int, given: PreferenceOverride) -> Preference:
        param = f"routing_preferences[{number}].models"
        if not given.models:
            raise RequestError(f"{param!r} is empty; name at least one configured model.", param=param)
        found: Mapping[str, str | None] = {name: self.find_name(name) for name in given.models}
        unknown = next((name for name, model in found.items() if model is None), None)
        if unknown is not None:
            raise ModelNotFoundError(
                f"{param!r} names {unknown!r}, which is not configured. Configured are: "
                f"{', '.join(self._known_names())}.",
                param=param,
            )
        models = tuple(model for model in found.values() if model is not None)
        return Preference(given.name, given.description, models)


@dataclass(frozen=True, slots=True)
class Choice:
    """What one request has to choose from."""

    head: ChatHead
    """The request."""
    requested: str
    """The client's own model, qualified; the default where it named none."""
    preferences: Sequence[Preference]
    """The request's own, or the configured ones."""
    strategy: Strategy
    """Says which of them the request matches."""
    is_suitable: Callable[[str], bool]
    """Whether a model can serve the request, as far as is known."""
    is_down: Callable[[str], bool]
    """Whether a model's breaker is open."""
    find_metrics: Callable[[], Mapping[str, ModelMetrics]]
    """Gives what is known of the models' prices and speed, by name."""
    user_only: bool = False
    """Whether only users' messages are read."""
    _ranked: list[Ranking] = field(default_factory=list, repr=False)

    @property
    def ranking(self) -> Ranking | None:
        """What the strategy made of the request; None where it was not asked."""
        return self._ranked[0] if self._ranked else None

    @property
    def conversation(self) -> tuple[Utterance, ...]:
        """What routing reads of the request."""
        return read_conversation(self.head.messages, user_only=self.user_only)

    async def rank(self) -> Ranking:
        """Find the preference that the request matches; the strategy is asked once."""
        if not self._ranked:
            self._ranked.append(await self.strategy.rank(self.conversation, self.preferences))
        return self._ranked[0]

    async def route(self) -> Route:
        """Route the request: the matching preference's first model that can serve it now, or the client's own."""
        if not self.preferences:
            return Route(self.requested, None)
        ranking = await self.rank()
        degraded: tuple[Degraded, ...] = ("routing",) if ranking.degraded is not None else ()
        name = ranking.match.name if ranking.match is not None else None
        return Route(self.list_routed(ranking.match)[0], name, degraded)

    def list_routed(self, match: Preference | None) -> list[str]:
        """List the models that a match leads to, in the order in which they are tried; without one the client's own."""
        return [self.requested] if match is None else self._put_ready_first(match.models)

    def candidates(self, decision: Decision, *, by_hint: bool = False) -> list[str]:
        """List the models that may serve the request, in the order in which they are tried.

        Args:
            decision: The model decided on comes first; then the other models of its route, which stand in for it
                when it fails. Those that are left alone for now come after the others, and those that cannot serve
                the request after both.
            by_hint: Whether the session was pinned by a hint, unrouted: then the models that share a preference with
                its model stand in for it.
        """
        listed = dict.fromkeys(
            name
            for each in self.preferences
            if each.name == decision.route or (by_hint and decision.model in each.models)
            for name in each.models
        )
        others = self._put_ready_first(name for name in listed if name != decision.model)
        return put_suitable_first([decision.model, *others], self.is_suitable)

    def _put_ready_first(self, models: Iterable[str]) -> list[str]:
        """Order candidates: those that can serve the request now, then those left alone, then those that cannot."""
        return put_suitable_first(sorted(models, key=self.is_down), self.is_suitable)
