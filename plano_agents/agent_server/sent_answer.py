"""A request's answer on its way out: the one place that its messages go through.

It stands where ASGI's ``send`` does, around everything that answers; code that wants to know how far an answer is, or
what it is to carry, finds it by the request's scope.
"""

from typing import cast

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from plano_agents.affinity import AFFINITY_HEADER

_STATE_KEY = "sent"


class SentAnswer:
    """An answer on its way to the client.

    Args:
        send: The connection.
    """

    def __init__(self, send: Send) -> None:
        self.status: int | None = None
        """The HTTP status; None before anything is out."""
        self.is_whole = False
        """True if all of it is sent."""
        self.affinity_id: str | None = None
        """What it carries as ``X-Model-Affinity``: the client's, or the run's own."""
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Send one of its messages."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.affinity_id is not None:
                MutableHeaders(scope=message)[AFFINITY_HEADER] = self.affinity_id
        else:
            self.is_whole = not message.get("more_body", False)
        await self._send(message)


def begin_sending(scope: Scope, send: Send) -> SentAnswer:
    """Have a request's answer go through here."""
    sent = scope.setdefault("state", {})[_STATE_KEY] = SentAnswer(send)
    return sent


def find_sent_answer(scope: Scope) -> SentAnswer:
    """Find what is out of a request's answer."""
    return cast("SentAnswer", scope["state"][_STATE_KEY])
