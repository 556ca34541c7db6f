"""Shortcuts: serving the requests whose heads are known but for their blanks, by callbacks."""

from typing import Protocol, runtime_checkable

from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.head import RequestHead
from plano_agents.http.server.link import Link
from plano_agents.http.server.template import Blanks, Filled, Template
from plano_agents.http.server.work import Work


class Line(Link, Protocol):
    """A connection, as work without an exchange sees it."""

    work: Work | None
    """Serves its request without an exchange; told of what happens to the client."""

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Write a whole answer to a POST that has no exchange, which ends its work.

        Args:
            status: The HTTP status.
            lines: Its header lines, but for those of the connection and the length.
            body: The whole body.

        Raises:
            OverloadedError: Too much is buffered for clients to write it.
        """

    def open_exchange(self, head: RequestHead) -> Exchange:
        """Open an exchange for a request that has none, its body taken; its work goes on with it."""


class Shortcut(Protocol):
    """Serves the requests of one head, whatever stands in its blanks."""

    @property
    def is_over(self) -> bool:
        """True if it serves no more: heads have to be read anew."""

    def serve(self, line: Line, template: Template, filled: Filled, body: bytes) -> bool:
        """Serve a request that came whole, on a connection that is kept; whether it is served: else nothing was done.

        Args:
            line: The connection.
            template: The request's head.
            filled: What stands in the head's blanks.
            body: Its body.
        """

    def begin(self, exchange: Exchange, line: Line, template: Template, filled: Filled) -> Work | None:
        """Begin to serve an exchange, whose body is still to come.

        Args:
            exchange: The exchange, none of its body read.
            line: Its connection.
            template: Its head.
            filled: What stands in the head's blanks.

        Returns:
            What serves it; None where it needs a task.
        """


@runtime_checkable
class ShortcutApp(Protocol):
    """An application that has shortcuts."""

    def list_blanks(self, target: str) -> Blanks | None:
        """List the headers that may differ between a target's requests; None for a target without a shortcut."""

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        """Find what serves the requests of a head; None where each needs a task.

        Args:
            template: The head.
            peer: The client's address.
        """
