"""A provider's answer as the service reads it."""

import asyncio
from types import TracebackType
from typing import Self

from plano_agents.http.client import TakeChunk, failures
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.response_head import Headers
from plano_agents.http.client.waiter import Waiter

ANSWER_BYTES = 64 * 1024 * 1024
"""The largest whole answer of a provider that is held, in bytes."""


class HttpResponse:
    """An answer whose head is there.

    Args:
        connection: The one that it comes on; it is released at the answer's end, or on leaving.
    """

    __slots__ = ("_connection", "headers", "status")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self.status = connection.status
        """See `UpstreamResponse.status`."""
        self.headers = Headers(connection.head)
        """See `UpstreamResponse.headers`."""

    async def read(self, limit: int = ANSWER_BYTES) -> bytes:
        """See `UpstreamResponse.read`.

        Args:
            limit: The most bytes it may have.

        Raises:
            UpstreamError: The connection broke or fell silent, or it has more.
        """
        connection = self._connection
        if connection is None:
            return b""
        if not connection.is_complete:
            await _wait_for_end(connection, limit)
        body = connection.take()
        self._release()
        if len(body) > limit:
            raise failures.gives_too_much(connection.label, limit)
        return body

    def forward(self, take: TakeChunk) -> asyncio.Future[bool]:
        """See `UpstreamResponse.forward`."""
        end = Waiter(asyncio.get_running_loop(), take)
        if self._connection is not None:
            self._connection.forward(end)
        else:
            end.on_end(is_all=True)
        return end.came

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()


def _wait_for_end(connection: Connection, limit: int) -> "asyncio.Future[bool]":
    """Give what is done once all of the body is there; who awaits it must not hold it, for it holds what is raised."""
    whole = Waiter(asyncio.get_running_loop())
    connection.wait_for_end(limit, whole)
    return whole.came
