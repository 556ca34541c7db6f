"""A provider's stream on its way to the client: as it is or translated, and never ended well when it was cut.

Both Python SDKs take a clean end for success. So what breaks, or ends before the answer did, gets an error event and
then a broken connection. While nothing comes from the provider, comment lines keep intermediaries awake.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from plano_agents.errors import PlanoError, UpstreamError
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.request.bugs import explain_failure
from plano_agents.router.request.stream_encoders import StreamEncoder
from plano_agents.router.request.trail import Trail
from plano_agents.router.request.upstream_answer import StreamedAnswer

COMMENT = b": waiting for the model\n\n"
"""Says nothing, by the standard's own rule (WHATWG HTML, section 9.2.7, "authoring notes")."""

DRAIN_SECONDS = 1.0
"""How long the provider may take to end its connection's answer once the answer's own end was there."""


class Stream:
    """A provider's stream on its way to the client, one for each answer.

    Args:
        answer: The provider's.
        encoder: Makes the client's bytes of the provider's.
        trail: The request's; it learns what went wrong.
        patience: After how many seconds without a first byte a comment is sent, again and again.
        note: Is shown whole events before they are passed on.
    """

    __slots__ = (
        "_answer",
        "_encoder",
        "_failure",
        "_has_begun",
        "_is_broken",
        "_is_ended",
        "_is_over",
        "_last",
        "_note",
        "_patience",
        "_trail",
        "_write",
    )

    def __init__(
        self,
        answer: StreamedAnswer,
        encoder: StreamEncoder,
        trail: Trail,
        *,
        patience: float,
        note: Callable[[bytes], None],
    ) -> None:
        self._answer = answer
        self._encoder = encoder
        self._trail = trail
        self._patience = patience
        self._note = note
        self._write: Callable[[bytes], bool]
        self._has_begun = False
        self._is_over = False  # the provider's stream
        self._is_ended = False  # the client's
        self._is_broken = False
        self._last = b""
        self._failure: PlanoError | None = None

    async def forward(self, write: Callable[[bytes], bool]) -> bytes | None:
        """Write what comes, translated; see `AnswerStream.forward`."""
        answer, self._write = self._answer, write
        try:
            if not self._has_begun:
                await self._await_first()
                self._has_begun, self._is_over = True, answer.first.result()
                takes_more = not answer.opening or self._take(answer.opening)
            else:
                takes_more = True
            if takes_more and not self._is_over:
                self._is_over = await answer.forward(self._take)
            if self._failure is None:
                if self._is_over and not self._is_ended:
                    self._end(self._encoder.finish())
                if self._is_ended:
                    self._encoder.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            self._fail(error)
        if self._failure is not None or (self._is_ended and self._encoder.failed):
            self._break_off()
        if not self._is_ended:
            return None
        answer.attempt.succeed()
        return self._last

    async def aclose(self) -> None:
        """End it, read to its end or not.

        What follows an answer's end, mostly nothing, is read, so that the connection can serve another request.
        """
        try:
            if self._is_ended and not (self._is_broken or self._is_over):
                await _drain(self._answer)
        finally:
            await self._answer.aclose()

    async def _await_first(self) -> None:
        """Wait for the first bytes, and tell the client again and again that they are awaited."""
        first = self._answer.first
        while not first.done():
            self._write(COMMENT)
            await asyncio.wait({first}, timeout=self._patience)

    def _take(self, chunk: bytes) -> bool:
        """Pass on a chunk; whether another may follow. What is wrong with it is told later."""
        encoder = self._encoder
        try:
            piece = encoder.feed(chunk)
            if encoder.finished:
                self._end(piece)
                return False
            if not piece:
                return True
            self._note(piece)
            return self._write(piece)
        except Exception as error:  # noqa: BLE001 - see `TakeChunk`
            self._fail(error)
            return False

    def _end(self, last: bytes) -> None:
        self._note(last)
        self._last, self._is_ended = last, True

    def _break_off(self) -> NoReturn:
        """Tell the client that the stream broke, unless the provider's own error event does."""
        failure = self._failure
        self._is_broken = True
        self._trail.failure = UpstreamError.code if failure is None else failure.code
        if failure is None or isinstance(failure, UpstreamError):
            self._answer.attempt.fail()
        said = self._last if failure is None else self._last + self._encoder.break_off(failure)
        if said:
            self._write(said)
        raise StreamBrokenError

    def _fail(self, error: Exception) -> None:
        """Keep what the client is told, without the frames that the error passed: they hold this stream."""
        self._failure = explain_failure(error, self._trail.trace_id).with_traceback(None)


async def _drain(answer: StreamedAnswer) -> None:
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await answer.forward(lambda _: True)
