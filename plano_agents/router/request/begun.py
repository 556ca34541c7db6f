"""A request that the fast path has begun, and the story goes on with.

It was handed over at the pin, where nothing is sent yet, or at the provider, where what was sent was not well answered.
"""

from collections.abc import Callable

from msgspec import Struct

from plano_agents.errors import UpstreamError
from plano_agents.http.client import UpstreamResponse
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.trail import Trail
from plano_agents.sessions.pinning import Turn


class Sending(Struct):
    """A request's first sending, as far as it came."""

    attempt: Attempt
    """What its model's breaker let out."""
    started: float
    """When it was sent, in seconds on the service's clock."""
    came: UpstreamResponse | Callable[[], UpstreamError]
    """The answer, its head read and its body not; or what builds the reason why there is none."""
    waited_seconds: float = 0.0
    """How long a stream's first bytes have been awaited since its head."""

    def find_response(self) -> UpstreamResponse:
        """Give the answer.

        Raises:
            UpstreamError: There is none.
        """
        if callable(self.came):
            raise self.came()
        return self.came


class Begun(Struct):
    """A request that was begun."""

    trail: Trail
    """What is known of it, the decision among it where a pin decided."""
    turn: Turn | None
    """The session's turn that it is, which is open, and has looked at its pin; None where no session was found."""
    sending: Sending | None = None
    """The sending; None where nothing was sent."""
