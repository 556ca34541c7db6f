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
from typing import Literal

from msgspec import Struct

from plano_agents.config.model import Config
from plano_agents.errors import (
    ConnectTimeoutError,
    RequestError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from plano_agents.http.client import TakeChunk, Upstream, UpstreamRequest, UpstreamResponse
from plano_agents.protocol.first_look import (
    FoundError,
    Opening,
    check_whole,
    judge_opening,
    looks_like_events,
)
from plano_agents.protocol.form import Form
from plano_agents.protocol.overflow import says_too_long
from plano_agents.providers.refusals import is_about_target
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.compression import decompress, is_compressed
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
    form: Form | None = Form.OPENAI_CHAT
    """That wire; None where the answer is not a model's, such as a count of tokens: then it is not looked at."""
    streams: bool = False
    """Whether a stream is asked for."""
    finish: Callable[[bytes], bytes] = bytes
    """Makes what the client gets of a whole answer; raises `UpstreamProtocolError` where it is none."""
    by_client_key: bool = False
    """Whether the client's own key goes along."""


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

    __slots__ = ("_response", "attempt", "first", "headers", "judged", "model", "opening", "status")

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
        """The first bytes that say something, once they are there, and all before them; none at an end without any."""
        self.judged: Opening | FoundError = Opening.SILENT
        """What they are."""
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

    async def read_rest(self) -> bytes:
        """Read it to its end, and give all of it."""
        pieces = [self.opening]

        def take(chunk: bytes) -> bool:
            pieces.append(chunk)
            return True

        if not await self.first:
            await self.forward(take)
        return b"".join(pieces)

    def _take_opening(self, chunk: bytes) -> bool:
        self.opening += chunk
        if not looks_like_events(self.opening) and self.opening.strip():
            return False
        self.judged = judge_opening(self.opening)
        return self.judged is Opening.SILENT


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
            outcome = await self._try(candidate, request, attempt, note=note, trace=trace)
            why = _judge(candidate, outcome)
            if why != "again":
                return outcome, why
            retry_after = (
                parse_retry_after(outcome.headers, now=self._wall_clock())
                if isinstance(outcome, WholeAnswer)
                else None
            )
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
        candidate: Candidate,
        request: UpstreamRequest,
        attempt: Attempt,
        *,
        note: NoteTry,
        trace: Trace | None,
    ) -> Answered | UpstreamError:
        """Send once, and read the answer: to its end, or, where it is a stream, to its first bytes."""
        started, model = self._clock(), candidate.model
        try:
            response = await self._upstream.send(request if trace is None else trace.stamp(model, request))
            answer: Answered
            if response.status in SUCCESS:
                answer = await self._read_success(candidate, response, attempt)
            else:
                async with response:
                    _check_status(model, response.status)
                    body = decompress(await response.read(), response.headers)
                    answer = WholeAnswer(model, response.status, response.headers, body)
            status = answer.status
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

    async def _read_success(
        self, candidate: Candidate, response: UpstreamResponse, attempt: Attempt
    ) -> Answered:
        """Read an answer of a good status, and look at it: it may be an error, or in another form than asked for."""
        headers = response.headers
        kind = headers.get("content-type", "").lower()
        is_stream = "text/event-stream" in kind
        if candidate.streams and (is_stream or "json" not in kind) and not is_compressed(headers):
            answer = StreamedAnswer(candidate.model, response, attempt)
            if await self._begin(answer, is_stream=is_stream):
                return answer
            async with response:
                body = await answer.read_rest()
        else:
            async with response:
                body = decompress(await response.read(), headers)
        found = _look_at(body, candidate.form)
        if isinstance(found, FoundError):
            return WholeAnswer(candidate.model, found.status, headers, found.body)
        return WholeAnswer(candidate.model, response.status, headers, candidate.finish(body))

    async def _begin(self, answer: StreamedAnswer, *, is_stream: bool) -> bool:
        """Wait for a stream's first bytes, for as long as the client need not be told to go on waiting.

        Args:
            answer: The answer.
            is_stream: Whether it says that it is a stream; else it is waited for until it shows.

        Returns:
            Whether it is one that has begun, or may still; else it is to be read whole.
        """
        try:
            if not answer.first.done():
                await asyncio.wait({answer.first}, timeout=self._patience if is_stream else None)
            if not answer.first.done():
                return True
            _check_begun(answer)
        except BaseException:
            await answer.aclose()
            raise
        return looks_like_events(answer.opening) and not isinstance(answer.judged, FoundError)

    def _unavailable(self, candidates: Sequence[Candidate]) -> UpstreamUnavailableError:
        waits = {each.model: self._health.of(each.model).breaker.seconds_left for each in candidates}
        names = [model for model, seconds in waits.items() if seconds > 0] or list(waits)
        wait = min(waits[model] for model in names)
        return UpstreamUnavailableError(
            f"{', '.join(names)} failed several times in a row and is left alone for a while. Try again in "
            f"{max(1, round(wait))} s.",
            retry_after_seconds=max(1, round(wait)),
        )


def _look_at(body: bytes, form: Form | None) -> Opening | FoundError | None:
    if form is None:
        return None
    return judge_opening(body) if looks_like_events(body) else check_whole(body, form)


def _check_status(model: str, status: int) -> None:
    if status not in STATUSES:
        raise UpstreamProtocolError(f"{model} answered with the status {status}, which is none of HTTP's.")


def _judge(candidate: Candidate, outcome: Answered | UpstreamError) -> MoveReason | Literal["again"] | None:
    """Judge what came of a candidate.

    Returns:
        Why another candidate may do better, or that this one may on another try; None where the answer stands.
    """
    if isinstance(outcome, StreamedAnswer):
        return None
    if isinstance(outcome, UpstreamError):
        # A whole answer that was being made when the time was over is billed, and would take as long again.
        is_late = isinstance(outcome, UpstreamTimeoutError) and not isinstance(outcome, ConnectTimeoutError)
        return _FAILED if is_late and not candidate.streams else "again"
    if is_retryable(outcome.status):
        return "again"
    if says_too_long(outcome.status, outcome.body):
        return _UNSUITABLE
    by_client_key = candidate.by_client_key
    return _FAILED if is_about_target(outcome.status, outcome.body, by_client_key=by_client_key) else None


def _check_begun(answer: StreamedAnswer) -> None:
    """Refuse a stream that ended before it said anything."""
    is_silent = answer.judged is Opening.SILENT and looks_like_events(answer.opening)
    if answer.first.result() and (is_silent or not answer.opening.strip()):
        raise UpstreamProtocolError("The provider's stream ended before it began.")
