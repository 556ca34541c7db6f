"""Sending a request to the first candidate that answers: the router's one retry loop.

Each candidate is tried, and tried again where that may help (`retry`), until it answers or there is nothing left to
try; then comes the next. One whose breaker is open, whose wire cannot carry the request, or whose provider says that
it is too long, is passed over. Nothing is tried again once a byte has gone out to the client; so a stream counts as
answered only when its first bytes are there, or when the client has waited so long that it must be told to go on
waiting.

Which candidates there are, and what becomes of the answer, is the service's business.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from plano_agents.config.model import Config
from plano_agents.errors import (
    RequestError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamUnavailableError,
)
from plano_agents.protocol.overflow import says_too_long
from plano_agents.router.breaker import CircuitBreaker
from plano_agents.router.retry import RetryBudget, choose_delay, is_retryable, parse_retry_after
from plano_agents.router.upstream import Upstream, UpstreamRequest, UpstreamResponse
from plano_agents.sessions.pin import MoveReason

STATUSES = range(200, 600)
SUCCESS = range(200, 300)
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may answer, and how it is asked."""

    model: str
    """Provider-qualified."""
    upstream: str
    """The configured entry that serves it, whose health it shares: its own, or its provider's wildcard."""
    build_request: Callable[[], UpstreamRequest]
    """Writes the request on the model's own wire; called when its turn has come."""


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An answer that was read to its end."""

    model: str
    """Who gave it."""
    status: int
    """The HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Names compared in any case."""
    body: bytes = field(repr=False)
    """The whole body."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """An answer that goes on: its first bytes are there, or still awaited."""

    model: str
    """Who gives it."""
    status: int
    """The HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Names compared in any case."""
    first: "asyncio.Task[bytes]" = field(repr=False)
    """The first bytes; empty at an end without any."""
    rest: AsyncGenerator[bytes, None] = field(repr=False)
    """What follows them."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a request."""

    answer: WholeAnswer | StreamedAnswer
    """The answer."""
    moved: MoveReason | None
    """Why another model answered than the one decided on; None where that one did."""


class _TryFailedError(Exception):
    """A try that may go better another time, or at another candidate."""

    def __init__(self, outcome: "WholeAnswer | UpstreamError", retry_after: float | None) -> None:
        super().__init__()
        self.outcome = outcome
        self.retry_after = retry_after


class _TooLongError(Exception):
    """The provider says that the request is too long for the model."""

    def __init__(self, answer: "WholeAnswer") -> None:
        super().__init__()
        self.answer = answer


class Health:
    """What is known of each upstream's health: its breaker and its retry budget.

    Args:
        config: The breaker's and the retries' limits.
        clock: Monotonic time in seconds.
    """

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._breakers: dict[str, CircuitBreaker] = {}
        self._budgets: dict[str, RetryBudget] = {}

    def breaker(self, upstream: str) -> CircuitBreaker:
        """The breaker of a configured entry."""
        found = self._breakers.get(upstream)
        if found is None:
            found = self._breakers[upstream] = CircuitBreaker(self._config.breaker, clock=self._clock)
        return found

    def budget(self, upstream: str) -> RetryBudget:
        """The retry budget of a configured entry."""
        found = self._budgets.get(upstream)
        if found is None:
            found = self._budgets[upstream] = RetryBudget(self._config.retries, clock=self._clock)
        return found


