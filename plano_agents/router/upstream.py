"""Sockets to the providers, behind one small seam.

The seam is `Upstream`: one request out, one answer in, its body as bytes or as chunks. Redirects are not followed,
proxy variables and .netrc are not read, cookies are not kept, nothing is decompressed. What is sent and what
becomes of the answer is the service's business.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace, TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp

from plano_agents.config.model import Timeouts
from plano_agents.errors import (
    ConnectTimeoutError,
    FirstByteTimeoutError,
    SilenceTimeoutError,
    TotalTimeoutError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

FETCH_SECONDS = 10
"""How long a source of measurements may take."""

FETCH_BYTES = 32 * 1024 * 1024
"""The largest answer of a source of measurements, in bytes."""

ANSWER_BYTES = 64 * 1024 * 1024
"""The largest whole answer of a provider that is held, in bytes."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One POST to a provider."""

    url: str
    """Where to."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; holds the provider's key."""
    body: bytes = field(repr=False)
    """JSON."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    """How long what may take."""


class UpstreamResponse(Protocol):
    """A provider's answer, its headers read and its body not; closed on leaving ``async with``."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names compared in any case."""

    async def read(self) -> bytes:
        """Read the whole body.

        Raises:
            UpstreamError: The connection broke or fell silent.
        """

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Read the body as it comes.

        Raises:
            UpstreamError: The connection broke or fell silent.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Upstream(Protocol):
    """Sends requests to providers."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request and wait for the answer's headers.

        Raises:
            UpstreamUnreachableError: No connection could be made, or it broke.
            UpstreamTimeoutError: Connecting or the first byte took too long.
        """

    async def close(self) -> None:
        """Close all connections."""


