"""The seam between the router and the inspector's memory: this process, or one for several workers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from plano_agents.router.request.answer import Answer
from plano_agents.router.request.trail import Observer, Trail
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.record import GhostNews
from plano_agents.routing.candidates import ModelMetrics


class Question(msgspec.Struct, frozen=True, tag=True):
    """The page's questions to the history."""

    name: str
    """The last part of the path."""
    parameters: dict[str, str]
    """The query's."""
    last_event_id: str | None = None
    """The last event that the page knows, for ``events``."""


class Inspector(Protocol):
    """Remembers requests that are over, and answers questions about them."""

    @property
    def workers(self) -> int:
        """The number of processes whose requests it knows."""

    def keep(self, trails: Sequence[Trail], prices: Mapping[str, ModelMetrics]) -> None:
        """Remember requests; called on the event loop for all, so it returns at once and never raises.

        Args:
            trails: Requests that are over, in the order of their ends.
            prices: What is known of the models' prices, by name.
        """

    def keep_ghost(self, news: GhostNews) -> None:
        """Remember the ghost of a request that is remembered; returns at once and never raises."""

    def count_violation(self) -> None:
        """Count a broken promise."""

    async def ask(self, question: Question) -> Answer:
        """Answer a question; a body that is a stream must be closed.

        Raises:
            PlanoError: It has no answer.
        """

    def close(self) -> None:
        """End the streams that have no end of their own, for the router stops."""


def build_observer(
    inspector: Inspector,
    prices: Mapping[str, ModelMetrics],
) -> Observer:
    """Let an inspector remember every request.

    Args:
        inspector: Remembers.
        prices: What is known of the models' prices, by name.
    """
    return partial(inspector.keep, prices=prices)


def build_ghost_teller(inspector: Inspector, settle: Callable[[], None]) -> Callable[[Trail, Ghost], None]:
    """Let an inspector remember every ghost.

    Args:
        inspector: Remembers.
        settle: Has it remember the requests before.
    """

    def tell(trail: Trail, ghost: Ghost) -> None:
        settle()
        tenant, session = trail.session or ("", None)
        inspector.keep_ghost(GhostNews(tenant, session, trail.began_at, trail.trace_id, ghost))

    return tell
