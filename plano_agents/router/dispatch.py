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
from functools import partial

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
from plano_agents.router.trail import Try
from plano_agents.router.upstream import Upstream, UpstreamRequest, UpstreamResponse
from plano_agents.sessions.pin import MoveReason

STATUSES = range(200, 600)
SUCCESS = range(200, 300)
SERVER_ERROR = 500


_UNSUITABLE: MoveReason = "unsuitable"
_FAILED: MoveReason = "upstream_failed"


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


NoteTry = Callable[[Try], None]
"""Is told of each sending."""


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
        on_change: Told which entry's breaker opened (True) or closed (False).
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, bool], None] = lambda _upstream, _is_open: None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._on_change = on_change
        self._breakers: dict[str, CircuitBreaker] = {}
        self._budgets: dict[str, RetryBudget] = {}

    def breaker(self, upstream: str) -> CircuitBreaker:
        """The breaker of a configured entry."""
        found = self._breakers.get(upstream)
        if found is None:
            found = self._breakers[upstream] = CircuitBreaker(
                self._config.breaker, clock=self._clock, on_change=partial(self._on_change, upstream)
            )
        return found

    def list_breakers(self) -> Mapping[str, bool]:
        """Whether the breaker is open of each configured entry that was asked."""
        return {upstream: breaker.is_open for upstream, breaker in self._breakers.items()}

    def is_down(self, upstream: str) -> bool:
        """Whether a configured entry is left alone now."""
        found = self._breakers.get(upstream)
        return found is not None and found.seconds_left > 0

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
        clock: Monotonic time in seconds.
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
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retries = config.retries
        self._patience = config.limits.keepalive_comment_seconds
        self._upstream = upstream
        self._health = health
        self._clock = clock
        self._wall_clock = wall_clock
        self._chance = chance
        self._sleep = sleep

    async def send(
        self,
        candidates: Sequence[Candidate],
        stack: AsyncExitStack,
        *,
        decided: str,
        note: NoteTry = lambda _try: None,
    ) -> Sent:
        """Send a request to the first candidate that answers.

        Args:
            candidates: In the order in which they are tried; not empty.
            stack: Closes what is open when the client's request ends.
            decided: The model decided on. Where it is not the first, it is known that it cannot serve the request.
            note: Is told of each sending.

        Returns:
            The answer: the decided model's, good or refused for good; else the first good one of those that stand in
            for it. Where none of them does better, what came of the decided model is told, for it stays the
            session's: a stand-in's refusal helps nobody.

        Raises:
            RequestError: The decided model's wire cannot carry the request, and no other candidate answered well.
            UpstreamError: The decided model gave no answer, and no other candidate a good one.
        """
        own: WholeAnswer | UpstreamError | RequestError | None = None
        reason: MoveReason | None = None if decided == candidates[0].model else "unsuitable"
        for candidate in candidates:
            outcome: WholeAnswer | StreamedAnswer | UpstreamError | RequestError | None
            try:
                outcome = await self._send_to(candidate, stack, note)
            except _TooLongError as refused:
                outcome, why = refused.answer, _UNSUITABLE
            except RequestError as error:
                outcome, why = error, _UNSUITABLE
            except _TryFailedError as failed:
                outcome, why = failed.outcome, _FAILED
            else:
                why = _FAILED
                if outcome is not None and candidate.model == decided:
                    return Sent(outcome, None)
                if outcome is not None and outcome.status in SUCCESS:
                    return Sent(outcome, reason)
            if candidate.model == decided:
                assert not isinstance(outcome, StreamedAnswer), "it would have been returned"  # noqa: S101 - cannot happen
                own = outcome
            reason = reason or why
        if isinstance(own, WholeAnswer):
            return Sent(own, None)
        raise own or self._unavailable(candidates)

    async def _send_to(
        self, candidate: Candidate, stack: AsyncExitStack, note: NoteTry
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
                return await self._try(candidate.model, request, breaker, stack, note)
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
        self,
        model: str,
        request: UpstreamRequest,
        breaker: CircuitBreaker,
        stack: AsyncExitStack,
        note: NoteTry,
    ) -> WholeAnswer | StreamedAnswer:
        """Send once.

        Raises:
            _TryFailedError: Another try, or another candidate, may do better.
            _TooLongError: Another candidate may do better.
        """
        started = self._clock()
        async with AsyncExitStack() as attempt:
            try:
                response = await attempt.enter_async_context(await self._upstream.send(request))
                answer = await self._read(model, response, attempt)
            except UpstreamError as error:
                breaker.fail()
                note(Try(model, None, error.code, (self._clock() - started) * 1000))
                raise _TryFailedError(error, None) from error
            except BaseException:
                breaker.abandon()
                raise
            note(Try(model, answer.status, None, (self._clock() - started) * 1000))
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
