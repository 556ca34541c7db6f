"""Sockets to the providers, behind one small seam.

The seam is `Upstream`: one request out, one answer in, its body as bytes or as chunks. What is sent and what becomes
of the answer is the service's business. `client.HttpUpstream` is what the router runs with: HTTP/1.1 of our own,
because this is the hot path and a general client costs three times as much. Redirects are not followed, .netrc is not
read, cookies are not kept, nothing is decompressed.

=================  ==============================================================================================
``client``         sending: a kept connection or a new one, once more where that is safe; fetching what no provider's is
``connection``     one connection and the exchange on it: the state of its bytes, its deadlines, its end
``reader``         what it calls as an answer comes
``waiter``         the connection's callbacks as something to await
``response``       an answer as the service reads it
``response_head``  its head: the headers, and whether they say clearly where the body ends
``chunks``         a whole chunk of a body, as it came
``pool``           which connections are kept
``dial``           how one is made: addresses, TLS, through a proxy
``destination``    what is derived from a URL once and used for every request to it, proxies included
``head``           a request's head in bytes
``failures``       what went wrong, in the words of the error tree
=================  ==============================================================================================
"""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from plano_agents.config.model import Timeouts

TakeChunk = Callable[[bytes], bool]
"""Takes all that came of a body since the last chunk, never nothing; whether it takes more. It must not raise."""


class UpstreamRequest(Struct, frozen=True):
    """One POST to a provider; a struct, for one is made for every request and costs a tenth of a dataclass."""

    url: str
    """Where to."""
    headers: Mapping[str, str]
    """Names in lower case; holds the provider's key."""
    body: bytes
    """JSON."""
    timeouts: Timeouts = Timeouts()
    """Timeouts of the request."""

    def __repr__(self) -> str:
        return f"UpstreamRequest({self.url!r})"


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

    def forward(self, take: TakeChunk) -> asyncio.Future[bool]:
        """Hand on the body as it comes, until its end or until no more is taken; what was not, the next call hands on.

        Returns:
            What then says whether the body's end is there, or fails with an `UpstreamError`: the connection broke or
            fell silent. Cancelling it ends the handing on.
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
            UpstreamError: It cannot be sent as it is.
        """

    async def close(self) -> None:
        """Close all connections."""
