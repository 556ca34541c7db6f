"""The choice of models for a request: the client's own, the matching preference's, in order.

Pure but for the strategy, which may take its time. What a session makes of it is decided by ``sessions``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from plano_agents.config.model import Preference
from plano_agents.errors import ModelNotFoundError
from plano_agents.protocol.adjustment import Adjustment, substituted
from plano_agents.protocol.needs import Needs
from plano_agents.protocol.request_body import RequestBody
from plano_agents.router.request.chooser import Chooser
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Ranking
from plano_agents.routing.suitability import find_unmet, put_suitable_first
from plano_agents.routing.text import Utterance, read_conversation
from plano_agents.sessions.decide import Route
from plano_agents.sessions.pin import Cause, Decision, Degraded
from plano_agents.sessions.pinning import Turn

FindRefusal = Callable[[str], Cause | None]
"""Finds what keeps a request from being written for a model; None where it can be."""


class Choice:
    """The candidates of one request.

    Args:
        chooser: What is configured.
        request: The request.

    Raises:
        ModelNotFoundError: One of the request's own preferences names a model that is not configured.
        RequestError: One of its own preferences has no models.
    """

    __slots__ = ("_chooser", "_needs", "_request", "_requested", "falls_back", "preferences", "ranking")

    def __init__(self, chooser: Chooser, request: RequestBody) -> None:
        self._chooser = chooser
        self._request = request
        self._needs = Needs(request.content, request.fields)
        name = request.model
        self._requested = chooser.default if name is None else chooser.find_asked(name)
        self.preferences = chooser.list_preferences(request.preferences)
        """The request's own, or the configured ones."""
        self.ranking: Ranking | None = None
        """What the strategy made of the request; None where it was not asked."""
        self.falls_back = False
        """True if the default serves a name that nothing serves: a harness' helpers ask for models of its own."""

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

    async def route_turn(self, turn: Turn, find_refusal: FindRefusal) -> Route:
        """Route a request of a session: to the model that its lane asks for by name, or as `route` does.

        Args:
            turn: The session's turn that it is.
            find_refusal: Finds what keeps the request from being written for a model.
        """
        self.falls_back = turn.lane is not None
        named = await turn.find_named(self.named)
        return await self.route(lambda name: find_refusal(name) is None) if named is None else Route(named, None)

    def find_hinted(self, hint: str, find_refusal: FindRefusal) -> str | None:
        """Find the model that goes on with the transcript that a hint's model made; None for what is not configured.

        That model itself; where it cannot serve what stays in the transcript, the first that can of those that share a
        preference with it.

        Args:
            hint: The model that made the transcript, as the client spells it.
            find_refusal: Finds what keeps the request from being written for a model.
        """

        def goes_on(name: str) -> bool:
            if not self.is_suitable(name):
                return False
            refusal = find_refusal(name)
            return refusal is None or not refusal.stays

        hinted = self._chooser.find_name(hint)
        if hinted is None:
            return None
        candidates = self.candidates(Decision(hinted, None, "initialize", "hint"), by_name=True)
        return next(filter(goes_on, candidates), hinted)

    def find_cause(self, name: str) -> Cause:
        """Tell why a model that cannot serve the request cannot."""
        return Cause("unsuitable", self._find_unmet(name))

    def tell_replaced(self, model: str) -> tuple[Adjustment, ...]:
        """Tell that the model that serves the request stands in for a name that nothing declares.

        Args:
            model: The one that serves it, qualified.
        """
        return tell_replaced(self._chooser, self._request.model, model)

    def is_suitable(self, name: str) -> bool:
        """Check whether a model can serve the request, as far as is known."""
        return self._find_unmet(name) is None

    def is_down(self, name: str) -> bool:
        """Check whether a model's breaker is open."""
        return self._chooser.is_down(name)

    def find_metrics(self) -> Mapping[str, ModelMetrics]:
        """Give what is known of the models' prices and speed, by name."""
        return self._chooser.find_metrics()

    @property
    def conversation(self) -> tuple[Utterance, ...]:
        """The conversation, as routing reads it."""
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
        known = self.route_at_once(carries)
        return known if known is not None else self._follow(await self.rank(), carries)

    def route_at_once(
        self, carries: Callable[[str], bool] = lambda _model: True, *, ranking: Ranking | None = None
    ) -> Route | None:
        """Route the request as `route` does, where the strategy is not needed, or knows at once.

        Args:
            carries: See `route`.
            ranking: The ranking of an earlier request that was the same; None where none is known.

        Returns:
            The route; None where the strategy takes its time.

        Raises:
            RequestError: Its conversation is none.
        """
        self.ranking = self.ranking or ranking
        if self.ranking is not None:
            return self._follow(self.ranking, carries)
        self._request.head  # noqa: B018 - a request that is routed is read, and judged, whether it is ranked or not
        if not self.preferences:
            return Route(self.requested, None)
        self.ranking = self._chooser.recall(self.conversation, self.preferences)
        return self._follow(self.ranking, carries) if self.ranking is not None else None

    def _follow(self, ranking: Ranking, carries: Callable[[str], bool]) -> Route:
        degraded: tuple[Degraded, ...] = ("routing",) if ranking.degraded is not None else ()
        name = ranking.match.name if ranking.match is not None else None
        models = self.list_routed(ranking.match)
        able = (each for each in models if self.is_suitable(each) and carries(each))
        return Route(next(able, models[0]) if len(models) > 1 else models[0], name, degraded)

    def list_routed(self, match: Preference | None) -> list[str]:
        """List the models that a match leads to, in the order in which they are tried; without one the client's own."""
        return [self.requested] if match is None else self._put_ready_first(match.models)

    def candidates(self, decision: Decision, *, by_name: bool = False) -> Iterator[str]:
        """List the models that may serve the request, in the order in which they are tried.

        Args:
            decision: The model decided on comes first; then the other models of its route, which stand in for it
                when it fails. Those whose circuit breaker is open come after the others, and those that cannot serve
                the request after both.
            by_name: Whether a hint or a lane's request named the session's model, unrouted: then the models that share
                a preference with it stand in for it.
        """
        leads = self.is_suitable(decision.model)
        if leads:
            yield decision.model  # mostly it answers, and nobody asks who could have stood in
        listed = dict.fromkeys(
            name
            for each in self.preferences
            if each.name == decision.route or (by_name and decision.model in each.models)
            for name in each.models
        )
        others = self._put_ready_first(name for name in listed if name != decision.model)
        yield from others if leads else put_suitable_first([decision.model, *others], self.is_suitable)

    def _put_ready_first(self, models: Iterable[str]) -> list[str]:
        """Order candidates: those that can serve the request, those with an open breaker, those that cannot."""
        return put_suitable_first(sorted(models, key=self.is_down), self.is_suitable)

    def _find_unmet(self, name: str) -> str | None:
        """Find what the request needs that a model cannot give; None where it can serve it, as far as is known."""
        return find_unmet(self._chooser.find_profile(name), self._needs)


def tell_replaced(chooser: Chooser, name: str | None, model: str) -> tuple[Adjustment, ...]:
    """Tell that a model stands in for a name that nothing declares.

    Args:
        chooser: What is configured.
        name: The model that is asked for; None where none is.
        model: The one that serves, qualified.
    """
    if name is None or chooser.find_name(name) is not None or model.endswith(f"/{name}"):
        return ()
    return (substituted("model", model, name),)
