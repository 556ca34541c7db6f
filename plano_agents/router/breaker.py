"""A breaker per upstream: one that fails over and over is left alone for a while, then probed by one request.

Closed, it counts failures in a row; at `Breaker.failures` it opens, and for `Breaker.open_seconds` nothing is sent.
Then one request may probe: its success closes the breaker, its failure opens it again (Nygard, "Release It!",
chapter 5). What counts as a failure is the caller's to say.
"""

from collections.abc import Callable

from plano_agents.config.model import Breaker


class CircuitBreaker:
    """Guards one upstream.

    Args:
        policy: The configured limits.
        clock: Monotonic time in seconds.
        on_change: Told when it opens (True) and when it closes (False); a failed probe changes nothing.
    """

    def __init__(
        self,
        policy: Breaker,
        *,
        clock: Callable[[], float],
        on_change: Callable[[bool], None] = lambda _is_open: None,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._on_change = on_change
        self._failures = 0
        self._opened: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether it failed too often, and no probe has succeeded since."""
        return self._opened is not None

    @property
    def seconds_left(self) -> float:
        """How long nothing will be sent yet; 0 where a request may go."""
        if self._opened is None:
            return 0.0
        return max(0.0, self._opened + self._policy.open_seconds - self._clock())

    def allow(self) -> bool:
        """Ask to send a request; every one allowed is followed by `succeed`, `fail` or `abandon`."""
        if self._opened is None:
            return True
        if self._probing or self.seconds_left > 0:
            return False
        self._probing = True
        return True

    def succeed(self) -> None:
        """Note that the upstream answered."""
        was_open = self.is_open
        self._failures = 0
        self._opened = None
        self._probing = False
        if was_open:
            self._on_change(False)

    def fail(self) -> None:
        """Note that the upstream failed; once it is open, only a probe's failure counts."""
        if self._opened is not None and not self._probing:
            return
        self._failures += 1
        if self._probing or self._failures >= self._policy.failures:
            was_open, self._opened = self.is_open, self._clock()
            if not was_open:
                self._on_change(True)
        self._probing = False

    def abandon(self) -> None:
        """Note that nobody waited for the outcome; a probe may be tried again."""
        self._probing = False