class AiohttpUpstream:
    """Sends requests with aiohttp; made inside a running event loop.

    Args:
        tls: What providers' certificates are checked against; None for the system's.
        proxy_from_environment: Whether ``HTTP_PROXY`` and its kin are honoured.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, proxy_from_environment: bool = False) -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)

        def build_session(*, keep: bool) -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, force_close=not keep, ssl=tls if tls is not None else True
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                skip_auto_headers=("User-Agent",),
                auto_decompress=False,
                trust_env=proxy_from_environment,
                trace_configs=[tracing],
            )

        self._kept = build_session(keep=True)
        self._fresh = build_session(keep=False)

    async def send(self, request: UpstreamRequest) -> "AiohttpResponse":
        """See `Upstream.send`.

        A provider may close a kept connection while a request is on its way there. What died on a kept connection
        with no byte answered is sent once more, on a connection of its own.
        """
        started = asyncio.get_running_loop().time()
        origin = _origin(request.url)
        seconds = min(request.timeouts.first_byte_seconds, request.timeouts.total_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                response = await self._post(request)
        except (aiohttp.ClientError, OSError) as error:
            if limit.expired():
                raise FirstByteTimeoutError(
                    f"{origin} did not begin to answer within {seconds:g} s (timeouts.first_byte_seconds)."
                ) from error
            raise _upstream_error(error, origin) from error
        return AiohttpResponse(response, origin, request.timeouts, started)

    async def _post(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        attempt = _Attempt()
        try:
            return await _post(self._kept, request, attempt)
        except _DEATHS as error:
            if not attempt.reused or _answer_had_begun(error):
                raise
            return await _post(self._fresh, request, attempt)

    async def fetch(self, url: str) -> bytes:
        """Get what is at an address that is no provider's; redirects are followed.

        Args:
            url: The address; its query may hold a secret, and is not told in errors.

        Raises:
            UpstreamError: There was no answer of status 200 within `FETCH_SECONDS`, or it has over `FETCH_BYTES`.
        """
        origin = _origin(url)
        try:
            async with asyncio.timeout(FETCH_SECONDS) as limit, self._fresh.get(url) as response:
                if response.status != HTTPStatus.OK:
                    raise UpstreamProtocolError(f"{origin} answered {response.status}.")
                body = await response.content.read(FETCH_BYTES + 1)
                while not response.content.at_eof() and len(body) <= FETCH_BYTES:
                    body += await response.content.read(FETCH_BYTES + 1)
        except (aiohttp.ClientError, OSError) as error:
            if limit.expired():
                raise UpstreamTimeoutError(f"{origin} did not answer within {FETCH_SECONDS} s.") from error
            raise _upstream_error(error, origin) from error
        if len(body) > FETCH_BYTES:
            raise UpstreamProtocolError(f"{origin} answered with over {FETCH_BYTES} bytes.")
        return body

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self._kept.close()
        await self._fresh.close()


class AiohttpResponse:
    """An answer received with aiohttp.

    Args:
        response: aiohttp's, its headers read.
        origin: Where it comes from, for messages.
        timeouts: How long what may take.
        started: When the request was sent, in seconds on the event loop's clock.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, origin: str, timeouts: Timeouts, started: float
    ) -> None:
        self._response = response
        self._origin = origin
        self._timeouts = timeouts
        self._started = started

    @property
    def status(self) -> int:
        """See `UpstreamResponse.status`."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """See `UpstreamResponse.headers`."""
        return self._response.headers

    async def read(self) -> bytes:
        """See `UpstreamResponse.read`."""
        pieces: list[bytes] = []
        size = 0
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                pieces.append(chunk)
                size += len(chunk)
                if size > ANSWER_BYTES:
                    raise UpstreamProtocolError(
                        f"{self._origin} gave an answer of over {ANSWER_BYTES} bytes."
                    )
        return b"".join(pieces)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See `UpstreamResponse.chunks`."""
        clock = asyncio.get_running_loop().time
        end = self._started + self._timeouts.total_seconds
        until = self._started + self._timeouts.first_byte_seconds
        begun = False
        while True:
            try:
                # aiohttp's own timer ends with a chunk that is badly framed, and then nobody wakes the reader.
                async with asyncio.timeout_at(min(until, end)) as limit:
                    chunk = await self._response.content.readany()
            except (aiohttp.ClientError, OSError) as error:
                if limit.expired():
                    raise self._describe_delay(begun=begun, ended=end <= until) from error
                raise _upstream_error(error, self._origin) from error
            if not chunk:
                return
            yield chunk
            begun = True
            until = clock() + self._timeouts.between_bytes_seconds

    def _describe_delay(self, *, begun: bool, ended: bool) -> UpstreamTimeoutError:
        limits = self._timeouts
        if ended:
            return TotalTimeoutError(
                f"{self._origin} had not ended its answer after {limits.total_seconds:g} s (timeouts.total_seconds)."
            )
        if begun:
            return SilenceTimeoutError(
                f"{self._origin} fell silent for {limits.between_bytes_seconds:g} s in the middle of its answer "
                "(timeouts.between_bytes_seconds)."
            )
        return FirstByteTimeoutError(
            f"{self._origin} did not begin to answer within {limits.first_byte_seconds:g} s "
            "(timeouts.first_byte_seconds)."
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing a connection whose answer was not read to its end is what stops the provider.
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


@dataclass(slots=True)
class _Attempt:
    """What is to be known of one sending."""

    reused: bool = False
    """Whether it took a connection that had served a request before."""


async def _note_reuse(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True


async def _post(
    session: aiohttp.ClientSession, request: UpstreamRequest, attempt: _Attempt
) -> aiohttp.ClientResponse:
    return await session.post(
        request.url,
        data=request.body,
        headers=request.headers,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=request.timeouts.connect_seconds),
        trace_request_ctx=attempt,
    )


_DEATHS = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
"""How a connection's end is told, before the answer's headers are whole."""


def _answer_had_begun(error: Exception) -> bool:
    """Whether bytes had come: aiohttp then puts what it made of them where its message stands otherwise."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _upstream_error(error: Exception, origin: str) -> UpstreamError:
    """Tell a connection's failure in the words of the error tree."""
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(f"No connection to {origin} in time (timeouts.connect_seconds).")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnreachableError(
            f"No connection to {origin}: {error.strerror or error}. Is it running, and is base_url right?"
        )
    if isinstance(error, aiohttp.ClientResponseError):
        return UpstreamProtocolError(f"{origin} gave an answer that is no HTTP. Is base_url right?")
    return UpstreamUnreachableError(f"The connection to {origin} broke: {type(error).__name__}.")
