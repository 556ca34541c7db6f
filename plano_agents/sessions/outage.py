"""The shared store's outage: one failure begins it, and a probe in the background finds its end.

While it does not, nobody asks it and nobody waits for it. Each change is reported in one line of the log.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from plano_agents.sessions.redis_commands import StoreFailedError

logger = logging.getLogger(__name__)

PROBE_SECONDS = 0.5
"""How long after a failed probe the next one comes."""


class Outage:
    """Knows whether the store is out.

    Args:
        name: The store, as the log shows it; no secret.
        probe: Asks it for all that is needed of it; raises `StoreFailedError` where it fails.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], Awaitable[None]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        """The store, as the log shows it."""
        self._probe = probe
        self._sleep = sleep
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """True if the store is out."""
        return self._probing is not None

    def begin(self, error: StoreFailedError) -> None:
        """Note that the store failed."""
        if self._probing is None:
            logger.warning(
                "the session store %s does not answer (%s): pins are kept in this process until it does",
                self.name,
                error,
            )
            self._probing = asyncio.create_task(self._wait_for_the_end())

    async def aclose(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait({self._probing})

    async def _wait_for_the_end(self) -> None:
        while True:
            await self._sleep(PROBE_SECONDS)
            try:
                await self._probe()
            except StoreFailedError:
                continue
            self._probing = None
            logger.warning("the session store %s answers again: pins are shared", self.name)
            return
