"""A server: one application on one listening socket, from its lifespan's begin to its end."""

import asyncio
import contextlib
import socket

from starlette.types import ASGIApp

from plano_agents.http.server.connection import ServerConnection
from plano_agents.http.server.handlers import Handlers
from plano_agents.http.server.last_word import LAST_WORD_SECONDS
from plano_agents.http.server.lifespan import Lifespan
from plano_agents.http.server.server_state import ServerState

BACKLOG = 2048
"""How many connections may wait to be accepted."""
END_SECONDS = LAST_WORD_SECONDS + 1.0
"""How long cancelled work may take to tell its client so, and to end."""


class Server:
    """Serves an application.

    Args:
        app: What answers; a `handlers.DirectApp` serves some paths without ASGI.
        state: What its connections share.
    """

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self._server_state = state
        self._handlers = Handlers(app)
        self._lifespan = Lifespan(app, self._handlers.bridge.state)
        self._listening: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Start the application, then listen.

        Args:
            listener: The listening socket; it is closed when the server stops.

        Raises:
            Exception: The application's own, where it cannot start.
        """
        await self._lifespan.start()
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self.build_connection, sock=listener, backlog=BACKLOG)

    def build_connection(self) -> ServerConnection:
        """Build what serves a new connection."""
        return ServerConnection(self._server_state, self._handlers)

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more, let requests in flight end, then stop the application.

        Args:
            grace_seconds: How long requests in flight may go on; what is left then is cancelled.
        """
        state = self._server_state
        if self._listening is not None:
            self._listening.close()
        state.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await state.wait_until_left()
        for task in state.tasks:
            task.cancel()
        for member in list(state.members):
            member.interrupt()
        if state.tasks:
            await asyncio.wait(set(state.tasks), timeout=END_SECONDS)
        for member in list(state.members):
            member.abandon()
        await self._lifespan.stop()
