"""Shortcuts: serving the requests whose heads are known but for their blanks, by callbacks."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.template import Filled, Template
from plano_agents.http.server.work import Work


class Shortcut(Protocol):
    """Serves the requests of one head, whatever stands in its blanks."""

    @property
    def is_over(self) -> bool:
        """Whether it serves no more: heads have to be read anew."""

    def begin(self, exchange: Exchange, template: Template, filled: Filled) -> Work | None:
        """Begin to serve an exchange.

        Args:
            exchange: The exchange, none of its body read.
            template: Its head.
            filled: What stands in the head's blanks.

        Returns:
            What serves it; None where it needs a task.
        """


@runtime_checkable
class ShortcutApp(Protocol):
    """An application that has shortcuts."""

    def list_blanks(self, target: str) -> Collection[str]:
        """List the headers, in lower case, that may differ between a target's requests; none without a shortcut."""

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        """Find what serves the requests of a head; None where each needs a task.

        Args:
            template: The head.
            peer: The client's address.
        """
