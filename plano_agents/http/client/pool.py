"""The pool of idle connections to one origin: the one used last goes first.

So the others grow old and are closed, and what is kept follows what is needed. One that the provider closes leaves at
once. There is no limit to those in use.
"""

import asyncio

from plano_agents.http.client.connection import Connection

IDLE_SECONDS = 60.0
"""How long a connection is kept without a request."""
IDLE_CONNECTIONS = 256
"""How many are kept without a request, for each origin."""


class Pool:
    """The connections to one origin.

    Args:
        label: What messages call the origin.
        idle_seconds: How long one is kept without a request.
        idle_connections: How many are.
    """

    def __init__(
        self, label: str, *, idle_seconds: float = IDLE_SECONDS, idle_connections: int = IDLE_CONNECTIONS
    ) -> None:
        self._label = label
        self._idle_seconds = idle_seconds
        self._idle_connections = idle_connections
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []  # the longest idle first
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None

    def build_connection(self) -> Connection:
        """Build a connection, to be given to a transport."""
        return Connection(self._label, self, self._loop)

    def take(self) -> Connection | None:
        """Take a connection that waits, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            connection.is_idle = False
            if not connection.is_closing:
                return connection
        return None

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._drained = asyncio.Event()
        if self._timer is not None:
            self._timer.cancel()
        for connection in [*self._open]:
            connection.abort()
        if self._open:
            await self._drained.wait()

    def add(self, connection: Connection) -> None:
        """Note a connection that stands now; one that was given up while it was made may never say that it is lost."""
        self._open.add(connection)

    def keep(self, connection: Connection) -> None:
        """Keep a connection for the next request; close it where that makes too many."""
        if self._drained is not None or len(self._idle) >= self._idle_connections:
            connection.abort()
            return
        connection.is_idle = True
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(self._idle_seconds, self._sweep)

    def put_aside(self, connection: Connection) -> None:
        """Keep a connection that is closing from being taken."""
        if connection.is_idle:
            connection.is_idle = False
            self._idle.remove(connection)

    def forget(self, connection: Connection) -> None:
        """Know no more of a connection that is closed."""
        self.put_aside(connection)
        self._open.discard(connection)
        if self._drained is not None and not self._open:
            self._drained.set()

    def _sweep(self) -> None:
        """Close those that nobody has needed for long."""
        self._timer = None
        oldest_kept = self._loop.time() - self._idle_seconds
        while self._idle and self._idle[0].idle_since <= oldest_kept:
            self._idle[0].abort()
        if self._idle:
            self._timer = self._loop.call_at(self._idle[0].idle_since + self._idle_seconds, self._sweep)
