"""The requests that this process serves at once and the bytes that it buffers for clients, and the limits on both.

One object for the whole process: a new configuration changes its limit and never its count, so requests that finish on
an old configuration still take their places.
"""

from plano_agents.config.options import Limits
from plano_agents.errors import OverloadedError
from plano_agents.http.server.budget import BufferBudget

RETRY_SECONDS = 1
"""When a refused client may come again."""


class Admission:
    """Counts the requests in flight, and refuses those over the limit.

    Args:
        limits: ``max_concurrent_requests`` and ``max_buffered_bytes`` hold here.
    """

    def __init__(self, limits: Limits) -> None:
        self.in_flight = 0
        """How many requests are being served, or have an answer that their client has not taken."""
        self.buffered = BufferBudget()
        """The bytes that are buffered for clients; the connections count them."""
        self.configure(limits)

    def configure(self, limits: Limits) -> None:
        """Exchange the limits; what is in flight stays, even over them."""
        self._limit = limits.max_concurrent_requests
        self.buffered.limit = limits.max_buffered_bytes

    @property
    def is_full(self) -> bool:
        """True if as many are in flight as may be."""
        return self.in_flight >= self._limit

    def enter(self) -> None:
        """Admit a request; `leave` follows.

        Raises:
            OverloadedError: As many are in flight as may be.
        """
        if self.in_flight >= self._limit:
            raise OverloadedError(
                f"{self.in_flight} requests are in flight, which is the limit (limits.max_concurrent_requests). "
                "Try again in a moment.",
                retry_after_seconds=RETRY_SECONDS,
            )
        self.in_flight += 1

    def leave(self) -> None:
        """Give an admitted request's place back."""
        self.in_flight -= 1
