"""Sending a request to the first candidate that answers: the router's one retry loop.

Each model is tried, and tried again where that may help, until it answers or there is nothing left to try; then comes
the next. A model with deployments is tried at each of them, without a wait, before it is tried again anywhere; one that
rests, or whose breaker is open, is asked after all others and before another model. What is done about each outcome,
and which error is reported when no candidate answers, is tabled in `outcomes`. Nothing is tried again once a byte has
gone out to the client.

Which candidates there are, and what becomes of the answer, is the story's business.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from plano_agents.config.model import Config
from plano_agents.errors import RequestError, UpstreamError, UpstreamUnavailableError
from plano_agents.http.client import Upstream
from plano_agents.router.request.begun import Sending
from plano_agents.router.request.breaker import Attempt, CircuitBreaker
from plano_agents.router.request.candidates import Candidate, Opened
from plano_agents.router.request.health import Health, ModelHealth, Rest
from plano_agents.router.request.outcomes import Telling, judge, name_cause, rank_failure
from plano_agents.router.request.retry import choose_delay, is_retryable, parse_retry_after
from plano_agents.router.request.sampling import Trace
from plano_agents.router.request.trail import Try
from plano_agents.router.request.upstream_answer import (
    SUCCESS,
    Answered,
    StreamedAnswer,
    read_answer,
)
from plano_agents.sessions.pin import Cause

TOO_MANY, SERVER_ERROR = 429, 500

REST_SECONDS = 5.0
"""How long a deployment rests that is asked too much, where its provider does not say how long."""

_MODEL = attrgetter("model")

UNSUITABLE = Cause("unsuitable")
"""Why another model answers than the one decided on, where that one is known to be none for the request."""


class Sent(Struct, frozen=True):
    """A request that was answered."""

    answer: Answered
    """The answer; a stream is to be closed."""
    opened: Opened
    """What it answers."""
    deployment: str | None = None
    """Which of the model's deployments answered."""
    moved: Cause | None = None
    """Why another model answered well, or another deployment, than the one decided on; None where that one did, or
    nobody."""


class _Failure(Struct, eq=False):
    """A model, at one of the places that serve it, that has not served the request."""

    model: str
    """Provider-qualified."""
    upstream: str
    """The place's name."""
    came: Sent | UpstreamError | RequestError | None
    """Its refusal, or why it gave no answer; None where it was not asked."""
    candidate: Candidate | None = None
    """Who is asked again."""
    opened: Opened | None = None
    """What it was sent."""
    tries: int = 0
    """How often."""
    delay: float | None = None
    """After how many seconds it may be asked again; None for never."""
    rests: Cause | None = None
    """Why it was not asked, where it rests."""

    @property
    def _outcome(self) -> Answered | UpstreamError | RequestError | None:
        return self.came.answer if isinstance(self.came, Sent) else self.came

    @property
    def cause(self) -> Cause:
        """The cause for which another is asked."""
        return self.rests or name_cause(self._outcome)

    @property
    def is_too_long(self) -> bool:
        """True if its model's limits are too small for the request, wherever that is served."""
        return isinstance(self.came, Sent) and self.cause.reason == "unsuitable"

    def rank(self, decided: str) -> Telling:
        """Rank how much its error tells the client; see `rank_failure`."""
        return rank_failure(self._outcome, is_decided=self.model == decided)


