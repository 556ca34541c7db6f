"""The proxied endpoints as plain ASGI, in front of the application that serves everything else.

It lets clients in, holds back what is too much, reads the body once, hands it to the service and writes the answer;
when the client leaves, the work ends at once. Nothing here knows what a request says.
"""

import asyncio
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.config.model import Config
from plano_agents.errors import (
    AuthenticationError,
    MethodNotAllowedError,
    OverloadedError,
    PlanoError,
    ShuttingDownError,
    UnsupportedEncodingError,
)
from plano_agents.router.admin import is_operators
from plano_agents.router.answer import Answer, answer_error
from plano_agents.router.connection import ClientLeftError, Connection
from plano_agents.router.service import ProxyRequest, Service
from plano_agents.router.surfaces import CHAT, ENDPOINTS, Endpoint

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""What answers without a client key."""

RETRY_SECONDS = 1
"""When a client that was held back may come again."""


class HotPath:
    """Serves the proxied endpoints itself and leaves the rest to another application.

    Args:
        app: Serves every other path.
        service: Answers the proxied endpoints' requests.
        config: Its limits and client keys hold here.
        on_refused: Gets the error's code of every request that does not come to the service.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        config: Config,
        *,
        on_refused: Callable[[str], None] = lambda _code: None,
    ) -> None:
        self._app = app
        self._service = service
        self._limits = config.limits
        self._client_keys = config.client_keys
        self._on_refused = on_refused
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        endpoint = ENDPOINTS.get(scope["path"])
        connection = Connection(scope, receive, send)
        try:
            keys = self._authenticate(scope)
            if endpoint is None:
                await self._app(scope, receive, send)
                return
            _check_method(scope)
            with self._admitted():
                body = await connection.read_body(self._limits.max_body_bytes)
                _check_encoding(scope)
                await self._serve(endpoint, _read_headers(scope, keys), body, connection)
        except PlanoError as error:
            self._on_refused(error.code)
            surface = (endpoint or ENDPOINTS[CHAT.path]).surface
            await connection.send_answer(_with_allow(answer_error(error, None, surface.encode_error), error))
        except ClientLeftError:
            return

    async def _serve(
        self, endpoint: Endpoint, headers: Sequence[tuple[str, str]], body: bytes, connection: Connection
    ) -> None:
        async def work() -> None:
            async with self._service.answer(endpoint, ProxyRequest(headers, body)) as answer:
                await connection.send_answer(answer)

        try:
            await connection.until_client_leaves(work())
        except asyncio.CancelledError:
            error = ShuttingDownError(
                "The router stops and this request was not done in time. Send it again."
            )
            surface = endpoint.surface
            await connection.send_last_word(
                answer_error(error, None, surface.encode_error), surface.encode_error_event(error)
            )
            raise

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Count a request in, if there is room for it.

        Raises:
            OverloadedError: As many are in flight as are configured to be.
        """
        if self.in_flight >= self._limits.max_concurrent_requests:
            raise OverloadedError(
                f"{self.in_flight} requests are in flight, which is the limit (limits.max_concurrent_requests). Try "
                "again in a moment.",
                retry_after_seconds=RETRY_SECONDS,
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def _authenticate(self, scope: Scope) -> frozenset[bytes]:
        """Let a client in, and name the headers that hold its key: they are for the router and go no further."""
        if not self._client_keys or scope["path"] in OPEN_PATHS or is_operators(scope["path"]):
            return frozenset()
        keys = frozenset(
            name for name, key in _find_keys(scope["headers"]) if _is_among(key, self._client_keys)
        )
        if not keys:
            raise AuthenticationError(
                "A client key is needed and none that is known was given. Send 'Authorization: Bearer <key>', or "
                "'x-api-key: <key>', with one of client_keys."
            )
        return keys


def _read_headers(scope: Scope, keys: frozenset[bytes]) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name not in keys
    ]


def _find_keys(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Find what may be a client key: its header's name, and the key."""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            yield name, value[7:]
        elif name == b"x-api-key":
            yield name, value


def _is_among(given: bytes, keys: Sequence[SecretStr]) -> bool:
    """Compare with every key, in a time that says nothing of which came close."""
    matches = [hmac.compare_digest(given, key.get_secret_value().encode()) for key in keys]
    return any(matches)


def _check_method(scope: Scope) -> None:
    if scope["method"] != "POST":
        raise MethodNotAllowedError(f"{scope['path']} takes POST; got {scope['method']}.")


def _check_encoding(scope: Scope) -> None:
    encoding = dict(scope["headers"]).get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.lower() != "identity":
        raise UnsupportedEncodingError(
            f"The request body is compressed ({encoding!r}), and is not unpacked here. Send it as it is."
        )


def _with_allow(answer: Answer, error: PlanoError) -> Answer:
    """Name the method that the endpoint takes, as a 405 must (RFC 9110, section 15.5.6)."""
    if not isinstance(error, MethodNotAllowedError):
        return answer
    headers: Mapping[str, str] = {**answer.headers, "allow": "POST"}
    return Answer(answer.status, headers, answer.body)
