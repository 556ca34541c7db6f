"""Serving an exchange by callbacks, without a task.

What turns out to need one is handed over: its `Work` starts a task (`Exchange.start`).
"""

from typing import Protocol


class Work(Protocol):
    """Serves one exchange by callbacks. None of them may raise."""

    def on_body(self) -> None:
        """Begin: the request's body is whole."""

    def on_refused(self) -> None:
        """Start a task: the connection refuses the rest of the body."""

    def on_left(self) -> None:
        """End: the client is gone."""

    def on_stop(self) -> None:
        """End, and tell the client so: the server stops."""
