"""The common part of all requests on the fast path under one configuration."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Protocol
from weakref import WeakSet

from plano_agents.config.options import Limits
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.last_word import tell_shutdown
from plano_agents.observe.tally import Reading, Tally
from plano_agents.protocol.outline import Beginnings
from plano_agents.router.request.admission import Admission
from plano_agents.router.request.begun import Begun
from plano_agents.router.request.ranked_bodies import RankedBodies
from plano_agents.router.request.service import Service
from plano_agents.router.request.story import ProxyRequest
from plano_agents.router.request.surfaces import Endpoint

MAX_LEARNT_BYTES = 16 * 1024 * 1024
"""How much of bodies is known at once, of all heads together, as they came and as they were fitted."""

Resume = Callable[[], tuple[ProxyRequest, Begun]]
"""Gives what was read and begun of a request, which has its place among those in flight."""


class Learner(Protocol):
    """One that knows what bodies have in common; it is known here for as long as anybody else knows it."""

    def forget_outlines(self) -> None:
        """Forget what bodies had in common."""


class Answer(Protocol):
    """Answers a request by its story."""

    def __call__(
        self, endpoint: Endpoint, exchange: Exchange, resume: Resume | None = None
    ) -> Coroutine[None, None, None]:
        """Answer from the beginning, or go on with what was begun."""


FINISHED, BROKEN_OFF = "finished", "broken off"
BEFORE_THE_PIN, AT_THE_PIN, AT_THE_PROVIDER = "before the pin", "at the pin", "at the provider"


def count_fast_turns() -> dict[str, int]:
    """Begin to count the requests that end on the fast path, well or not, and those handed over at each point."""
    return dict.fromkeys((FINISHED, BROKEN_OFF, BEFORE_THE_PIN, AT_THE_PIN, AT_THE_PROVIDER), 0)


def build_fast_tally(counts: Mapping[str, int]) -> Tally:
    """Build the metric of such counts."""
    return Reading(
        "plano_fast_path_requests",
        "Requests that the fast path took, by where they left it: finished, broken off, or where they went on without.",
        lambda: {(end,): float(count) for end, count in counts.items()},
        ["end"],
        kind="counter",
    )


class FastService:
    """The parts that serve requests on the fast path.

    Args:
        service: What they are answered with.
        limits: How long a body may be.
        admission: Counts the requests in flight.
        answer: Answers a request by its story.
        upstream: Sends to providers.
        counts: Is what `count_fast_turns` gives, to be counted on.
        on_refused: Gets the error's code of an answer that there is no room for.
    """

    def __init__(
        self,
        service: Service,
        limits: Limits,
        *,
        admission: Admission,
        answer: Answer,
        upstream: HttpUpstream,
        counts: dict[str, int],
        on_refused: Callable[[str], None],
    ) -> None:
        self.service = service
        self.admission = admission
        self.upstream = upstream
        self.on_refused = on_refused
        self.loop = asyncio.get_running_loop()
        self.max_body_bytes = limits.max_body_bytes
        """How long a body may be."""
        self.is_shared = service.turns.is_shared
        """Whether sessions are in a shared store: then their pins are not at hand at once."""
        self.ranked = RankedBodies()
        """What whole bodies were routed by before."""
        self.beginnings = Beginnings()
        """The sessions' latest conversations."""
        self.is_over = False
        """True if another configuration is served now."""
        self.counts = counts
        """The number of requests that were finished here, and of those handed over at each point."""
        self._answer = answer
        self._learnt_bytes = 0
        self.learners: WeakSet[Learner] = WeakSet()
        """Those who know something of bodies."""

    def has_room(self, size: int) -> bool:
        """Check whether a request with a body of so many bytes is taken here now."""
        return not self.is_over and size <= self.max_body_bytes and not self.admission.is_full

    def note_learnt(self, size: int) -> None:
        """Note that so many bytes were learnt; all learners forget what they know where it becomes too much."""
        self._learnt_bytes += size
        if self._learnt_bytes > MAX_LEARNT_BYTES:
            self._forget()

    def retire(self) -> None:
        """Take no more requests, and keep nothing of those that were: another configuration is served now."""
        self.is_over = True
        self._forget()

    def _forget(self) -> None:
        """Have all learners forget what they know, and know no conversation."""
        for each in self.learners:
            each.forget_outlines()
        self.learners.clear()
        self.beginnings.forget()
        self._learnt_bytes = 0

    def start_story(self, endpoint: Endpoint, exchange: Exchange, resume: Resume | None = None) -> None:
        """Have a request answered by its story, from the beginning, or as it was begun."""
        exchange.start(partial(self._answer, endpoint, resume=resume), self.loop)

    def start_last_word(self, endpoint: Endpoint, exchange: Exchange) -> None:
        """Tell a client that its request will not be finished, for the server stops."""
        surface = endpoint.surface

        def tell(exchange: Exchange) -> Coroutine[None, None, None]:
            return tell_shutdown(exchange, surface.encode_error, surface.encode_error_event)

        exchange.start(tell, self.loop)
