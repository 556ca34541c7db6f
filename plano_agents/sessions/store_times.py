"""Durations and failures of a shared store's operations."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from plano_agents.observe.tally import Counter, Histogram, Tally
from plano_agents.sessions.redis_commands import StoreFailedError

P = ParamSpec("P")
R = TypeVar("R")

BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""From a local server's answer to four times the patience with one."""


class StoreTimes:
    """Times one store.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.durations = Histogram(
            "plano_store_operation_duration_seconds",
            "How long the shared store took to answer, or to fail.",
            BUCKETS,
            ["operation"],
        )
        self.failures = Counter("plano_store_failures", "Operations that the shared store failed.", ["operation"])
        self.tallies: tuple[Tally, ...] = (self.durations, self.failures)


class Timed(Protocol):
    """A store whose operations are timed."""

    times: StoreTimes


T = TypeVar("T", bound=Timed)


def timed(
    operation: Callable[Concatenate[T, P], Awaitable[R]],
) -> Callable[Concatenate[T, P], Coroutine[Any, Any, R]]:
    """Time a method of a store; one that is cancelled is not counted.

    Args:
        operation: The method; its name is the operation's.
    """
    labels = (operation.__name__,)

    @wraps(operation)
    async def run(self: T, /, *args: P.args, **named: P.kwargs) -> R:
        times = self.times
        started = times.clock()
        try:
            found = await operation(self, *args, **named)
        except StoreFailedError:
            times.failures.add(labels)
            times.durations.note(labels, times.clock() - started)
            raise
        times.durations.note(labels, times.clock() - started)
        return found

    return run
