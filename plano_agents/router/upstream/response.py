"""A provider's answer as the service reads it."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from plano_agents.router.upstream.connection import Connection, Header

ANSWER_BYTES = 64 * 1024 * 1024
"""The largest whole answer of a provider that is held, in bytes."""


class Headers(Mapping[str, str]):
    """An answer's headers, names compared in any case; of those that came more than once, the first.

    Args:
        raw: Names and values as they came.
    """

    __slots__ = ("_fields", "raw")

    def __init__(self, raw: Sequence[Header]) -> None:
        self.raw = raw
        """Names and values as they came."""
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._read()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._read()

    def _read(self) -> dict[str, str]:
        fields = self._fields
        if fields is None:
            fields = self._fields = {}
            for name, value in self.raw:
                fields.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        return fields


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
        self.headers = Headers(connection.headers)
        """See `UpstreamResponse.headers`."""

    async def read(self, limit: int = ANSWER_BYTES) -> bytes:
        """See `UpstreamResponse.read`.

        Args:
            limit: The most bytes it may have.
        """
        connection = self._connection
        if connection is None:
            return b""
        if not connection.is_complete:
            await connection.wait_for_end(limit)
        body = connection.take()
        self._release()
        return body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See `UpstreamResponse.chunks`; a chunk is all that came since the last."""
        while (connection := self._connection) is not None:
            if connection.pieces:
                chunk = connection.take()
                if connection.is_complete:
                    self._release()
                yield chunk
            elif connection.is_complete:
                self._release()
            else:
                await connection.wait_for_chunk()

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
