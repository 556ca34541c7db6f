"""A connection's flow: whether it reads and writes for now, and what it buffers in the meantime."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

from plano_agents.http.server.budget import SMALL_BYTES, BufferBudget, Holding


class Flow(FlowControl):
    """Uvicorn's flow control, which also counts what is buffered.

    Args:
        transport: The connection's.
        budget: Where its buffered bytes count.
        on_reading_resumed: Called when paused reading goes on: from then the client's time runs.
    """

    def __init__(
        self, transport: asyncio.Transport, budget: BufferBudget, on_reading_resumed: Callable[[], None]
    ) -> None:
        super().__init__(transport)
        self._on_reading_resumed = on_reading_resumed
        self._budget = budget
        self.answer = Holding(budget)
        """The part of the budget that the answer takes which waits for the client."""
        self.body = Holding(budget)
        """The part of the budget that the request's body takes."""

    @property
    def is_over_budget(self) -> bool:
        """Whether the answer that waits is large, and there is no room for it."""
        return self.answer.size > SMALL_BYTES and self._budget.held > self._budget.limit

    def make_room(self, size: int) -> None:
        """See that a whole answer of so many bytes may be written, even if the client reads none of it.

        The request's body is not needed any more, and makes room for it.

        Raises:
            OverloadedError: There is no room for it.
        """
        self.body.release()
        self._budget.check_room(size)

    def close(self) -> None:
        """Let go of the connection, which is lost, and of its request's body; the transport may still be told."""
        self.body.release()
        self._on_reading_resumed = _tell_nobody

    def resume_reading(self) -> None:
        """Read on, and tell it."""
        if self.read_paused:
            super().resume_reading()
            self._on_reading_resumed()

    def pause_writing(self) -> None:
        """Have writers wait, and count what waits for the client: it is kept whole until all of it is taken."""
        super().pause_writing()
        self.answer.resize(self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Let writers go on: the client has taken what waited, or is gone."""
        super().resume_writing()
        self.answer.release()


def _tell_nobody() -> None:
    """The connection is lost."""
