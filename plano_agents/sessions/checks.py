"""Looks at pins, many at once: all that are asked for while one look at their shard is under way go out as the next.

So requests that come together cost one command each and one task between them. Shards do not wait for each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from plano_agents.sessions.redis import Looked, Sought

LOOKS_AT_ONCE = 256
"""How many pins one look is for, so that others' commands can come in between."""

Hear = Callable[[Looked | None], None]
"""Told of a pin as it was read; None where it could not be. Raises nothing."""


class Checks:
    """Looks at pins for those who wait.

    Args:
        look: Reads pins of one shard, and renews them; None for each where that fails.
    """

    def __init__(self, look: Callable[[Sequence[Sought]], Awaitable[Sequence[Looked | None]]]) -> None:
        self._look = look
        self._waiting: dict[str, list[tuple[Sought, Hear]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, shard: str, sought: Sought, hear: Hear) -> None:
        """Have a pin looked at.

        Args:
            shard: The tag of its shard.
            sought: The pin.
            hear: Told of it, once; not before this returns.
        """
        waiting = self._waiting.get(shard)
        if waiting is not None:
            waiting.append((sought, hear))
            return
        self._waiting[shard] = [(sought, hear)]
        task = asyncio.create_task(self._serve(shard))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Stop looking; who still waits hears of nothing."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for shard in [*self._waiting]:  # of a task that was cancelled before it began
            for _, hear in self._waiting.pop(shard):
                hear(None)

    async def _serve(self, shard: str) -> None:
        """Look again and again until nobody waits."""
        batch: list[tuple[Sought, Hear]] = []
        try:
            while waiting := self._waiting[shard]:
                batch, self._waiting[shard] = waiting[:LOOKS_AT_ONCE], waiting[LOOKS_AT_ONCE:]
                found = await self._look([sought for sought, _ in batch])
                told, batch = batch, []
                for (_, hear), looked in zip(told, found, strict=True):
                    hear(looked)
        finally:
            for _, hear in batch + self._waiting.pop(shard):
                hear(None)
