"""Retries: the failures after which a request is sent again, and the wait before.

One policy for the whole router: what may work on another try is tried again (408, 429, 5xx, and failed
connections), never what the request itself caused; after a random wait that doubles its range each time ("full
jitter", Brooker, "Exponential Backoff And Jitter"), or after what the provider asks for; and only while retries are
a small share of all requests, so that an outage is not made worse ("retry budget", Google SRE book, chapter 21).

Pure but for the counts it keeps: clocks and chance are given.
"""

import email.utils
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC

from plano_agents.config.model import Retries

WINDOW_SECONDS = 10
"""Over how long requests and retries are compared."""

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{1,64}", re.ASCII)
"""What a date is written with: the library's parser takes more, underscores within numbers among it."""
_RETRYABLE_BELOW_500 = frozenset({408, 429})
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501


def is_retryable(status: int) -> bool:
    """Check whether an answer of this status may be another one on another try."""
    return status in _RETRYABLE_BELOW_500 or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED)


def parse_retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read how long the provider wants no request.

    Args:
        headers: The answer's headers, names compared in any case.
        now: Unix time in seconds.

    Returns:
        Seconds, never negative; None where nothing readable is said. ``retry-after-ms`` (OpenAI's and Azure's)
        comes before ``Retry-After`` in seconds or as a date (RFC 9110, section 10.2.3).
    """
    milliseconds = _parse_number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after", "")
    seconds = _parse_number(given)
    if seconds is not None:
        return seconds
    if _DATE.fullmatch(given) is None:
        return None
    try:
        date = email.utils.parsedate_to_datetime(given)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _parse_number(text: str | None) -> float | None:
    """Read a decimal number; some providers send a fraction of a second."""
    if text is None or _DECIMAL.fullmatch(text) is None:
        return None
    value = float(text)
    return value if value < math.inf else None


def choose_delay(
    policy: Retries, *, attempt: int, retry_after: float | None, random: Callable[[], float]
) -> float | None:
    """Choose the wait before the next try.

    Args:
        policy: The configured retries.
        attempt: How many tries there were, from 1.
        retry_after: What the provider asks for, in seconds, or None.
        random: Gives numbers from 0 to 1.

    Returns:
        Seconds; None when there is to be no other try at this candidate.
    """
    if attempt > policy.max_per_candidate:
        return None
    if retry_after is not None:
        return retry_after if retry_after <= policy.max_delay_seconds else None
    widest: float = min(policy.base_seconds * 2 ** (attempt - 1), policy.max_delay_seconds)
    return random() * widest


class RetryBudget:
    """Keeps retries a small share of all requests to one upstream.

    Args:
        policy: The configured retries.
        clock: Monotonic time in seconds.
    """

    def __init__(self, policy: Retries, *, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._requests = [0] * WINDOW_SECONDS
        self._retries = [0] * WINDOW_SECONDS
        self._until = second = math.floor(clock())  # when the next second is looked at
        self._place = second % WINDOW_SECONDS

    def note_request(self) -> None:
        """Count a request that is not a retry."""
        if self._clock() >= self._until:
            self._advance()
        self._requests[self._place] += 1

    def take_retry(self) -> bool:
        """Ask for a retry.

        Returns:
            Whether there may be one; then it is counted.
        """
        self._advance()
        allowed = max(self._policy.budget_min, self._policy.budget_ratio * sum(self._requests))
        if sum(self._retries) + 1 > allowed:
            return False
        self._retries[self._place] += 1
        return True

    def _advance(self) -> None:
        """Forget what left the window, and find the current second's place."""
        second = math.floor(self._clock())
        if second < self._until:
            return
        for forgotten in range(max(self._until, second - WINDOW_SECONDS + 1), second + 1):
            place = forgotten % WINDOW_SECONDS
            self._requests[place] = self._retries[place] = 0
        self._place, self._until = second % WINDOW_SECONDS, second + 1
