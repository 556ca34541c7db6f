"""The lifetime of threads: one that has had no step for longer than ``threads.ttl`` is forgotten.

A checkpoint's id is a UUID of version 6 (RFC 9562, section 5.6), and the text of these sorts by time. So a thread's age
is that of its latest id: no state is read for it, and no store's clock is asked.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from plano_agents.errors import PlanoError

SWEEPS_PER_LIFE = 10
"""How often idle threads are looked for within their lifetime."""

MIN_SWEEP_SECONDS, MAX_SWEEP_SECONDS = 1.0, 600.0
"""The shortest and the longest time between two looks."""

_EPOCH = 0x01B21DD213814000
"""The number of 100-ns intervals from the UUIDs' epoch (1582-10-15) to that of Unix."""

_log = logging.getLogger(__name__)


def encode_moment(seconds: float) -> str:
    """Write a Unix time in seconds as the first checkpoint id of that moment.

    Example:
        >>> encode_moment(1_767_225_600)
        '1f0e6a4d-0c3c-6000-8000-000000000000'
    """
    ticks = int(seconds * 10_000_000) + _EPOCH
    return f"{ticks >> 28:08x}-{ticks >> 12 & 0xFFFF:04x}-6{ticks & 0xFFF:03x}-8000-000000000000"


async def sweep(
    forget: Callable[[str], Awaitable[int]],
    ttl_seconds: float,
    *,
    wall_clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Forget idle threads, again and again until cancelled.

    Args:
        forget: Forgets threads without a step since a moment, and tells how many. One that fails is tried again later.
        ttl_seconds: How long a thread lives after its last step.
        wall_clock: Unix time in seconds.
        sleep: Waits for some seconds.
    """
    pause = min(max(ttl_seconds / SWEEPS_PER_LIFE, MIN_SWEEP_SECONDS), MAX_SWEEP_SECONDS)
    while True:
        with suppress(PlanoError):  # where it came from has logged it
            count = await forget(encode_moment(wall_clock() - ttl_seconds))
            if count:
                _log.info("forgot threads=%d without a step for %g s", count, ttl_seconds)
        await sleep(pause)