NoteTry = Callable[[Try], None]
"""Called for each sending."""


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
        self._retries, self._breaker = config.retries, config.breaker
        self._patience = config.limits.keepalive_comment_seconds
        self._upstream = upstream
        self._health = health
        self._clock = clock
        self._wall_clock = wall_clock
        self._chance = chance
        self._sleep = sleep

    def find_health(self, upstream: str) -> ModelHealth:
        """Find what is known of an upstream; see `candidates.Place.upstream`."""
        return self._health.of(upstream)

    def keeps_health(self, upstream: str) -> bool:
        """Tell whether what is known of an upstream stays the same thing while its configuration is served."""
        return self._health.is_declared(upstream)

    async def send(
        self,
        candidates: Iterable[Candidate],
        decided: str,
        deployment: str | None = None,
        *,
        note: NoteTry = lambda _try: None,
        trace: Trace | None = None,
        begun: Sending | None = None,
    ) -> Sent:
        """Send a request to the first candidate that answers.

        Args:
            candidates: In the order in which they are tried; not empty. The next is asked for when the one before
                it has failed. The deployments of a model follow each other.
            decided: The model decided on. Where it is not the first, it is known that it cannot serve the request.
            deployment: The deployment of it that was decided on; None for a model without deployments.
            note: Called for each sending.
            trace: Names each sending's span; None where nothing is traced.
            begun: The first candidate's first sending, where it was sent already; nothing is traced then.

        Returns:
            The decided model's answer, good or refused for good; else the first good one of its fallbacks; else the
            most telling refusal.

        Raises:
            RequestError: No candidate answered well, and the decided model's wire cannot carry the request.
            UpstreamError: No candidate gave an answer.
        """
        failures: list[_Failure] = []
        moved = UNSUITABLE
        for model, places in groupby(candidates, _MODEL):
            came = await self._ask(places, note, trace, begun)
            begun = None
            is_decided = model == decided
            if isinstance(came, Sent):
                if is_decided:
                    return came if came.deployment == deployment and not came.moved else _name_move(came, deployment)
                if came.answer.status in SUCCESS:
                    return replace(came, moved=moved)
                came = [_Failure(model, model, came)]
            if is_decided and not failures:
                moved = came[0].cause
            failures += came
        told = min(failures, key=lambda each: (each.rank(decided), each.model != decided))
        if isinstance(told.came, Sent):
            return told.came
        try:
            raise told.came or self._explain_left_alone([each.upstream for each in failures])
        finally:
            del candidates, places, failures, told, came  # what is raised holds this frame, and this frame the request

    async def _ask(
        self, places: Iterable[Candidate], note: NoteTry, trace: Trace | None, begun: Sending | None
    ) -> Sent | list[_Failure]:
        """Try one model as often as that makes sense: each of its deployments, then again those that may answer yet."""
        failures: list[_Failure] = []
        for candidate in places:
            came = await self._begin(candidate, note, trace, begun=begun)
            begun = None
            if isinstance(came, Sent):
                return came if not failures else replace(came, moved=failures[0].cause)
            failures.append(came)
            if came.is_too_long:
                return failures
        while (soonest := _find_soonest(failures)) is not None:
            if soonest.candidate is None or not self._may_retry(soonest):
                soonest.delay = None
                continue
            await self._wait(soonest, failures)
            came = await self._begin(soonest.candidate, note, trace, soonest)
            if isinstance(came, Sent):
                return replace(came, moved=failures[0].cause)
            failures[failures.index(soonest)] = came
        return failures

    def _may_retry(self, failure: _Failure) -> bool:
        """Take a retry from the budget of what was asked before."""
        return failure.tries == 0 or self._health.of(failure.upstream).budget.take_retry()

    async def _wait(self, soonest: _Failure, failures: Iterable[_Failure]) -> None:
        """Wait until a candidate may be asked again; so long the others have waited too."""
        waited = soonest.delay or 0.0
        soonest.delay = None
        await self._sleep(waited)
        for each in failures:
            each.delay = max(0.0, each.delay - waited) if each.delay is not None else None

    async def _begin(
        self,
        candidate: Candidate,
        note: NoteTry,
        trace: Trace | None,
        before: _Failure | None = None,
        begun: Sending | None = None,
    ) -> Sent | _Failure:
        """Try one candidate once.

        Args:
            candidate: Who is asked.
            note: Called for the sending.
            trace: Names its span; None where nothing is traced.
            before: What came of it before; None at first.
            begun: The sending, where it was sent already.
        """
        served, health = candidate.served, self._health.of(candidate.served.upstream)
        is_new = before is None and begun is None
        if served.deployment is not None and is_new and health.rest.seconds_left > 0:
            return self._pass_over(candidate, health.rest)
        attempt = health.breaker.allow() if begun is None else begun.attempt
        if attempt is None and (attempt := await _insist(health.breaker, before)) is None:
            return before or _pass_over_open(candidate)
        try:
            opened = before.opened if before is not None and before.opened is not None else candidate.open()
        except RequestError as error:
            attempt.abandon()
            return _Failure(candidate.model, served.upstream, error)
        except BaseException:
            attempt.abandon()
            raise
        if is_new or (before is not None and before.tries == 0):
            health.budget.note_request()
        came = await self._try(candidate, opened, attempt, note, trace=trace, begun=begun)
        if isinstance(came, Sent) and came.answer.status in SUCCESS:
            return came
        verdict = judge(came.answer if isinstance(came, Sent) else came, opened)
        if verdict == "answered" and isinstance(came, Sent):
            return came
        tries = before.tries + 1 if before is not None else 1
        failure = _Failure(candidate.model, served.upstream, came, candidate, opened, tries)
        says = parse_retry_after(came.answer.headers if isinstance(came, Sent) else {}, now=self._wall_clock())
        if verdict == "again":
            failure.delay = choose_delay(self._retries, attempt=tries, retry_after=says, random=self._chance)
        if served.deployment is not None and isinstance(came, Sent):
            self._let_rest(health.rest, came, opened, says)
        return failure

    def _pass_over(self, candidate: Candidate, rest: Rest) -> _Failure:
        """Ask a deployment that rests after all others, and not before its provider wants to be asked."""
        seconds = rest.seconds_left if rest.is_asked_for else 0.0
        delay = seconds if seconds <= self._retries.max_delay_seconds else None
        return _Failure(candidate.model, candidate.served.upstream, None, candidate, delay=delay, rests=rest.cause)

    def _let_rest(self, rest: Rest, came: Sent, opened: Opened, says: float | None) -> None:
        """Leave a deployment alone that is asked too much, or refuses its own key."""
        status, cause = came.answer.status, name_cause(came.answer)
        if opened.by_client_key or cause.reason == "unsuitable":
            return
        if status == TOO_MANY:
            rest.begin(REST_SECONDS if says is None else says, cause, is_asked_for=says is not None)
        elif not is_retryable(status):
            rest.begin(self._breaker.open_seconds, cause, is_asked_for=False)

    async def _try(
        self,
        candidate: Candidate,
        opened: Opened,
        attempt: Attempt,
        note: NoteTry,
        *,
        trace: Trace | None,
        begun: Sending | None,
    ) -> Sent | UpstreamError:
        """Send once, and read the answer: to its end, or, where it is a stream, to its first bytes."""
        started, model, at = self._clock(), candidate.model, candidate.served.deployment
        patience = self._patience
        try:
            if begun is None:
                request = trace.stamp(model, opened.request, at) if trace else opened.request
                response = await self._upstream.send(request)
            else:
                started, patience = begun.started, max(0.0, patience - begun.waited_seconds)
                response = begun.find_response()
            answer = await read_answer(model, response, opened, attempt, patience=patience)
        except UpstreamError as error:
            attempt.fail()
            note(Try(model, None, error.code, (self._clock() - started) * 1000, at, error.message))
            return error
        except BaseException:
            attempt.abandon()
            raise
        note(Try(model, answer.status, None, (self._clock() - started) * 1000, at))
        if answer.status >= SERVER_ERROR:
            attempt.fail()
        elif isinstance(answer, StreamedAnswer):
            attempt.begin()
        else:
            attempt.succeed()
        return Sent(answer, opened, at)

    def _explain_left_alone(self, upstreams: Sequence[str]) -> UpstreamUnavailableError:
        waits = {name: self._health.of(name).breaker.seconds_left for name in upstreams}
        rests = {name: self._health.of(name).rest for name in upstreams}
        resting = {name: rest.seconds_left for name, rest in rests.items() if rest.seconds_left > waits[name]}
        failing = [name for name in waits if waits[name] > 0 and name not in resting]
        told = [f"{name} is resting ({rests[name].cause.because})" for name in resting]
        if failing or not told:
            names = ", ".join(failing or waits)
            told.append(f"{names} failed several times in a row, so the circuit breaker is open")
        wait = max(1, round(min(resting.get(name, waits[name]) for name in [*failing, *resting] or waits)))
        return UpstreamUnavailableError(f"{'; '.join(told)}. Try again in {wait} s.", retry_after_seconds=wait)


async def _insist(breaker: CircuitBreaker, before: _Failure | None) -> Attempt | None:
    """Let a request out all the same where all other deployments of the model have failed it."""
    return await breaker.insist() if before is not None and before.tries == 0 else None


def _pass_over_open(candidate: Candidate) -> _Failure:
    """Ask a deployment whose breaker is open after all others; a model that has none is not asked."""
    delay = 0.0 if candidate.served.deployment is not None else None
    return _Failure(candidate.model, candidate.served.upstream, None, candidate, delay=delay)


def _find_soonest(failures: Iterable[_Failure]) -> _Failure | None:
    """Find the candidate that may be asked again first; None for none."""
    return min((each for each in failures if each.delay is not None), key=lambda each: each.delay or 0.0, default=None)


def _name_move(sent: Sent, pinned: str | None) -> Sent:
    """Name why another deployment answered than the pinned one, where none has failed before it."""
    if sent.deployment == pinned:
        return replace(sent, moved=None)
    because = "deployment removed" if pinned is not None else "deployments configured"
    return sent if sent.moved is not None else replace(sent, moved=Cause("upstream_failed", because))
