"""The bytes that a process buffers for its clients, and the limit on them.

Two kinds count: a request's body, from its first bytes to the request's end, and an answer that its client has not
taken, from when the system's own buffer is full. Those up to `SMALL_BYTES` are always taken, so that a few large ones
lock nobody out; bodies as small as that are not even counted, for nearly every request has one.
"""

from plano_agents.errors import OverloadedError

MAX_BUFFERED_BYTES = 1024 * 1024 * 1024
"""How many bytes a process buffers by default."""
SMALL_BYTES = 128 * 1024
"""A body or an answer up to this size is never refused for the bytes of others."""
RETRY_SECONDS = 1
"""When a refused client may come again."""


class BufferBudget:
    """The buffered bytes of one process.

    Args:
        limit: The most that it may buffer, in bytes.
    """

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = MAX_BUFFERED_BYTES) -> None:
        self.limit = limit
        """The most that may be buffered, in bytes; it may be exchanged at any time."""
        self.held = 0
        """The bytes buffered now."""

    def check_room(self, size: int) -> None:
        """See that there is room for so many bytes more.

        Raises:
            OverloadedError: There is not.
        """
        if self.held + size > self.limit:
            raise OverloadedError(
                f"{self.held} bytes are buffered for clients, and {size} more would exceed the limit of {self.limit} "
                "(max_buffered_bytes). Try again in a moment.",
                retry_after_seconds=RETRY_SECONDS,
            )


class Holding:
    """The part of a budget that one body or one answer takes.

    It knows its own size, so that what it took is given back exactly once, however often it is told to.

    Args:
        budget: Where the bytes count.
    """

    __slots__ = ("_budget", "size")

    def __init__(self, budget: BufferBudget) -> None:
        self._budget = budget
        self.size = 0
        """The bytes that it takes now."""

    def resize(self, size: int) -> None:
        """Take so many bytes in all, whether there is room or not: they are buffered already."""
        self._budget.held += size - self.size
        self.size = size

    def grow(self, size: int) -> None:
        """Take so many bytes in all.

        Raises:
            OverloadedError: There is no room for what is new of them.
        """
        self._budget.check_room(size - self.size)
        self.resize(size)

    def release(self) -> None:
        """Give all bytes back."""
        self.resize(0)
