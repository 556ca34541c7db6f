"""One HTTP exchange over ASGI: its body read within a limit, its answer sent, its client's leaving noticed.

An answer that broke is left without its end, which makes the server break the connection: a clean end would be
taken for success. Nothing here knows what is asked.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine

from starlette.types import Receive, Scope, Send

from plano_agents.errors import BodyTooLargeError
from plano_agents.router.answer import Answer, StreamBrokenError
from plano_agents.serving.departure import while_connected

LAST_WORD_SECONDS = 1.0
"""How long a client that does not read may keep a server from stopping."""


class ClientLeftError(Exception):
    """The client closed the connection before its request was whole."""


class Connection:
    """One exchange; made anew for each request.

    Args:
        scope: The request's ASGI scope.
        receive: Gives the request's body, and then its end.
        send: Takes the answer.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = False
        self._ended = False

    async def read_body(self, limit: int) -> bytes:
        """Read the request's body.

        Args:
            limit: The most bytes it may have.

        Raises:
            BodyTooLargeError: It is, or claims to be, over the limit.
            ClientLeftError: The client left before the end.
        """
        claimed = dict(self._scope["headers"]).get(b"content-length", b"0")
        if claimed.isdigit() and int(claimed) > limit:
            raise _too_large(limit, f"{int(claimed)} bytes")
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise _too_large(limit, f"more than {limit} bytes")
            pieces.append(piece)
            if not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def send_answer(self, answer: Answer) -> None:
        """Send an answer, whole or as it comes.

        The connection stays open even where the request's body was not read, and the server discards the rest of it:
        closing with unread bytes makes the system reset the connection, and most clients never see the answer then.
        """
        whole = answer.body if isinstance(answer.body, bytes) else None
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()
        ]
        if whole is not None:
            headers.append((b"content-length", str(len(whole)).encode()))
        self._started = True
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if isinstance(answer.body, bytes):
            await self._send({"type": "http.response.body", "body": whole})
        else:
            await self._send_stream(answer.body)
        self._ended = True

    async def _send_stream(self, body: AsyncIterator[bytes]) -> None:
        try:
            async for piece in body:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except StreamBrokenError:
            return
        await self._send({"type": "http.response.body", "body": b""})

    async def send_last_word(self, answer: Answer, event: bytes) -> None:
        """Tell a client, as far as it can still be told, that its request will not be finished.

        Args:
            answer: What it gets where nothing was sent yet.
            event: What it gets in the middle of a stream, which then breaks.
        """
        if self._ended:
            return
        try:
            async with asyncio.timeout(LAST_WORD_SECONDS):
                if not self._started:
                    await self.send_answer(answer)
                else:
                    await self._send({"type": "http.response.body", "body": event, "more_body": True})
        except TimeoutError:
            return

    async def until_client_leaves(self, work: Coroutine[None, None, None]) -> None:
        """Do the work, and end it when the client leaves."""
        await while_connected(self._receive, work)


def _too_large(limit: int, size: str) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The request body has {size}; the limit is {limit}. Raise limits.max_body_bytes in plano-agents.yaml."
    )
