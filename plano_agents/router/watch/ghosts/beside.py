"""Routing beside requests: a sample of the pinned turns is routed as without affinity, once they are over.

A turn counts that its session's pin decided and that was answered well. Each is drawn by its own chance, the configured
share, whatever session it is of. What is drawn waits in a bounded queue and is routed one at a time, with the strategy
that routes first turns: the turn before, as the transcript tells it, and then, timed, the turn itself, of which only
the words that are new have to be read, as they would have to be without affinity. The words before are read a message
at a time, so that no first turn waits for more than one of them, and after each turn comes a rest, so that all this
takes a fifth of the time at most. What there is no room for is dropped, and counted. The request that is routed is held
until then; of it nothing is kept.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from plano_agents.errors import PlanoError
from plano_agents.observe.tally import Counter, Histogram, Tally
from plano_agents.protocol.request_body import RequestBody
from plano_agents.protocol.turn_before import build_turn_before
from plano_agents.router.request.choice import Choice
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.surfaces import Endpoint
from plano_agents.router.request.trail import Trail
from plano_agents.router.request.upstream_answer import SUCCESS
from plano_agents.router.watch.ghosts.days import Days
from plano_agents.router.watch.ghosts.ghost import Ghost, build_ghost
from plano_agents.router.watch.metrics import ROUTING_SECONDS
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.routing.strategy import Preparing

logger = logging.getLogger(__name__)

MAX_WAITING = 64
"""How many turns wait at most."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""How many bytes their requests have at most."""

RESTS = 4
"""How many times as long as routing a turn took the rest after it is."""

LONGEST_REST_SECONDS = 5.0
"""How long it is at most."""

OUTCOMES = ("same", "switch", "not_compared", "failed", "dropped")
"""What becomes of a sampled turn, as metrics tell it."""

TellGhost = Callable[[Trail, Ghost], None]
"""Called for each turn's ghost."""


class Sample(NamedTuple):
    """The sampling of one configuration's turns."""

    share: float
    """The share of pinned turns that is routed, above 0 and at most 1."""
    chooser: Chooser
    """Routes them."""
    find_prices: Callable[[], Mapping[str, ModelMetrics]]
    """Gives what is known of the models' prices now, by name."""
    tell: TellGhost
    """Called for each ghost."""


class _Waiting(NamedTuple):
    """A turn that waits to be routed."""

    sample: Sample
    endpoint: Endpoint
    body: bytes
    trail: Trail


