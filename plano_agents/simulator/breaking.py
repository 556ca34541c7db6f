"""Answers that break: cut off in their body, or stalled there."""

from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send


class BrokenResponse(Response):
    """The first bytes of another answer.

    Args:
        whole: The answer to break; one that is no longer than ``after`` stays whole.
        after: How many bytes of its body are sent.
        stall: Whether the connection then stays open, and silent, until the client leaves; else it is closed.
    """

    def __init__(self, whole: Response, after: int, *, stall: bool) -> None:
        super().__init__()
        self._whole = whole
        self._after = after
        self._stall = stall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole answer's start, and so much of its body."""
        left = self._after

        async def limit(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.body":
                body: bytes = message.get("body", b"")
                if len(body) > left:
                    await send({"type": "http.response.body", "body": body[:left], "more_body": True})
                    raise _Enough
                left -= len(body)
            await send(message)

        try:
            await self._whole(scope, receive, limit)
        except* _Enough:
            # A server that is left without the end of a body closes the connection: that is the cut.
            if self._stall:
                await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Enough(Exception):  # noqa: N818 - no error: all that was to be sent is sent
    """Raised out of the whole answer, to stop it."""
