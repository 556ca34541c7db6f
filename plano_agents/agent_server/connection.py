"""Connection handling shared by all endpoints: the key, the affinity header, the body limit, a client that leaves.

All of it is plain ASGI. The affinity scope must be open where a run happens, which for a streamed answer is long
after the endpoint has returned; so runs happen inside a response's own call, and the scope is opened there.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import Generic, TypeVar

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plano_agents.affinity import AFFINITY_HEADER, model_affinity, parse_affinity_id
from plano_agents.agent_server.keys import find_owner
from plano_agents.agent_server.sent_answer import find_sent_answer
from plano_agents.errors import (
    BodyTooLargeError,
    InvalidAffinityIdError,
    PlanoError,
    RequestError,
    RunTimeoutError,
    ShuttingDownError,
)
from plano_agents.http.health_page import HEALTH_PATHS
from plano_agents.http.origin import KeylessDoor, find_peer
from plano_agents.http.server.departure import while_connected
from plano_agents.http.server.last_word import LAST_WORD_SECONDS
from plano_agents.http_syntax import read_as_sent
from plano_agents.protocol.openai_chat import encode_error
from plano_agents.protocol.values import MAX_VALUES, has_more_values

T = TypeVar("T")

OWNER_STATE_KEY = "owner"
"""Where the request's state holds whose API key it brings."""


def error_response(error: PlanoError, status_code: int | None = None) -> Response:
    """Answer with an error in OpenAI's form.

    Args:
        error: What went wrong.
        status_code: The HTTP status, where it is not the error's own.
    """
    return Response(encode_error(error), status_code or error.status_code, error.headers, media_type="application/json")


class KeyMiddleware:
    """Lets in who has an API key, before anything else of a request is read.

    Args:
        hashes: The keys' hashes, by the name of their owner; without any, no key is asked for.
        door: Lets in where no key is asked for.
    """

    def __init__(self, app: ASGIApp, *, hashes: Mapping[str, str], door: KeylessDoor) -> None:
        self._app = app
        self._hashes = hashes
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            state = scope.setdefault("state", {})
            is_open = _is_open(scope)
            try:
                if not (is_open or self._hashes):
                    self._door.check(scope["method"], headers, find_peer(scope))
                state[OWNER_STATE_KEY] = find_owner(
                    {} if is_open else self._hashes,
                    headers.get("authorization"),
                    headers.get("x-api-key"),
                )
            except RequestError as error:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_open(scope: Scope) -> bool:
    """Check whether a path is answered without a key, wherever the app is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) in HEALTH_PATHS


class AffinityMiddleware:
    """Checks the inbound ``X-Model-Affinity``, which the answer carries, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            find_sent_answer(scope).affinity_id = read_affinity_id(Headers(scope=scope))
        except InvalidAffinityIdError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def read_affinity_id(headers: Headers) -> str | None:
    """Read the client's affinity id.

    Raises:
        InvalidAffinityIdError: The header is there twice, or breaks the id rules.
    """
    values = headers.getlist(AFFINITY_HEADER)
    if len(values) > 1:
        raise InvalidAffinityIdError(
            f"{AFFINITY_HEADER} was sent {len(values)} times; send it once.", param=AFFINITY_HEADER
        )
    return parse_affinity_id(read_as_sent(values[0])) if values else None


class BodyLimitMiddleware:
    """Reads the whole request body, and refuses one over the limit, or of too many values, before anything parses it.

    Args:
        max_bytes: The largest body accepted, in bytes.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        claimed = int(Headers(scope=scope).get("content-length", "0"))  # servers refuse what is not a number
        more = claimed <= self._max_bytes
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False) and len(body) <= self._max_bytes
        if max(claimed, len(body)) > self._max_bytes:
            error = BodyTooLargeError(
                f"The body is over {self._max_bytes} bytes. Send less of the conversation at once, or raise "
                "max_body_bytes in the agent server's settings."
            )
            await error_response(error)(scope, receive, send)
            return
        if has_more_values(bytes(body), MAX_VALUES):
            error = BodyTooLargeError(
                f"The body has over {MAX_VALUES:,} JSON values. Send less of the conversation at once."
            )
            await error_response(error)(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


class RunResponse(Response, Generic[T]):
    """An answer that is made by a run, while it is sent; cancelled when the client leaves or the server stops.

    Args:
        hold: What is held for as long; entered before anything is sent, so what it raises becomes the answer.
        affinity_id: The run's id, in scope for as long.
        answer: Runs with what is held, and sends the answer.
        encode_error_event: Writes an error into an answer that has begun, as an event.
        seconds: How long all of it may take.
    """

    def __init__(
        self,
        hold: AbstractAsyncContextManager[T],
        affinity_id: str,
        answer: Callable[[T, Send], Coroutine[None, None, None]],
        encode_error_event: Callable[[PlanoError], bytes],
        *,
        seconds: float,
    ) -> None:
        super().__init__()
        self._hold = hold
        self._affinity_id = affinity_id
        self._answer = answer
        self._encode_error_event = encode_error_event
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run, and answer."""

        async def run() -> None:
            async with self._hold as held:
                with model_affinity(self._affinity_id):
                    await self._answer(held, send)

        deadline = asyncio.timeout(self._seconds)
        try:
            async with deadline:
                await while_connected(receive, run())
        except TimeoutError:
            if not deadline.expired():
                raise
            late = RunTimeoutError(f"The run took longer than {self._seconds:g} s. Ask for less at once.")
            await self._send_last_word(late, scope, receive, send, more_body=False)
        except asyncio.CancelledError:
            stopped = ShuttingDownError(
                "The agent server is stopping, and this run did not finish in time. Send it again."
            )
            await self._send_last_word(stopped, scope, receive, send, more_body=True)
            raise

    async def _send_last_word(
        self, error: PlanoError, scope: Scope, receive: Receive, send: Send, *, more_body: bool
    ) -> None:
        """Tell the client that its run is not finished, unless its whole answer is out or it does not read."""
        sent = find_sent_answer(scope)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                if sent.status is None:
                    await error_response(error)(scope, receive, send)
                elif not sent.is_whole:
                    event = self._encode_error_event(error)
                    await send({"type": "http.response.body", "body": event, "more_body": more_body})


async def send_json(running: Awaitable[bytes], send: Send) -> None:
    """Send a whole answer once it is there; nothing is sent where it fails.

    Args:
        running: The run, which comes to its answer as JSON.
        send: The connection.
    """
    content = await running
    headers = Headers({"content-type": "application/json", "content-length": str(len(content))})
    await send({"type": "http.response.start", "status": 200, "headers": headers.raw})
    await send({"type": "http.response.body", "body": content})


async def send_events(
    events: AsyncGenerator[bytes, None], send: Send, *, media_type: str = "text/event-stream"
) -> None:
    """Send events as they happen; the headers go out before the run begins.

    Args:
        events: A run's events, encoded; its failure is one of them.
        send: The connection.
        media_type: How they are encoded.
    """
    headers = Headers({"content-type": media_type, "cache-control": "no-cache"})
    await send({"type": "http.response.start", "status": 200, "headers": headers.raw})
    async with aclosing(events):
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
