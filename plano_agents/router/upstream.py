"""Sockets to the providers, behind one small seam.

The seam is `Upstream`: one request out, one answer in, its body as bytes or as chunks. Redirects are not followed,
proxy variables and .netrc are not read, cookies are not kept, nothing is decompressed. What is sent and what
becomes of the answer is the service's business.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp

from plano_agents.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError

CONNECT_SECONDS = 5.0
"""How long connecting may take."""

SILENCE_SECONDS = 120.0
"""How long the provider may be silent, before its first byte and between two."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One POST to a provider."""

    url: str
    """Where to."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; holds the provider's key."""
    body: bytes = field(repr=False)
    """JSON."""


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

    def chunks(self) -> AsyncIterator[bytes]:
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
    """Sends requests with aiohttp; made inside a running event loop."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            skip_auto_headers=("User-Agent",),
            auto_decompress=False,
            trust_env=False,
        )

    async def send(self, request: UpstreamRequest) -> "AiohttpResponse":
        """See `Upstream.send`."""
        try:
            response = await self._session.post(
                request.url, data=request.body, headers=request.headers, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _upstream_error(error, request.url) from error
        return AiohttpResponse(response, request.url)

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self._session.close()


class AiohttpResponse:
    """An answer received with aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse, url: str) -> None:
        self._response = response
        self._url = url

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
        try:
            return await self._response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _upstream_error(error, self._url) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `UpstreamResponse.chunks`."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _upstream_error(error, self._url) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing a connection whose answer was not read to its end is what stops the provider.
        self._response.close() if not self._response.content.at_eof() else self._response.release()


def _upstream_error(error: Exception, url: str) -> UpstreamError:
    """Tell a connection's failure in the words of the error tree."""
    origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    if isinstance(error, TimeoutError):
        return UpstreamTimeoutError(f"{origin} did not answer in time ({type(error).__name__}).")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnreachableError(
            f"No connection to {origin}: {error.strerror or error}. Is it running, and is base_url right?"
        )
    return UpstreamUnreachableError(f"The connection to {origin} broke: {type(error).__name__}.")
