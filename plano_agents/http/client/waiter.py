"""A connection's callbacks as something to await: how the story reads an answer."""

import asyncio
from collections.abc import Callable

from plano_agents.errors import UpstreamError
from plano_agents.http.client import TakeChunk


class Waiter:
    """Waits for one thing of an answer; see `reader.Reader`.

    Args:
        loop: The event loop.
        take: Takes chunks; None where none are asked for.
    """

    __slots__ = ("_take", "came")

    def __init__(self, loop: asyncio.AbstractEventLoop, take: TakeChunk | None = None) -> None:
        self._take = take
        self.came: asyncio.Future[bool] = loop.create_future()
        """Done once it is there; of a body, it says whether that was all. Cancelling it ends the handing on."""

    def on_answer(self) -> None:
        """See `Reader.on_answer`."""
        self.on_end(is_all=False)

    def on_chunk(self, chunk: bytes, _framed: bytes = b"", /) -> bool:
        """See `Reader.on_chunk`."""
        return self._take is not None and not self.came.done() and self._take(chunk)

    def on_end(self, is_all: bool) -> None:  # noqa: FBT001 - a callback's
        """See `Reader.on_end`."""
        if not self.came.done():
            self.came.set_result(is_all)

    def on_failure(self, failure: Callable[[], UpstreamError], /) -> None:
        """See `Reader.on_failure`."""
        if not self.came.done():
            self.came.set_exception(failure())
