"""A provider's stream as the body of the story's answer: it is relayed as it comes, and waited for.

While nothing comes from the provider, comment lines keep intermediaries awake.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from plano_agents.errors import UpstreamError
from plano_agents.router.request.relay import Relay
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

    __slots__ = ("_answer", "_has_begun", "_patience", "_relay")

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
        self._patience = patience
        self._relay = Relay(encoder, answer.attempt, trail, note, _write_nothing)
        self._has_begun = False

    async def forward(self, write: Callable[[bytes], bool]) -> bytes | None:
        """Write what comes, translated; see `AnswerStream.forward`."""
        answer, relay, is_over = self._answer, self._relay, self._relay.is_over
        relay.write = write
        try:
            takes_more = True
            if not self._has_begun:
                await self._await_first()
                self._has_begun, is_over = True, answer.first.result()
                takes_more = not answer.opening or relay.take(answer.opening)
            if takes_more and not is_over:
                is_over = await answer.forward(relay.take)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            relay.fail(error)
        return relay.conclude(is_over=is_over)

    async def aclose(self) -> None:
        """End it, read to its end or not.

        What follows an answer's end, mostly nothing, is read, so that the connection can serve another request.
        """
        try:
            if self._relay.is_unread:
                await _drain(self._answer)
        finally:
            await self._answer.aclose()

    async def _await_first(self) -> None:
        """Wait for the first bytes, and tell the client again and again that they are awaited."""
        first = self._answer.first
        while not first.done():
            self._relay.write(COMMENT)
            await asyncio.wait({first}, timeout=self._patience)


async def _drain(answer: StreamedAnswer) -> None:
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await answer.forward(lambda _: True)


def _write_nothing(_piece: bytes) -> bool:
    """Nobody reads yet."""
    return False
