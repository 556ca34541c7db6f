"""The proxied endpoints as plain ASGI, in front of the application that serves everything else.

It reads the body once, within its limit; hands it to the service; writes the answer; and, when the client leaves,
ends the work at once. Nothing here knows what a request says.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Coroutine, Sequence

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.config.model import Config
from plano_agents.errors import AuthenticationError, BodyTooLargeError, MethodNotAllowedError, PlanoError
from plano_agents.protocol import openai_chat
from plano_agents.router.answer import Answer, StreamBrokenError
from plano_agents.router.service import ChatService, ProxyRequest

CHAT_PATH = "/v1/chat/completions"
OPEN_PATHS = frozenset({"/healthz"})
"""What answers without a client key."""


class ClientLeftError(Exception):
    """The client closed the connection before its request was whole."""


class HotPath:
    """Serves chat completions itself and leaves the rest to another application.

    Args:
        app: Serves every other path.
        service: Answers chat requests.
        config: Its limits and client keys hold here.
    """

    def __init__(self, app: ASGIApp, service: ChatService, config: Config) -> None:
        self._app = app
        self._service = service
        self._max_body_bytes = config.limits.max_body_bytes
        self._client_keys = config.client_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._authenticate(scope)
            if scope["path"] != CHAT_PATH:
                await self._app(scope, receive, send)
                return
            _check_method(scope)
            body = await _read_body(scope, receive, self._max_body_bytes)
        except PlanoError as error:
            await _send_error(send, error)
        except ClientLeftError:
            return
        else:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            await _until_client_leaves(self._serve(ProxyRequest(headers, body), send), receive)

    async def _serve(self, request: ProxyRequest, send: Send) -> None:
        async with self._service.answer(request) as answer:
            await _send_answer(send, answer)

    def _authenticate(self, scope: Scope) -> None:
        if not self._client_keys or scope["path"] in OPEN_PATHS:
            return
        headers = dict(scope["headers"])
        bearer = headers.get(b"authorization", b"")
        given = bearer[7:] if bearer[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")
        if not _is_among(given, self._client_keys):
            raise AuthenticationError(
                "A client key is needed and none that is known was given. Send 'Authorization: Bearer <key>' with "
                "one of client_keys."
            )


def _is_among(given: bytes, keys: Sequence[SecretStr]) -> bool:
    """Compare with every key, in a time that says nothing of which came close."""
    matches = [hmac.compare_digest(given, key.get_secret_value().encode()) for key in keys]
    return any(matches)


def _check_method(scope: Scope) -> None:
    if scope["method"] != "POST":
        raise MethodNotAllowedError(f"{CHAT_PATH} takes POST; got {scope['method']}.")


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read a request's body.

    Raises:
        BodyTooLargeError: It is, or claims to be, over the limit.
        ClientLeftError: The client left before the end.
    """
    claimed = dict(scope["headers"]).get(b"content-length", b"0")
    if claimed.isdigit() and int(claimed) > limit:
        raise _too_large(limit, f"{int(claimed)} bytes")
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit, f"more than {limit} bytes")
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit: int, size: str) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The request body has {size}; the limit is {limit}. Raise limits.max_body_bytes in plano-agents.yaml."
    )


async def _until_client_leaves(work: Coroutine[None, None, None], receive: Receive) -> None:
    """Do the work, and end it when the client leaves."""
    worker = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({worker, watcher}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left = watcher.done()
        watcher.cancel()
        if not worker.done():
            worker.cancel()
            await asyncio.wait({worker})
    failure = None if worker.cancelled() else worker.exception()
    if failure is not None and not left:
        raise failure


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_answer(send: Send, answer: Answer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if isinstance(answer.body, bytes):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(answer.body, bytes):
        await send({"type": "http.response.body", "body": answer.body})
        return
    await _send_stream(send, answer.body)


async def _send_stream(send: Send, body: AsyncIterator[bytes]) -> None:
    """Send a stream; one that broke is left without its end, which makes the server break the connection."""
    try:
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except StreamBrokenError:
        return
    await send({"type": "http.response.body", "body": b""})


async def _send_error(send: Send, error: PlanoError) -> None:
    headers = {"content-type": "application/json"}
    if isinstance(error, MethodNotAllowedError):
        headers["allow"] = "POST"
    if isinstance(error, BodyTooLargeError):
        # What is left of the body will not be read, so the connection cannot be used again.
        headers["connection"] = "close"
    await _send_answer(send, Answer(error.status_code, headers, openai_chat.encode_error(error)))
