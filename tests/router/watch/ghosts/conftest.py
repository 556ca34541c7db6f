"""Routing beside requests, as tests see it: a scripted strategy, a scripted provider, and whole conversations."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from plano_agents.config.model import Config, Preference
from plano_agents.http.client import UpstreamRequest
from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.health import Health
from plano_agents.router.request.service import Service
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.ghosts.beside import Beside, Sample
from plano_agents.router.watch.ghosts.days import Days
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Ranking, Strategy
from plano_agents.routing.text import Utterance
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.store import SessionStore
from tests.router.conftest import MemoryResponse, Seen, ask, build_model, build_pinning

BIG, SMALL = "openai/big", "openai/small"
PREFERENCES = (Preference("code", "writing code", (BIG,)), Preference("talk", "small talk", (SMALL,)))
CONFIG = Config(models=(build_model(BIG), build_model(SMALL)), preferences=PREFERENCES)
PRICES = {
    BIG: ModelMetrics(10.0, 40.0, cached_usd_per_million=1.0),
    SMALL: ModelMetrics(1.0, 4.0, cached_usd_per_million=0.5),
}
MODELS = {"code": BIG, "talk": SMALL}
"""The model of each kind of turn."""


class ByLastWord:
    """Matches the preference whose name is the last word that a user has said."""

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        said = [each.text for each in conversation if each.role == "user"][-1]
        return Ranking("told", next((each for each in preferences if said.endswith(each.name)), None))

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Nothing is to be loaded."""


class Metered:
    """A provider whose next answer says what it is told to have cost."""

    tokens = NO_TOKENS

    async def send(self, _: UpstreamRequest) -> MemoryResponse:
        usage = {
            "prompt_tokens": self.tokens.input,
            "completion_tokens": self.tokens.output,
            "prompt_tokens_details": {"cached_tokens": self.tokens.cached},
        }
        answer = {"id": "c", "model": "m", "choices": [{"message": {}}], "usage": usage}
        return MemoryResponse(pieces=(json.dumps(answer).encode(),))

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class Time:
    """Time that moves when told to."""

    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A router's service that routes turns beside, and its conversations."""

    share: float = 1.0
    strategy: Strategy = field(default_factory=ByLastWord)
    store: SessionStore = field(default_factory=lambda: MemorySessionStore(max_entries=100))
    chance: Callable[[], float] = lambda: 0.0
    prices: Mapping[str, ModelMetrics] = field(default_factory=lambda: PRICES)
    config: Config = CONFIG
    told: list[Ghost] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.time = Time()
        self.provider = Metered()
        self.days = Days(self.store, wall_clock=self.time)
        self.beside = Beside(self.days, clock=lambda: 0.0, chance=self.chance)
        chooser = Chooser(self.config, self.strategy)
        sample = Sample(self.share, chooser, lambda: self.prices, self._tell)
        self.service = Service(
            self.config,
            chooser=chooser,
            pinning=build_pinning(),
            dispatcher=Dispatcher(self.config, self.provider, Health(self.config), chance=lambda: 0.0),
            look_beside=partial(self.beside.offer, sample),
            wall_clock=self.time,
        )
        self._transcripts: dict[str, list[dict[str, Any]]] = {}

    async def say(self, session: str, text: str, tokens: Tokens = NO_TOKENS) -> Seen:
        """Send the next turn of a session, with all that was said before."""
        self.provider.tokens = tokens
        transcript = self._transcripts.setdefault(session, [])
        transcript.append({"role": "user", "content": text})
        seen = await ask(self.service, json.dumps({"messages": transcript}).encode(), ("x-model-affinity", session))
        transcript.append({"role": "assistant", "content": "It is done."})
        return seen

    def _tell(self, _: Trail, ghost: Ghost) -> None:
        self.told.append(ghost)
