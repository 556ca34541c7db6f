"""The simulated model's speed: a wait before the first token, then so many tokens per second.

Time is kept against the answer's start, so late wake-ups do not add up.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from plano_agents.simulator.wire.events import Event


class Pacer:
    """The pace of one answer.

    Args:
        time_to_first_token_ms: The wait before the first token, in milliseconds.
        tokens_per_second: The rate after it; 0 means no limit.
        clock: Seconds, monotonic.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        time_to_first_token_ms: float = 0,
        tokens_per_second: float = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._first = time_to_first_token_ms / 1000
        self._rate = tokens_per_second
        self._clock = clock
        self._sleep = sleep
        self._start = clock()

    async def wait(self, tokens: int) -> None:
        """Wait until the answer may be so many tokens long."""
        due = self._start + self._first + (tokens / self._rate if self._rate else 0)
        if (left := due - self._clock()) > 0:
            await self._sleep(left)


async def pace(events: Iterable[Event], pacer: Pacer) -> AsyncIterator[bytes]:
    """Let a stream's events out when they are due."""
    tokens = 0
    for event in events:
        tokens += event.tokens
        await pacer.wait(tokens)
        yield event.data
