"""Sending a request to the first candidate that answers: the router's one retry loop.

Each candidate is tried, and tried again where that may help, until it answers or there is nothing left to try; then
comes the next. What is done about each outcome, and which error is told when no candidate answers, is tabled in
`outcomes`. Nothing is tried again once a byte has gone out to the client.

Which candidates there are, and what becomes of the answer, is the story's business.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from plano_agents.config.model import Config
from plano_agents.errors import RequestError, UpstreamError, UpstreamUnavailableError
from plano_agents.http.client import Upstream
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.candidates import Candidate, Opened
from plano_agents.router.request.health import Health
from plano_agents.router.request.outcomes import Telling, judge, name_cause, rank_failure
from plano_agents.router.request.retry import RetryBudget, choose_delay, parse_retry_after
from plano_agents.router.request.sampling import Trace
from plano_agents.router.request.trail import Try
from plano_agents.router.request.upstream_answer import (
    SUCCESS,
    Answered,
    StreamedAnswer,
    read_answer,
)
from plano_agents.sessions.pin import Cause

SERVER_ERROR = 500

UNSUITABLE = Cause("unsuitable")
"""Why another model answers than the one decided on, where that one is known to be none for the request."""


class Sent(Struct, frozen=True):
    """A request that was answered."""

    answer: Answered
    """The answer; a stream is to be closed."""
    opened: Opened
    """What it answers."""
    moved: Cause | None = None
    """Why another model answered well than the one decided on; None where that one did, or nobody."""


class _Failure(Struct, frozen=True):
    """A candidate that did not serve the request."""

    model: str
    """Provider-qualified."""
    came: Sent | UpstreamError | RequestError | None
    """Its refusal, or why it gave no answer; None where its circuit breaker is open."""

    @property
    def _outcome(self) -> Answered | UpstreamError | RequestError | None:
        return self.came.answer if isinstance(self.came, Sent) else self.came

    @property
    def cause(self) -> Cause:
        """The cause for which another is asked."""
        return name_cause(self._outcome)

    def rank(self, decided: str) -> Telling:
        """Rank how much its error tells the client; see `rank_failure`."""
        return rank_failure(self._outcome, is_decided=self.model == decided)


NoteTry = Callable[[Try], None]
"""Is told of each sending."""


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
        candidates: Iterable[Candidate],
        *,
        decided: str,
        note: NoteTry = lambda _try: None,
        trace: Trace | None = None,
    ) -> Sent:
        """Send a request to the first candidate that answers.

        Args:
            candidates: In the order in which they are tried; not empty. The next is asked for when the one before
                it has failed.
            decided: The model decided on. Where it is not the first, it is known that it cannot serve the request.
            note: Is told of each sending.
            trace: Names each sending's span; None where nothing is traced.

        Returns:
            The decided model's answer, good or refused for good; else the first good one of its fallbacks; else the
            most telling refusal.

        Raises:
            RequestError: No candidate answered well, and the decided model's wire cannot carry the request.
            UpstreamError: No candidate gave an answer.
        """
        failures: list[_Failure] = []
        moved = UNSUITABLE
        for candidate in candidates:
            came = await self._ask(candidate, note, trace)
            is_decided = candidate.model == decided
            if isinstance(came, Sent):
                if is_decided:
                    return came
                if came.answer.status in SUCCESS:
                    return replace(came, moved=moved)
                came = _Failure(candidate.model, came)
            if is_decided and not failures:
                moved = came.cause
            failures.append(came)
        told = min(failures, key=lambda each: (each.rank(decided), each.model != decided))
        if isinstance(told.came, Sent):
            return told.came
        try:
            raise told.came or self._explain_open_breakers([each.model for each in failures])
        finally:
            del failures, told, came  # what is raised holds this frame, and this frame the request

    async def _ask(self, candidate: Candidate, note: NoteTry, trace: Trace | None) -> Sent | _Failure:
        """Try one candidate as often as that makes sense."""
        model = candidate.model
        health = self._health.of(model)
        attempt = health.breaker.allow()
        if attempt is None:
            return _Failure(model, None)
        try:
            opened = candidate.open()
        except RequestError as error:
            attempt.abandon()
            return _Failure(model, error)
        except BaseException:
            attempt.abandon()
            raise
        health.budget.note_request()
        tries = 0
        while attempt is not None:
            tries += 1
            came = await self._try(model, opened, attempt, note, trace)
            if isinstance(came, Sent) and came.answer.status in SUCCESS:
                return came
            verdict = judge(came.answer if isinstance(came, Sent) else came, opened)
            if verdict == "answered" and isinstance(came, Sent):
                return came
            if verdict != "again" or not await self._wait(came, tries, health.budget):
                break
            attempt = health.breaker.allow()
        return _Failure(model, came)

    async def _wait(self, came: Sent | UpstreamError, tries: int, budget: RetryBudget) -> bool:
        """Wait before a candidate is tried again; whether it may be.

        Args:
            came: What came of the last try.
            tries: How many there were.
            budget: The candidate's.
        """
        headers = came.answer.headers if isinstance(came, Sent) else {}
        says = parse_retry_after(headers, now=self._wall_clock())
        delay = choose_delay(self._retries, attempt=tries, retry_after=says, random=self._chance)
        if delay is None or not budget.take_retry():
            return False
        await self._sleep(delay)
        return True

    async def _try(
        self, model: str, opened: Opened, attempt: Attempt, note: NoteTry, trace: Trace | None
    ) -> Sent | UpstreamError:
        """Send once, and read the answer: to its end, or, where it is a stream, to its first bytes."""
        started, request = self._clock(), opened.request
        try:
            response = await self._upstream.send(request if trace is None else trace.stamp(model, request))
            answer = await read_answer(model, response, opened, attempt, patience=self._patience)
        except UpstreamError as error:
            attempt.fail()
            note(Try(model, None, error.code, (self._clock() - started) * 1000))
            return error
        except BaseException:
            attempt.abandon()
            raise
        note(Try(model, answer.status, None, (self._clock() - started) * 1000))
        if answer.status >= SERVER_ERROR:
            attempt.fail()
        elif isinstance(answer, StreamedAnswer):
            attempt.begin()
        else:
            attempt.succeed()
        return Sent(answer, opened)

    def _explain_open_breakers(self, models: Sequence[str]) -> UpstreamUnavailableError:
        waits = {model: self._health.of(model).breaker.seconds_left for model in models}
        names = [model for model, seconds in waits.items() if seconds > 0] or list(waits)
        wait = max(1, round(min(waits[model] for model in names)))
        return UpstreamUnavailableError(
            f"{', '.join(names)} failed several times in a row, so the circuit breaker is open. Try again in {wait} s.",
            retry_after_seconds=wait,
        )
