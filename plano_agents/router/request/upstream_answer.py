"""A provider's answer: read to its end, or, where it is a stream, to its first bytes.

Nothing of it has gone to the client yet, so a good status is not believed: what is within may be an error, nothing, or
another form than was asked for (``protocol.first_look``). A stream counts as answered when its first bytes are there,
or when the client has waited so long that it must be told to go on waiting.
"""

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from plano_agents.errors import UpstreamProtocolError
from plano_agents.http.client import TakeChunk, UpstreamResponse
from plano_agents.protocol.first_look import (
    FoundError,
    Opening,
    OpeningLook,
    check_whole,
    judge_opening,
    looks_like_events,
)
from plano_agents.router.request.breaker import Attempt
from plano_agents.router.request.candidates import Opened
from plano_agents.router.request.compression import decompress, is_compressed

STATUSES = range(200, 600)
SUCCESS = range(200, 300)


class WholeAnswer(Struct, frozen=True):
    """An answer that was read to its end."""

    model: str
    """Who gave it."""
    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """Names compared in any case."""
    body: bytes
    """The whole body; of a good status in the form that the client asked for, JSON or all events of a stream."""

    def __repr__(self) -> str:
        return f"WholeAnswer({self.model!r}, {self.status})"


class StreamedAnswer:
    """An answer that goes on: its first bytes are there, or still awaited.

    Args:
        model: Who gives it.
        response: The provider's answer, its body not read; `aclose` closes it.
        attempt: Whose outcome the stream's end decides; its reader says it.
    """

    __slots__ = ("_look", "_response", "attempt", "first", "headers", "judged", "model", "status")

    def __init__(self, model: str, response: UpstreamResponse, attempt: Attempt) -> None:
        self.model = model
        """Who gives it."""
        self.status = response.status
        """The HTTP status."""
        self.headers = response.headers
        """Names compared in any case."""
        self._response = response
        self.attempt = attempt
        """The attempt that it came of, to be judged where its end is seen."""
        self._look = OpeningLook()
        self.judged: Opening | FoundError = Opening.SILENT
        """What they are."""
        self.first = response.forward(self._take_opening)
        """Done once the first bytes are there; says whether they are all."""

    @property
    def opening(self) -> bytes:
        """The first bytes that say something, once they are there, and all before them; none at an end without any."""
        return self._look.came

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
        judged = self._look.take(chunk)
        if judged is None:
            return False
        self.judged = judged
        return judged is Opening.SILENT


Answered = WholeAnswer | StreamedAnswer
"""What a provider answers with."""


async def read_answer(
    model: str, response: UpstreamResponse, opened: Opened, attempt: Attempt, *, patience: float
) -> Answered:
    """Read what a provider answers, and close it where it is read to its end.

    Args:
        model: Who was asked.
        response: The provider's answer, its body not read.
        opened: What was asked.
        attempt: Judges it by its end, where that is still to come.
        patience: For how many seconds a stream's first bytes are awaited before the client is told to wait.

    Raises:
        UpstreamError: It is cut, late, or no answer.
    """
    status, headers = response.status, response.headers
    if status not in SUCCESS:
        async with response:
            if status not in STATUSES:
                raise UpstreamProtocolError(f"{model} answered with the status {status}, which is none of HTTP's.")
            return WholeAnswer(model, status, headers, decompress(await response.read(), headers))
    if opened.streams and _may_stream(headers):
        answer = StreamedAnswer(model, response, attempt)
        if await _begin(answer, patience):
            return answer
        async with response:
            body = await answer.read_rest()
    else:
        async with response:
            body = decompress(await response.read(), headers)
    is_events = looks_like_events(body)
    if opened.form is not None:
        found = judge_opening(body) if is_events else check_whole(body, opened.form)
        if isinstance(found, FoundError):
            return WholeAnswer(model, found.status, headers, found.body)
    return WholeAnswer(model, status, headers, opened.finish(body, is_events=is_events))


def _may_stream(headers: Mapping[str, str]) -> bool:
    """Check whether what was asked for as a stream may be one; some providers call theirs plain text."""
    kind = headers.get("content-type", "").lower()
    return ("text/event-stream" in kind or "json" not in kind) and not is_compressed(headers)


async def _begin(answer: StreamedAnswer, patience: float) -> bool:
    """Wait for a stream's first bytes, for as long as the client need not be told to go on waiting.

    Args:
        answer: The answer. One that does not say that it is a stream is waited for until it shows.
        patience: How long, in seconds.

    Returns:
        Whether it is one that has begun, or may still; else it is to be read whole.
    """
    try:
        if not answer.first.done():
            is_stream = "text/event-stream" in answer.headers.get("content-type", "").lower()
            await asyncio.wait({answer.first}, timeout=patience if is_stream else None)
        if not answer.first.done():
            return True
        _check_begun(answer)
    except BaseException:
        await answer.aclose()
        raise
    return looks_like_events(answer.opening) and not isinstance(answer.judged, FoundError)


def _check_begun(answer: StreamedAnswer) -> None:
    """Refuse a stream that ended before it said anything."""
    is_silent = answer.judged is Opening.SILENT and looks_like_events(answer.opening)
    if answer.first.result() and (is_silent or not answer.opening.strip()):
        raise UpstreamProtocolError("The provider's stream ended before it began.")
