"""The circuit breaker of one model: open after consecutive failures, it then lets one probe through at a time.

Closed, it counts consecutive failures; at `Breaker.failures` it opens, and for `Breaker.open_seconds` nothing is sent.
Then one request may probe: its success closes the breaker, its failure opens it again (Nygard, "Release It!",
chapter 5). Only attempts that were sent since it opened last are judged: what was sent before says nothing new. What
counts as a failure is the caller's to say.
"""

import asyncio
from collections.abc import Callable

from plano_agents.config.model import Breaker

PROBE_SECONDS = 5.0
"""How long a request waits for the outcome of another's probe, at most."""


class Attempt:
    """A request that a breaker let out; `abandon`, `succeed` or `fail` follows.

    While the breaker is closed all requests share one.

    Args:
        breaker: What judges it.
    """

    __slots__ = ("_breaker",)

    def __init__(self, breaker: "CircuitBreaker") -> None:
        self._breaker = breaker

    def begin(self) -> None:
        """Note that a stream has begun: enough to end a probe, and no success before its end."""
        self._breaker.note_begin(self)

    def succeed(self) -> None:
        """Note that the model answered."""
        self._breaker.note_success(self)

    def fail(self) -> None:
        """Note that the model failed."""
        self._breaker.note_failure(self)

    def abandon(self) -> None:
        """Note that nobody waited for the outcome; a probe may be tried again."""
        self._breaker.note_abandoned(self)


class CircuitBreaker:
    """Guards one model.

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
        self._judged: Attempt | None = Attempt(self)  # while open: the probe that is out
        self._outcome: asyncio.Future[bool] | None = None  # whether that one does not fail, where somebody waits for it

    @property
    def is_open(self) -> bool:
        """True if the circuit breaker is open: too many failures, and no successful probe since."""
        return self._opened is not None

    @property
    def is_pristine(self) -> bool:
        """True if it has nothing to remember: dropping it loses nothing."""
        return self._opened is None and self._failures == 0

    @property
    def seconds_left(self) -> float:
        """Seconds until a request may go; 0 where one may go now."""
        if self._opened is None:
            return 0.0
        return max(0.0, self._opened + self._policy.open_seconds - self._clock())

    def allow(self) -> Attempt | None:
        """Let a request out; None while the breaker is open, or a probe is out."""
        if self._opened is None:
            return self._judged
        if self._judged is not None or self.seconds_left > 0:
            return None
        self._judged = Attempt(self)
        return self._judged

    def allow_closed(self) -> Attempt | None:
        """Let a request out while the breaker is closed; None while it is open, a probe or not."""
        return self._judged if self._opened is None else None

    async def insist(self) -> Attempt | None:
        """Let a request out as a last resort: as the probe, before its time, or once the one that is out has succeeded.

        Returns:
            None where that probe fails, or tells nothing for `PROBE_SECONDS`.
        """
        while self._opened is not None and self._judged is not None:
            if self._outcome is None:
                self._outcome = asyncio.get_running_loop().create_future()
            outcome = self._outcome
            await asyncio.wait({outcome}, timeout=PROBE_SECONDS)
            if not (outcome.done() and outcome.result()):
                return None
        if self._judged is None:
            self._judged = Attempt(self)
        return self._judged

    def note_begin(self, attempt: Attempt) -> None:
        """See `Attempt.begin`: one failure more opens it again."""
        if attempt is self._judged and self.is_open:
            self._close(failures=self._policy.failures - 1)

    def note_success(self, attempt: Attempt) -> None:
        """See `Attempt.succeed`."""
        if attempt is self._judged:
            self._failures = 0
            if self._opened is not None:
                self._close(failures=0)

    def note_failure(self, attempt: Attempt) -> None:
        """See `Attempt.fail`."""
        if attempt is not self._judged:
            return
        self._failures += 1
        was_open = self.is_open
        if was_open or self._failures >= self._policy.failures:
            self._opened, self._judged = self._clock(), None
            self._tell(succeeded=False)
            if not was_open:
                self._on_change(True)

    def note_abandoned(self, attempt: Attempt) -> None:
        """See `Attempt.abandon`."""
        if attempt is self._judged and self.is_open:
            self._judged = None
            self._tell(succeeded=True)  # one of those that wait may probe in its place

    def _close(self, *, failures: int) -> None:
        self._opened, self._failures = None, failures
        self._tell(succeeded=True)
        self._on_change(False)

    def _tell(self, *, succeeded: bool) -> None:
        """Tell those who wait what came of the probe."""
        if self._outcome is not None:
            self._outcome.set_result(succeeded)
            self._outcome = None
