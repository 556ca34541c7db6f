"""The choice of what serves a request: some paths directly, all others by an ASGI application.

A client program often opens a connection for each request. So what serves a head is also known by the client's address:
a new connection from there compares its first head with those that the ones before it had, as its later ones.
"""

from typing import Protocol, runtime_checkable
from urllib.parse import unquote

from starlette.types import ASGIApp

from plano_agents.http.server.asgi import AsgiBridge
from plano_agents.http.server.exchange import Serve
from plano_agents.http.server.shortcut import Shortcut, ShortcutApp
from plano_agents.http.server.template import Blanks, Template

KEPT_TEMPLATES = 4
"""How many heads of its client a connection knows: an agent and its helpers take turns on one."""
MAX_PEERS = 256
"""Of how many addresses the heads are known."""

Known = tuple[Template, Shortcut]
"""A head that is known, and what serves it."""


@runtime_checkable
class DirectApp(Protocol):
    """An ASGI application that serves some paths directly."""

    def find_direct(self, path: str) -> Serve | None:
        """Say what serves a path; None for what is served as ASGI has it."""


class Handlers:
    """Serves the requests of one server.

    Args:
        app: The application; a `DirectApp` serves some paths without ASGI.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._direct = app if isinstance(app, DirectApp) else None
        self._shortcuts = app if isinstance(app, ShortcutApp) else None
        self._known: dict[str | None, list[Known]] = {}  # by the address; the head parsed last is first
        self.bridge = AsgiBridge(app)
        """Serves what is not served directly."""

    def find_direct(self, target: str) -> Serve | None:
        """Say what serves a request's target directly, however its path is written."""
        if self._direct is None:
            return None
        serve = self._direct.find_direct(target)
        if serve is not None or not ("?" in target or "%" in target):
            return serve
        return self._direct.find_direct(unquote(target.partition("?")[0]))

    def list_blanks(self, target: str) -> Blanks | None:
        """See `ShortcutApp.list_blanks`."""
        return self._shortcuts.list_blanks(target) if self._shortcuts is not None else None

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        """See `ShortcutApp.find_shortcut`."""
        return self._shortcuts.find_shortcut(template, peer) if self._shortcuts is not None else None

    def learn(self, known: list[Known], new: Known, peer: str | None) -> None:
        """Have a head known on a connection, and on those that its client opens from now on.

        Args:
            known: What the connection knows.
            new: What was parsed on it.
            peer: The client's address.
        """
        if peer not in self._known and len(self._known) >= MAX_PEERS:
            self._known.clear()
        for each in (known, self._known.setdefault(peer, [])):
            each.insert(0, new)
            del each[KEPT_TEMPLATES:]

    def recall(self, peer: str | None) -> list[Known]:
        """List the heads that a new connection from an address knows, the latest first."""
        known = self._known.get(peer, [])
        if known and known[0][1].is_over:
            self._known.clear()
            return []
        return known.copy()
