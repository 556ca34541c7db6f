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
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from plano_agents.config.model import Config
from plano_agents.errors import (
    RequestError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamUnavailableError,
)
from plano_agents.http.client import TakeChunk, Upstream, UpstreamRequest, UpstreamResponse
from plano_agents.protocol.overflow import says_too_long
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.health import Health
from plano_agents.router.request.retry import choose_delay, is_retryable, parse_retry_after
from plano_agents.router.request.trace import Trace
from plano_agents.router.request.trail import Try
from plano_agents.sessions.pin import MoveReason

STATUSES = range(200, 600)
SUCCESS = range(200, 300)
SERVER_ERROR = 500


_UNSUITABLE: MoveReason = "unsuitable"
_FAILED: MoveReason = "upstream_failed"


class Candidate(Struct, frozen=True):
    """A model that may answer, and how it is asked."""

    model: str
    """Provider-qualified."""
    build_request: Callable[[], UpstreamRequest]
    """Writes the request on the model's own wire; called when its turn has come."""


class WholeAnswer(Struct, frozen=True):
    """An answer that was read to its end."""

    model: str
    """Who gave it."""
    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """Names compared in any case."""
    body: bytes
    """The whole body."""

    def __repr__(self) -> str:
        return f"WholeAnswer({self.model!r}, {self.status})"


class StreamedAnswer:
    """An answer that goes on: its first bytes are there, or still awaited.

    Args:
        model: Who gives it.
        response: The provider's answer, its body not read; `aclose` closes it.
        attempt: Whose outcome the stream's end decides; its reader says it.
    """

    __slots__ = ("_response", "attempt", "first", "headers", "model", "opening", "status")

    def __init__(self, model: str, response: UpstreamResponse, attempt: Attempt) -> None:
        self.model = model
        """Who gives it."""
        self.status = response.status
        """The HTTP status."""
        self.headers = response.headers
        """Names compared in any case."""
        self._response = response
        self.attempt = attempt
        """The attempt that it came of, for whoever sees its end to judge."""
        self.opening = b""
        """The first bytes, once they are there; none at an end without any."""
        self.first = response.forward(self._take_opening)
        """Done once the first bytes are there; says whether they are all."""

    def forward(self, take: TakeChunk) -> asyncio.Future[bool]:
        """Hand on what follows the first bytes, as `UpstreamResponse.forward` does."""
        return self._response.forward(take)

    async def aclose(self) -> None:
        """End it, read to its end or not."""
        async with self._response:
            if not (self.first.cancel() or self.first.cancelled()):
                self.first.exception()  # nobody may have waited for it
            del self.first  # what it raised holds the frames that hold this answer

    def _take_opening(self, chunk: bytes) -> bool:
        self.opening = chunk
        return False


Answered = WholeAnswer | StreamedAnswer
"""What a provider answers with."""


