"""A heartbeat of a process's event loop: it counts up, in memory shared with the process that started it.

Shared memory, because neither end can hold up the other by it. The watcher goes by the time that it was awake itself: a
pause between two looks counts as one beat's interval at most. So a machine that was suspended, or a debugger that stops
all processes, makes nobody look hung.
"""

import asyncio
import mmap

_BYTES = 8


class Heartbeat:
    """A count that a process forked later can raise, and this one can read.

    Args:
        seconds: The time from a beat to the next.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._memory = mmap.mmap(-1, _BYTES)

    @property
    def count(self) -> int:
        """The number of beats; one that is read while it changes is wrong, and a change all the same."""
        return int.from_bytes(self._memory[:_BYTES], "little")

    def beat(self) -> None:
        """Raise the count."""
        self._memory[:_BYTES] = (self.count + 1).to_bytes(_BYTES, "little")

    async def keep_beating(self) -> None:
        """Beat for as long as the event loop turns; ends by being cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(self.seconds)


class Watch:
    """Measures a heartbeat's silence.

    Args:
        heartbeat: Which.
        now: Monotonic time in seconds.
    """

    def __init__(self, heartbeat: Heartbeat, now: float) -> None:
        self._heartbeat = heartbeat
        self._count = heartbeat.count
        self._looked_at = now
        self._silent_seconds = 0.0

    def look(self, now: float) -> float:
        """Say how long it has been silent, by the watcher's time awake.

        Args:
            now: Monotonic time in seconds.
        """
        awake = min(now - self._looked_at, self._heartbeat.seconds)
        self._looked_at = now
        count = self._heartbeat.count
        self._silent_seconds = 0.0 if count != self._count else self._silent_seconds + awake
        self._count = count
        return self._silent_seconds
