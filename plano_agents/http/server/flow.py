"""A connection's flow: whether it reads and writes for now, what it buffers in the meantime, and for how long.

A client has ``send_seconds`` to take as much of what waits for it as ``min_bytes_per_second`` makes in that time, or
all; one that takes less is cut off, for as long as it is there it holds its answer, and a provider's. A large answer
that waits and does not fit into the budget is cut at once.
"""

import asyncio
import logging
from collections.abc import Callable

from plano_agents.errors import OverloadedError
from plano_agents.http.deadline import Deadline
from plano_agents.http.server.budget import SMALL_BYTES, Holding
from plano_agents.http.server.server_state import ServerState
from plano_agents.http.server.unread import count_unread

_logger = logging.getLogger(__name__)


class Flow:
    """The flow of one connection.

    Args:
        transport: The connection's.
        server_state: Its limits, and the budget where its bytes count.
        on_reading_resumed: Called when paused reading goes on: from then the client's time runs.
    """

    __slots__ = (
        "_budget",
        "_deadline",
        "_on_reading_resumed",
        "_on_writable",
        "_server_state",
        "_transport",
        "_unread_bytes",
        "_writable",
        "answer",
        "body",
        "read_paused",
        "write_paused",
    )

    def __init__(
        self, transport: asyncio.Transport, server_state: ServerState, on_reading_resumed: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._server_state = server_state
        self._budget = server_state.budget
        self._on_reading_resumed = on_reading_resumed
        self._writable = asyncio.Event()
        self._on_writable: Callable[[], None] | None = None
        self._unread_bytes = 0
        self._deadline = Deadline(asyncio.get_running_loop(), self._on_deadline)
        self.read_paused = False
        """True if the client is not read."""
        self.write_paused = False
        """True if the client does not read."""
        self.answer = Holding(server_state.budget)
        """The part of the budget that the answer takes which waits for the client."""
        self.body = Holding(server_state.budget)
        """The part of the budget that the request's body takes."""

    def make_room(self, size: int) -> None:
        """See that a whole answer of so many bytes may be written, even if the client reads none of it.

        The request's body is not needed any more, and makes room for it.

        Raises:
            OverloadedError: There is no room for it.
        """
        self.body.release()
        self._budget.check_room(size)

    def close(self) -> None:
        """Release what is held for the connection, which is lost."""
        self.resume_writing()
        self.body.release()
        self._on_reading_resumed = _tell_nobody
        self._deadline.cancel()

    def pause_reading(self) -> None:
        """Read no more for now."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, and tell it."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()
            self._on_reading_resumed()

    def pause_writing(self) -> None:
        """Have writers wait, and count what waits for the client: it is kept whole until all of it is taken."""
        self.write_paused = True
        self._writable.clear()
        self.answer.resize(self._transport.get_write_buffer_size())
        self.watch_unread()
        if self._is_over_budget():
            # Once this write is over, and with it perhaps the request.
            asyncio.get_running_loop().call_soon(self._cut)

    def resume_writing(self) -> None:
        """Let writers go on: the client has taken what waited, or is gone."""
        self.write_paused = False
        self._writable.set()
        self.answer.release()
        self._deadline.lift()
        on_writable, self._on_writable = self._on_writable, None
        if on_writable is not None:
            on_writable()

    def call_when_writable(self, go_on: Callable[[], None]) -> None:
        """Have something called once the client reads, or is gone; at once where it does."""
        if self.write_paused:
            self._on_writable = go_on
        else:
            go_on()

    async def drain(self) -> None:
        """Wait until the client reads, or is gone."""
        while self.write_paused:
            await self._writable.wait()

    def watch_unread(self) -> None:
        """Give the client its time to take what it has to of what waits for it."""
        self._unread_bytes = count_unread(self._transport)
        self._deadline.move(self._server_state.limits.send_seconds)
        self._deadline.watch()

    def _is_over_budget(self) -> bool:
        """Check whether the answer that waits is large, and there is no room for it."""
        return self.answer.size > SMALL_BYTES and self._budget.held > self._budget.limit

    def _cut(self) -> None:
        """Cut an answer that does not fit into the budget, unless it has been taken in the meantime."""
        if self._is_over_budget():
            _logger.debug("Cut an answer: %s", OverloadedError.code)
            self._server_state.on_refused(OverloadedError.code)
            self._transport.abort()

    def _on_deadline(self) -> None:
        """Cut off a client that takes too little."""
        taken = self._unread_bytes - count_unread(self._transport)
        if taken >= max(1, min(self._server_state.least_sent_bytes, self._unread_bytes)):
            self.watch_unread()
        else:
            self._transport.abort()


def _tell_nobody() -> None:
    """The connection is lost."""
