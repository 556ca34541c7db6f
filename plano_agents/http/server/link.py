"""A connection as its exchange sees it."""

import asyncio
from typing import Protocol

from plano_agents.http.server.flow import Flow
from plano_agents.http.server.server_state import ServerState

Ends = tuple[tuple[str, int] | None, tuple[str, int] | None]
"""The client's address and the server's own, each with its port; None on a Unix socket."""


class Link(Protocol):
    """A connection, as its exchange sees it."""

    transport: asyncio.Transport
    """Takes the answer."""
    flow: Flow
    """Says when the client does not read, and whether there is room for a large answer."""
    server_state: ServerState
    """Has the beginnings of answers, and knows the tasks that a stopping server waits for."""
    ends: Ends
    """The client's address and the server's own."""
    peer: str | None
    """The client's address; None where it has none, on a Unix socket."""

    def read_on(self) -> None:
        """Let the client send, as far as there is room for what it sends."""

    def end_answer(self) -> None:
        """Go on: the answer's end was written."""


def read_ends(transport: asyncio.Transport) -> Ends:
    """Read the addresses of a connection's two ends."""
    client, server = (transport.get_extra_info(name) for name in ("peername", "sockname"))
    return (
        (str(client[0]), int(client[1])) if isinstance(client, tuple) else None,
        (str(server[0]), int(server[1])) if isinstance(server, tuple) else None,
    )
