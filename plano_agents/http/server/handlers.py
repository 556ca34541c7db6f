"""The choice of what serves a request: some paths directly, all others by an ASGI application."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable
from urllib.parse import unquote

from starlette.types import ASGIApp

from plano_agents.http.server.asgi import AsgiBridge
from plano_agents.http.server.exchange import Serve
from plano_agents.http.server.shortcut import Shortcut, ShortcutApp
from plano_agents.http.server.template import Template


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

    def list_blanks(self, target: str) -> Collection[str]:
        """See `ShortcutApp.list_blanks`."""
        return self._shortcuts.list_blanks(target) if self._shortcuts is not None else ()

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        """See `ShortcutApp.find_shortcut`."""
        return self._shortcuts.find_shortcut(template, peer) if self._shortcuts is not None else None