class Sent(Struct, frozen=True):
    """What came of a request."""

    answer: Answered
    """The answer."""
    moved: MoveReason | None
    """Why another model answered than the one decided on; None where that one did."""


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
            The answer, which is to be closed where it is a stream: the decided model's, good or refused for good; else the first good one of those that stand in
            for it. Where none of them does better, what came of the decided model is told, for it stays the
            session's: a stand-in's refusal helps nobody.

        Raises:
            RequestError: The decided model's wire cannot carry the request, and no other candidate answered well.
            UpstreamError: The decided model gave no answer, and no other candidate a good one.
        """
        own: WholeAnswer | UpstreamError | RequestError | None = None
        reason: MoveReason | None = None
        tried: list[Candidate] = []
        for candidate in candidates:
            tried.append(candidate)
            outcome, why = await self._send_to(candidate, note, trace)
            is_own = candidate.model == decided
            if isinstance(outcome, Answered) and why is None and (is_own or outcome.status in SUCCESS):
                return Sent(outcome, None if is_own else reason or _UNSUITABLE)
            if is_own:
                assert not isinstance(outcome, StreamedAnswer), "it would have been returned"  # noqa: S101 - cannot happen
                own = outcome
                reason = why if len(tried) == 1 else None
        if isinstance(own, WholeAnswer):
            return Sent(own, None)
        try:
            raise own or self._unavailable(tried)
        finally:
            del own, outcome  # what is raised holds this frame, and this frame the request

    async def _send_to(
        self, candidate: Candidate, note: NoteTry, trace: Trace | None
    ) -> tuple[Answered | UpstreamError | RequestError | None, MoveReason | None]:
        """Try one candidate as often as that makes sense.

        Returns:
            What came of it, None where its breaker is open; and why another may do better, None where it answered.
        """
        health = self._health.of(candidate.model)
        attempt = health.breaker.allow()
        if attempt is None:
            return None, _FAILED
        try:
            request = candidate.build_request()
        except RequestError as error:
            attempt.abandon()
            return error, _UNSUITABLE
        except BaseException:
            attempt.abandon()
            raise
        health.budget.note_request()
        tries = 1
        while True:
            outcome = await self._try(candidate.model, request, attempt, note=note, trace=trace)
            if isinstance(outcome, StreamedAnswer):
                return outcome, None
            retry_after = None
            if isinstance(outcome, WholeAnswer):
                if not is_retryable(outcome.status):
                    return outcome, _UNSUITABLE if says_too_long(outcome.status, outcome.body) else None
                retry_after = parse_retry_after(outcome.headers, now=self._wall_clock())
            delay = choose_delay(self._retries, attempt=tries, retry_after=retry_after, random=self._chance)
            if delay is None or not health.budget.take_retry():
                return outcome, _FAILED
            await self._sleep(delay)
            tries += 1
            attempt = health.breaker.allow()
            if attempt is None:
                return outcome, _FAILED

    async def _try(
        self,
        model: str,
        request: UpstreamRequest,
        attempt: Attempt,
        *,
        note: NoteTry,
        trace: Trace | None,
    ) -> Answered | UpstreamError:
        """Send once, and read the answer: to its end, or, where it is a stream, to its first bytes."""
        started = self._clock()
        try:
            response = await self._upstream.send(request if trace is None else trace.stamp(model, request))
            status, headers = response.status, response.headers
            answer: Answered
            if status in SUCCESS and "text/event-stream" in headers.get("content-type", "").lower():
                answer = await self._read_stream(StreamedAnswer(model, response, attempt))
            else:
                async with response:
                    _check_status(model, status)
                    answer = WholeAnswer(model, status, headers, await response.read())
        except UpstreamError as error:
            attempt.fail()
            note(Try(model, None, error.code, (self._clock() - started) * 1000))
            return error
        except BaseException:
            attempt.abandon()
            raise
        note(Try(model, status, None, (self._clock() - started) * 1000))
        if status >= SERVER_ERROR:
            attempt.fail()
        elif isinstance(answer, StreamedAnswer):
            attempt.begin()
        else:
            attempt.succeed()
        return answer

    async def _read_stream(self, answer: StreamedAnswer) -> StreamedAnswer:
        """Wait for a stream's first bytes, for as long as the client need not be told to go on waiting."""
        try:
            if not answer.first.done():
                await asyncio.wait({answer.first}, timeout=self._patience)
            _check_begun(answer)
        except BaseException:
            await answer.aclose()
            raise
        return answer

    def _unavailable(self, candidates: Sequence[Candidate]) -> UpstreamUnavailableError:
        waits = {each.model: self._health.of(each.model).breaker.seconds_left for each in candidates}
        names = [model for model, seconds in waits.items() if seconds > 0] or list(waits)
        wait = min(waits[model] for model in names)
        return UpstreamUnavailableError(
            f"{', '.join(names)} failed several times in a row and is left alone for a while. Try again in "
            f"{max(1, round(wait))} s.",
            retry_after_seconds=max(1, round(wait)),
        )


def _check_status(model: str, status: int) -> None:
    if status not in STATUSES:
        raise UpstreamProtocolError(f"{model} answered with the status {status}, which is none of HTTP's.")


def _check_begun(answer: StreamedAnswer) -> None:
    if answer.first.done() and answer.first.result() and not answer.opening:
        raise UpstreamProtocolError("The provider's stream ended before it began.")
