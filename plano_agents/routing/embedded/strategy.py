"""The embedded strategy: ranks off the event loop, many requests at a time; what it has ranked before, at once.

While one batch is computed, the requests that come meanwhile wait, and make the next. The encoder is loaded by the
first of them, or before by `EmbeddedStrategy.warm_up`; until then not even NumPy is.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from plano_agents.config.model import DEFAULT_THRESHOLD, Preference
from plano_agents.routing.embedded.remembered import RememberedScores
from plano_agents.routing.strategy import Question, Ranking, Scored
from plano_agents.routing.text import Utterance

if TYPE_CHECKING:
    from plano_agents.routing.embedded.engine import Engine

NAME = "embedded"
"""What the strategy is called in explanations."""

MOST_AT_ONCE = 16
"""How many requests make a batch at most."""

_THREADS_VARIABLE = "OPENBLAS_NUM_THREADS"

Scores = list[float]
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plano-routing")
"""The one thread that the engine is used from; it starts with the first request."""


def _load() -> "Engine":
    """Load the engine, and NumPy with it, without threads: they would never be used (see `Engine.score`).

    OpenBLAS starts its threads when it is loaded, as many as its variable says; the environment is left as it was.
    """
    given = os.environ.get(_THREADS_VARIABLE)
    os.environ[_THREADS_VARIABLE] = given or "1"
    try:
        from plano_agents.routing.embedded.engine import load_engine  # noqa: PLC0415 - NumPy loads when it is needed
    finally:
        if given is None:
            del os.environ[_THREADS_VARIABLE]
    return load_engine()


class EmbeddedStrategy:
    """Matches preferences by meaning, with a small encoder that comes with the package.

    Args:
        threshold: The score that a match must exceed.
        load: Gives the engine; called from a thread of its own, when it is needed.
    """

    def __init__(self, threshold: float = DEFAULT_THRESHOLD, load: "Callable[[], Engine]" = _load) -> None:
        self._threshold = threshold
        self._load = load
        self._remembered = RememberedScores()
        self._waiting: list[tuple[Sequence[Utterance], Sequence[Preference], asyncio.Future[Scores]]] = []
        self._working: asyncio.Task[None] | None = None

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """See `Strategy.warm_up`: loads the engine, and reads the preferences."""
        await self._score((Utterance("user", "hello"),), preferences)

    async def prepare(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> None:
        """See `Preparing`: reads one message at a time; requests that wait are ranked in between."""
        if preferences and self._remembered.find(self._remembered.key(conversation, preferences)) is None:
            for said in conversation:
                await self._score((said,), preferences)

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        """See `Strategy.rank`."""
        known = self.recall(conversation, preferences)
        if known is not None:
            return known
        scores = await self._score(conversation, preferences)
        self._remembered.keep(self._remembered.key(conversation, preferences), scores)
        return self._build_ranking(preferences, scores)

    def recall(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking | None:
        """See `Recalling`."""
        if not conversation or not preferences:
            scored = tuple(Scored(preference, 0.0) for preference in preferences)
            return Ranking(NAME, None, scored, self._threshold)
        scores = self._remembered.find(self._remembered.key(conversation, preferences))
        return self._build_ranking(preferences, scores) if scores is not None else None

    def _build_ranking(self, preferences: Sequence[Preference], scores: Sequence[float]) -> Ranking:
        best = max(range(len(scores)), key=scores.__getitem__)
        return Ranking(
            NAME,
            preferences[best] if scores[best] > self._threshold else None,
            tuple(map(Scored, preferences, scores)),
            self._threshold,
        )

    async def _score(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Scores:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Scores] = loop.create_future()
        self._waiting.append((conversation, preferences, future))
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work())
        return await future

    async def _work(self) -> None:
        """Compute batches until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            batch = [each for each in batch if not each[2].done()]
            try:
                scores = await loop.run_in_executor(_THREAD, self._compute, [each[:2] for each in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
                for *_, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (*_, future), own in zip(batch, scores, strict=True):
                if not future.done():
                    future.set_result(own)

    def _compute(self, batch: Sequence[tuple[Sequence[Utterance], Sequence[Preference]]]) -> list[Scores]:
        return self._load().score([Question(*each) for each in batch])