class Dispatcher:
    """Sends requests until one is answered.

    Args:
        config: The limits of retries and waiting.
        upstream: Sends to providers.
        health: What is known of the upstreams.
        wall_clock: Unix time in seconds.
        chance: Gives numbers from 0 to 1.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        health: Health,
        *,
        wall_clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retries = config.retries
        self._patience = config.limits.keepalive_comment_seconds
        self._upstream = upstream
        self._health = health
        self._wall_clock = wall_clock
        self._chance = chance
        self._sleep = sleep

    async def send(self, candidates: Sequence[Candidate], stack: AsyncExitStack, *, decided: str) -> Sent:
        """Send a request to the first candidate that answers.

        Args:
            candidates: In the order in which they are tried; not empty.
            stack: Closes what is open when the client's request ends.
            decided: The model decided on. Where it is not the first, it is known that it cannot serve the request.

        Returns:
            The answer: a good one, or an error that trying again does not help; else the last error that may pass;
            else the decided model's own that says that the request is too long.

        Raises:
            RequestError: No candidate's wire can carry the request.
            UpstreamError: No candidate gave any answer.
        """
        last: WholeAnswer | UpstreamError | None = None
        refusal: RequestError | None = None
        too_long: WholeAnswer | None = None
        reason: MoveReason | None = None if decided == candidates[0].model else "unsuitable"
        for candidate in candidates:
            try:
                answer = await self._send_to(candidate, stack)
            except RequestError as error:
                refusal = refusal or error
                reason = reason or "unsuitable"
                continue
            except _TooLongError as refused:
                too_long = refused.answer if candidate.model == decided else too_long
                reason = reason or "unsuitable"
                continue
            except _TryFailedError as failed:
                last, answer = failed.outcome, None
            if answer is not None:
                return Sent(answer, None if answer.model == decided else reason)
            reason = reason or "upstream_failed"
        last = last or too_long
        if isinstance(last, WholeAnswer):
            return Sent(last, None if last.model == decided else reason)
        raise last or refusal or self._unavailable(candidates)

    async def _send_to(
        self, candidate: Candidate, stack: AsyncExitStack
    ) -> WholeAnswer | StreamedAnswer | None:
        """Try one candidate as often as that makes sense; None where its breaker is open."""
        breaker, budget = self._health.breaker(candidate.upstream), self._health.budget(candidate.upstream)
        if not breaker.allow():
            return None
        try:
            request = candidate.build_request()
        except BaseException:
            breaker.abandon()
            raise
        budget.note_request()
        attempt = 1
        while True:
            try:
                return await self._try(candidate.model, request, breaker, stack)
            except _TryFailedError as failed:
                delay = choose_delay(
                    self._retries, attempt=attempt, retry_after=failed.retry_after, random=self._chance
                )
                if delay is None or not budget.take_retry():
                    raise
                await self._sleep(delay)
                attempt += 1
                if not breaker.allow():
                    raise

    async def _try(
        self, model: str, request: UpstreamRequest, breaker: CircuitBreaker, stack: AsyncExitStack
    ) -> WholeAnswer | StreamedAnswer:
        """Send once.

        Raises:
            _TryFailedError: Another try, or another candidate, may do better.
            _TooLongError: Another candidate may do better.
        """
        async with AsyncExitStack() as attempt:
            try:
                response = await attempt.enter_async_context(await self._upstream.send(request))
                answer = await self._read(model, response, attempt)
            except UpstreamError as error:
                breaker.fail()
                raise _TryFailedError(error, None) from error
            except BaseException:
                breaker.abandon()
                raise
            if answer.status >= SERVER_ERROR:
                breaker.fail()
            else:
                breaker.succeed()
            if isinstance(answer, WholeAnswer):
                if is_retryable(answer.status):
                    raise _TryFailedError(answer, parse_retry_after(answer.headers, now=self._wall_clock()))
                if says_too_long(answer.status, answer.body):
                    raise _TooLongError(answer)
            stack.push_async_exit(attempt.pop_all())
            return answer

    async def _read(
        self, model: str, response: UpstreamResponse, attempt: AsyncExitStack
    ) -> WholeAnswer | StreamedAnswer:
        """Read an answer: to its end, or, where it is a stream, to its first bytes."""
        if response.status not in STATUSES:
            raise UpstreamProtocolError(
                f"{model} answered with the status {response.status}, which is none of HTTP's."
            )
        kind = response.headers.get("content-type", "").lower()
        if response.status not in SUCCESS or "text/event-stream" not in kind:
            return WholeAnswer(model, response.status, response.headers, await response.read())
        rest = response.chunks()
        attempt.push_async_callback(rest.aclose)
        first = asyncio.create_task(_first_of(rest))
        attempt.push_async_callback(_cancel, first)
        await asyncio.wait({first}, timeout=self._patience)
        if first.done() and not first.result():
            raise UpstreamProtocolError("The provider's stream ended before it began.")
        return StreamedAnswer(model, response.status, response.headers, first, rest)

    def _unavailable(self, candidates: Sequence[Candidate]) -> UpstreamUnavailableError:
        waits = {each.model: self._health.breaker(each.upstream).seconds_left for each in candidates}
        names = [model for model, seconds in waits.items() if seconds > 0] or list(waits)
        wait = min(waits[model] for model in names)
        return UpstreamUnavailableError(
            f"{', '.join(names)} failed several times in a row and is left alone for a while. Try again in "
            f"{max(1, round(wait))} s.",
            retry_after_seconds=max(1, round(wait)),
        )


async def _first_of(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(chunks, b"")


async def _cancel(task: "asyncio.Task[bytes]") -> None:
    """End a task that nobody waits for any more, and leave no exception of it unread."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