class Beside:
    """Routes a sample of the pinned turns.

    Args:
        days: Adds up what comes of it.
        clock: Monotonic time in seconds, for how long routing takes.
        chance: Gives a number from 0 to 1, 1 excluded, for each turn.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        days: Days,
        *,
        clock: Callable[[], float] = time.perf_counter,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._days = days
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._working: asyncio.Task[None] | None = None
        self._pinned = Counter(
            "plano_ghost_pinned_turns", "Pinned turns that were served while a share of them was routed beside."
        )
        self._turns = Counter(
            "plano_ghost_turns",
            "Pinned turns that were routed beside, by what they would have been without affinity, or why that is not known.",
            ["outcome"],
            start=[(outcome,) for outcome in OUTCOMES],
        )
        self._anew = Counter(
            "plano_ghost_tokens_anew", "Prompt tokens of these turns that would have been read anew without affinity."
        )
        self._cost = Counter(
            "plano_ghost_cost_usd",
            "List price of these turns in US dollars, as they were served with affinity and as without.",
            ["affinity"],
            start=[("with",), ("without",)],
        )
        self._times = Histogram(
            "plano_ghost_routing_duration_seconds",
            "How long routing one of these turns took, beside its request.",
            ROUTING_SECONDS,
        )
        self.tallies: Sequence[Tally] = (self._pinned, self._turns, self._anew, self._cost, self._times)
        """What is counted of it since the start."""

    def offer(self, sample: Sample, endpoint: Endpoint, body: bytes, trail: Trail) -> None:
        """Take a request that is over, and have it routed if it is drawn; returns at once.

        Args:
            sample: Which turns are drawn.
            endpoint: Where the request was posted to.
            body: The request.
            trail: What is known of it.
        """
        if not _is_pinned_turn(endpoint, trail):
            return
        sums = self._days.change(trail.began_at, sample.share)
        sums.pinned += 1
        self._pinned.add()
        if self._chance() >= sample.share:
            return
        if len(self._queue) >= MAX_WAITING or self._bytes + len(body) > MAX_WAITING_BYTES:
            sums.dropped += 1
            self._turns.add(("dropped",))
            return
        self._queue.append(_Waiting(sample, endpoint, body, trail))
        self._bytes += len(body)
        if self._working is None or self._working.done():
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def settle(self) -> None:
        """Wait until nothing waits to be routed."""
        while self._working is not None and not self._working.done():
            await asyncio.wait({self._working})

    async def aclose(self) -> None:
        """Leave what waits, and write the sums."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})
        await self._days.aclose()

    async def _work(self) -> None:
        while self._queue:
            waiting = self._queue.popleft()
            started = self._clock()
            try:
                await self._look(waiting)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are routed
                if not isinstance(error, PlanoError):
                    logger.error("routing a turn beside its request failed: %s", type(error).__name__)  # noqa: TRY400 - a traceback may show a prompt
                self._days.change(waiting.trail.began_at, waiting.sample.share).failed += 1
                self._turns.add(("failed",))
            finally:
                self._bytes -= len(waiting.body)
            del waiting  # it is held no longer than it must
            await self._sleep(min(RESTS * (self._clock() - started), LONGEST_REST_SECONDS))

    async def _look(self, waiting: _Waiting) -> None:
        sample, endpoint, content, trail = waiting
        decision = trail.decision
        assert decision is not None, "only turns that were decided wait"  # noqa: S101 - cannot happen
        body = RequestBody(content, endpoint.surface.parse_head)
        await asyncio.sleep(0)  # others are served between the steps, each of which may take long for a large body
        earlier = build_turn_before(body.fields)
        before: str | None = None
        if earlier is not None:
            await asyncio.sleep(0)
            choice = _choose(sample.chooser, RequestBody(earlier, endpoint.surface.parse_head), trail)
            await asyncio.sleep(0)
            if isinstance(sample.chooser.strategy, Preparing):
                await sample.chooser.strategy.prepare(choice.conversation, choice.preferences)
            before = (await choice.route()).model
        started = self._clock()
        model = (await _choose(sample.chooser, body, trail).route()).model
        routing_ms = (self._clock() - started) * 1000
        ghost = build_ghost(
            decision.model, trail.tokens, model, before, routing_ms=routing_ms, prices=sample.find_prices()
        )
        self._days.change(trail.began_at, sample.share).add(ghost)
        self._count(ghost)
        sample.tell(trail, ghost)

    def _count(self, ghost: Ghost) -> None:
        outcome = "switch" if ghost.is_switch else "same" if ghost.is_compared else "not_compared"
        self._turns.add((outcome,))
        self._times.note((), ghost.routing_ms / 1000)
        self._anew.add(amount=ghost.anew)
        if ghost.kept_usd is not None and ghost.usd is not None:
            self._cost.add(("with",), ghost.kept_usd)
            self._cost.add(("without",), ghost.usd)


def _is_pinned_turn(endpoint: Endpoint, trail: Trail) -> bool:
    """Check whether a request was served, for good, by the model that its session's pin names, unrouted."""
    decision = trail.decision
    return (
        decision is not None
        and decision.kind == "retain"
        and trail.ranking is None
        and trail.status in SUCCESS
        and trail.failure is None
        and not trail.client_left
        and not endpoint.decides_only
        and not endpoint.compacts
    )


def _choose(chooser: Chooser, body: RequestBody, trail: Trail) -> Choice:
    """Give a request's choice as if it were of no session; a harness' may ask for a model that nothing serves."""
    choice = Choice(chooser, body)
    choice.falls_back = trail.origin is not None and trail.origin.lane is not None
    return choice
