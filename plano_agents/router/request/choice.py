"""Which models may serve a request: the client's own, the matching preference's, in which order.

Pure but for the strategy, which may take its time. What a session makes of it is decided by ``sessions``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from plano_agents.config.asked_models import find_asked, word_unknown
from plano_agents.config.model import Config, ModelProfile, Preference
from plano_agents.errors import ModelNotFoundError, RequestError
from plano_agents.protocol.adjustment import Adjustment, substituted
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.openai_chat import PreferenceOverride
from plano_agents.protocol.request_body import RequestBody
from plano_agents.providers.profiles import find_profile
from plano_agents.routing.candidates import ModelMetrics, order_candidates
from plano_agents.routing.strategy import Ranking, Strategy
from plano_agents.routing.suitability import can_serve, find_unmet, put_suitable_first
from plano_agents.routing.text import Utterance, read_conversation
from plano_agents.sessions.decide import Route
from plano_agents.sessions.pin import Cause, Decision, Degraded
from plano_agents.sessions.pinning import Turn

MAX_REMEMBERED = 256
"""How many names that nothing declares are looked up once."""


class Chooser:
    """Reads from requests which models may serve them.

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
        self.find_metrics = metrics
        self.is_down = is_down
        """Whether a model's breaker is open."""
        self._profiles = {model.name: find_profile(model, config.profiles) for model in config.models}
        spellings = [*self._profiles, *(model.model_id for model in config.models), *config.aliases]
        self._find_undeclared = lru_cache(MAX_REMEMBERED)(self._look_up)
        self._names = {
            spelling: model.name
            for spelling in spellings
            if (model := config.find_model(spelling)) is not None
        }
        self._prefers_nothing = all(each.prefer == "none" for each in config.preferences)

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

    def read(self, request: RequestBody) -> "Choice":
        """Read a request's choice.

        Args:
            request: The request.

        Raises:
            ModelNotFoundError: One of its own preferences names a model that is not configured.
            RequestError: One of its own preferences has no models.
        """
        own = request.preferences
        if own is not None:
            preferences = tuple(self._check_preference(number, each) for number, each in enumerate(own))
        elif self._prefers_nothing:
            preferences = self._config.preferences
        else:
            preferences = tuple(map(self._order, self._config.preferences))
        return Choice(self, request, self._find_requested(request.model), preferences)

    def can_serve(self, name: str, needs: Needs) -> bool:
        """Whether a model can serve a request, as far as is known."""
        return can_serve(self._find_profile(name), needs)

    def find_unmet(self, name: str, needs: Needs) -> str | None:
        """Find what a request needs that a model cannot give; None where it can serve it, as far as is known."""
        return find_unmet(self._find_profile(name), needs)

    @property
    def default(self) -> str | None:
        """The default model, qualified; None where there is none."""
        default = self._config.default_model
        return default.name if default is not None else None

    @property
    def reads_users_only(self) -> bool:
        """Whether only users' messages are read."""
        return self._config.routing.route_on_user_only

    def _find_profile(self, name: str) -> ModelProfile:
        """Find what a configured model can take; a wildcard's is looked up each time, for its names have no end."""
        known = self._profiles.get(name)
        if known is None:
            model = self._config.find_model(name)
            assert model is not None, "a candidate is a configured model"  # noqa: S101 - cannot happen
            known = find_profile(model, self._config.profiles)
        return known

    def _find_requested(self, name: str | None) -> str | None:
        return self.default if name is None else self.find_asked(name)

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
        return Preference(given.name, given.description, models)


