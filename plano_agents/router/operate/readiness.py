"""Readiness: requests may be sent here once what routing needs is loaded.

Requests do not wait for it at this door (those that need it wait where they need it); load balancers do, by
``/readyz``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class Readiness:
    """Loads what one configuration needs, in the background, and knows whether it is there.

    Args:
        load: Loads it; None where nothing is needed.
    """

    def __init__(self, load: Callable[[], Awaitable[None]] | None) -> None:
        self._load = load
        self._loading: asyncio.Task[None] | None = None

    def check(self) -> bool:
        """Tell whether all is loaded; where nothing loads it, as after a failure, begin."""
        if self._load is not None and (self._loading is None or self._loading.done()):
            self._loading = asyncio.create_task(self._run(self._load))
        return self._load is None

    async def wait(self) -> None:
        """Load, and wait until it is done or has failed; a failure is reported."""
        if not self.check() and self._loading is not None:
            await asyncio.shield(self._loading)

    def stop(self) -> None:
        """Leave off loading."""
        if self._loading is not None:
            self._loading.cancel()

    async def _run(self, load: Callable[[], Awaitable[None]]) -> None:
        try:
            await load()
        except Exception:
            logger.exception("The routing data cannot be loaded; /readyz answers 503, and its next poll tries again")
        else:
            self._load = None
