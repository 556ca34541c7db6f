"""Serving a request by callbacks, without a task.

Its body may be whole as it begins, or come through an exchange. A whole answer needs no exchange at all; what turns
out to need one opens it (`shortcut.Line.open_exchange`), and what needs a task starts one there (`Exchange.start`).
"""

from typing import Protocol


class Work(Protocol):
    """Serves one request by callbacks. None of them may raise."""

    def on_body(self) -> None:
        """Begin: the request's body is whole, and waits in the exchange to be taken."""

    def on_refused(self) -> None:
        """Start a task: the connection refuses the rest of the body."""

    def on_left(self) -> None:
        """End: the client is gone."""

    def on_stop(self) -> None:
        """End, and tell the client so: the server stops."""