class Choice:
    """What one request has to choose from.

    Args:
        chooser: What is configured.
        request: The request.
        requested: The client's own model, qualified; the default where it named none; None where nothing serves it.
        preferences: The request's own, or the configured ones.
    """

    __slots__ = ("_chooser", "_needs", "_request", "_requested", "falls_back", "preferences", "ranking")

    def __init__(
        self, chooser: Chooser, request: RequestBody, requested: str | None, preferences: Sequence[Preference]
    ) -> None:
        self._chooser = chooser
        self._request = request
        self._needs = Needs(request.content, request.fields)
        self._requested = requested
        self.preferences = preferences
        self.ranking: Ranking | None = None
        """What the strategy made of the request; None where it was not asked."""
        self.falls_back = False
        """Whether the default serves a name that nothing serves: so it is for a harness, whose helpers ask for its own."""

    @property
    def requested(self) -> str:
        """The client's own model, qualified: what serves the request where no pin and no preference does.

        Raises:
            ModelNotFoundError: It is not configured, or none is named and there is no default.
        """
        requested = self._requested
        if requested is None and self.falls_back:
            requested = self._chooser.default
        if requested is None:
            name = self._request.model
            raise ModelNotFoundError(
                self._chooser.word_unknown(name)
                if name is not None
                else "No model is named, and the configuration has no default. Send 'model'.",
                param="model",
            )
        return requested

    @property
    def named(self) -> str | None:
        """The configured model that the request asks for by name, qualified; None where it asks for none."""
        return self._requested if self._request.model is not None else None

    async def route_turn(self, turn: Turn, carries: Callable[[str], bool]) -> Route:
        """Route a request of a session: to the model that its lane asks for by name, or as `route` does.

        Args:
            turn: The session's turn that it is.
            carries: Whether the request can be written for a model.
        """
        self.falls_back = turn.lane is not None
        named = await turn.find_named(self.named)
        return await self.route(carries) if named is None else Route(named, None)

    def find_hinted(self, hint: str) -> str | None:
        """Find the model that goes on with the transcript that a hint's model made; None for what is not configured.

        That model itself; where it cannot serve what stays in the transcript, the first that can of those that share a
        preference with it.
        """
        hinted = self._chooser.find_name(hint)
        if hinted is None or self.is_suitable(hinted):
            return hinted
        return next(self.candidates(Decision(hinted, None, "initialize", "hint"), by_hint=True))

    def find_cause(self, name: str) -> Cause:
        """Tell why a model that cannot serve the request cannot."""
        return Cause("unsuitable", self._chooser.find_unmet(name, self._needs))

    def tell_replaced(self, model: str) -> tuple[Adjustment, ...]:
        """Tell that the model that serves the request stands in for a name that nothing declares.

        Args:
            model: The one that serves it, qualified.
        """
        name = self._request.model
        if name is None or self._chooser.find_name(name) is not None or model.endswith(f"/{name}"):
            return ()
        return (substituted("model", model, name),)

    def is_suitable(self, name: str) -> bool:
        """Whether a model can serve the request, as far as is known."""
        return self._chooser.can_serve(name, self._needs)

    def is_down(self, name: str) -> bool:
        """Whether a model's breaker is open."""
        return self._chooser.is_down(name)

    def find_metrics(self) -> Mapping[str, ModelMetrics]:
        """Give what is known of the models' prices and speed, by name."""
        return self._chooser.find_metrics()

    @property
    def conversation(self) -> tuple[Utterance, ...]:
        """What routing reads of the request."""
        return read_conversation(self._request.head.messages, user_only=self._chooser.reads_users_only)

    async def rank(self) -> Ranking:
        """Find the preference that the request matches; the strategy is asked once."""
        if self.ranking is None:
            self.ranking = await self._chooser.strategy.rank(self.conversation, self.preferences)
        return self.ranking

    async def route(self, carries: Callable[[str], bool] = lambda _model: True) -> Route:
        """Route the request: the matching preference's first model that can serve it now, or the client's own.

        Args:
            carries: Whether the request can be written for a model; asked where there is a choice of them.

        Raises:
            RequestError: Its conversation is none.
        """
        self._request.head  # noqa: B018 - a request that is routed is read, and judged, whether it is ranked or not
        if not self.preferences:
            return Route(self.requested, None)
        ranking = await self.rank()
        degraded: tuple[Degraded, ...] = ("routing",) if ranking.degraded is not None else ()
        name = ranking.match.name if ranking.match is not None else None
        models = self.list_routed(ranking.match)
        able = (each for each in models if self.is_suitable(each) and carries(each))
        return Route(next(able, models[0]) if len(models) > 1 else models[0], name, degraded)

    def list_routed(self, match: Preference | None) -> list[str]:
        """List the models that a match leads to, in the order in which they are tried; without one the client's own."""
        return [self.requested] if match is None else self._put_ready_first(match.models)

    def candidates(self, decision: Decision, *, by_hint: bool = False) -> Iterator[str]:
        """List the models that may serve the request, in the order in which they are tried.

        Args:
            decision: The model decided on comes first; then the other models of its route, which stand in for it
                when it fails. Those that are left alone for now come after the others, and those that cannot serve
                the request after both.
            by_hint: Whether the session was pinned by a hint, unrouted: then the models that share a preference with
                its model stand in for it.
        """
        leads = self.is_suitable(decision.model)
        if leads:
            yield decision.model  # mostly it answers, and nobody asks who could have stood in
        listed = dict.fromkeys(
            name
            for each in self.preferences
            if each.name == decision.route or (by_hint and decision.model in each.models)
            for name in each.models
        )
        others = self._put_ready_first(name for name in listed if name != decision.model)
        yield from others if leads else put_suitable_first([decision.model, *others], self.is_suitable)

    def _put_ready_first(self, models: Iterable[str]) -> list[str]:
        """Order candidates: those that can serve the request now, then those left alone, then those that cannot."""
        return put_suitable_first(sorted(models, key=self.is_down), self.is_suitable)
