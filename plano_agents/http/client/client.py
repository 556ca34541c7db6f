"""Sending requests: on a kept connection or a new one, and once more where that is safe.

A provider may close a kept connection while a request is on its way there. What died on a kept connection with no
byte answered is sent once more, on a new one; nothing else is.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urljoin

from plano_agents.config.model import Timeouts
from plano_agents.errors import (
    UpstreamProtocolError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from plano_agents.http.client import UpstreamRequest, failures
from plano_agents.http.client.connection import Connection
from plano_agents.http.client.destination import Destination, Origin, Proxies, parse_destination
from plano_agents.http.client.dial import dial
from plano_agents.http.client.head import HeaderLines
from plano_agents.http.client.pool import Pool
from plano_agents.http.client.response import HttpResponse
from plano_agents.http.client.waiter import Waiter
from plano_agents.http_syntax import END_OF_HEAD

FETCH_SECONDS = 10
"""How long a source of measurements may take."""
FETCH_BYTES = 32 * 1024 * 1024
"""The largest answer of a source of measurements, in bytes."""
FETCH_REDIRECTS = 10
"""How often a source of measurements may send elsewhere."""
MAX_KEPT_URLS = 1024
"""For how many URLs what is derived from them is remembered."""

_FETCH_HEADERS: Mapping[str, str] = MappingProxyType({"accept-encoding": "identity"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


Dial = Callable[[Origin, Connection, ssl.SSLContext | None], Awaitable[None]]
"""Connects a connection; see `dial.dial`."""


class Way(NamedTuple):
    """The way to a URL, for who writes requests and reads answers by callbacks."""

    pool: Pool
    """Has the connections that wait; none of them may have noticed yet that it is closed (`died_unanswered`)."""
    connect: Callable[[Timeouts, float], Coroutine[Any, Any, Connection]]
    """Makes another one: with the timeouts of the request, and since when they run; see `Upstream.send`."""
    encode_head: Callable[[Mapping[str, str]], bytes]
    """Encodes a POST's head with such headers, up to its length and its empty line."""


class HttpUpstream:
    """Sends requests over HTTP/1.1; made inside a running event loop.

    Args:
        tls: What providers' certificates are checked against; None for the system's.
        proxy_from_environment: Whether ``HTTP_PROXY`` and its kin are honoured.
        dial: Makes connections.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, proxy_from_environment: bool = False, dial: Dial = dial
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._dial = dial
        self._tls = tls
        self._tls_is_loaded = False
        self._tls_lock = asyncio.Lock()
        self._proxies = Proxies(environment=proxy_from_environment)
        self._pools: dict[Origin, Pool] = {}
        self._routes: dict[str, tuple[Destination, Pool]] = {}
        self._lines = HeaderLines()

    def send(self, request: UpstreamRequest) -> Coroutine[Any, Any, HttpResponse]:
        """See `Upstream.send`."""
        return self._send(b"POST", request.url, request.headers, request.body, request.timeouts)

    def find_way(self, url: str) -> Way:
        """Find the way to a URL.

        Args:
            url: The address.
        """
        destination, pool = self._find_route(url)
        return Way(
            pool,
            partial(self._connect, destination.origin, pool),
            partial(self._begin_head, b"POST", destination),
        )

    async def fetch(self, url: str) -> bytes:
        """Get what is at an address that is not a provider's; redirects are followed.

        Args:
            url: The address; its query may hold a secret, and is not told in errors.

        Raises:
            UpstreamError: There was no answer of status 200 within `FETCH_SECONDS`, or it has over `FETCH_BYTES`.
        """
        origin = self._find_route(url)[0].origin.label
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._fetch(url)
        except TimeoutError as error:
            raise UpstreamTimeoutError(f"{origin} did not answer within {FETCH_SECONDS} s.") from error

    async def close(self) -> None:
        """See `Upstream.close`."""
        for pool in self._pools.values():
            await pool.close()

    async def _send(
        self, method: bytes, url: str, headers: Mapping[str, str], body: bytes, timeouts: Timeouts
    ) -> HttpResponse:
        destination, pool = self._routes.get(url) or self._find_route(url)
        head = self._build_head(method, destination, headers, body)
        started = self._loop.time()
        connection = pool.take()
        if connection is not None:
            try:
                return await _exchange(connection, head, body, timeouts, started)
            except UpstreamUnreachableError:
                if not connection.died_unanswered:
                    raise
        connection = await self._connect(destination.origin, pool, timeouts, started)
        return await _exchange(connection, head, body, timeouts, started)

    def _find_route(self, url: str) -> tuple[Destination, Pool]:
        found = self._routes.get(url)
        if found is None:
            destination = parse_destination(url, self._proxies)
            pool = self._pools.get(destination.origin)
            if pool is None:
                pool = self._pools[destination.origin] = Pool(destination.origin.label)
            if len(self._routes) >= MAX_KEPT_URLS:
                self._routes.clear()
            found = self._routes[url] = (destination, pool)
        return found

    def _build_head(self, method: bytes, destination: Destination, headers: Mapping[str, str], body: bytes) -> bytes:
        beginning = self._begin_head(method, destination, headers)
        return beginning + (b"\r\n" if method == b"GET" else END_OF_HEAD % len(body))

    def _begin_head(self, method: bytes, destination: Destination, headers: Mapping[str, str]) -> bytes:
        """Encode a head up to its length."""
        lines = self._lines
        block = b"".join([lines[header] for header in headers.items()])
        host = b"" if "host" in headers else destination.host
        accept = b"" if "accept" in headers else b"accept: */*\r\n"
        return b"%b %b HTTP/1.1\r\n%b%b%b%b" % (
            method,
            destination.target,
            host,
            accept,
            destination.proxy_authorization,
            block,
        )

    async def _connect(self, origin: Origin, pool: Pool, timeouts: Timeouts, started: float) -> Connection:
        first_byte_seconds = min(timeouts.first_byte_seconds, timeouts.total_seconds)
        connection = pool.build_connection()
        tls = await self._load_tls(origin)
        first_byte_due, connect_due = (
            started + first_byte_seconds,
            self._loop.time() + timeouts.connect_seconds,
        )
        try:
            async with asyncio.timeout_at(min(connect_due, first_byte_due)) as limit:
                await self._dial(origin, connection, tls)
        except (OSError, UnicodeError) as error:
            if limit.expired() and first_byte_due < connect_due:
                raise failures.begins_late(origin.label, timeouts, has_head=False) from error
            if isinstance(error, TimeoutError):
                raise failures.connects_late(origin.label) from error
            raise failures.is_unreachable(origin.label, error) from error
        if connection.is_closing:
            raise failures.closes_early(origin.label)
        pool.add(connection)
        return connection

    async def _load_tls(self, origin: Origin) -> ssl.SSLContext | None:
        """Load what certificates are checked against, where it is needed first: it takes a while, and so a thread."""
        if origin.scheme != "https" and not (origin.proxy is not None and origin.proxy.tls):
            return None
        async with self._tls_lock:
            if not self._tls_is_loaded:
                tls = self._tls
                if tls is None:
                    tls = await asyncio.to_thread(ssl.create_default_context)
                tls.set_alpn_protocols(["http/1.1"])
                self._tls, self._tls_is_loaded = tls, True
        return self._tls

    async def _fetch(self, url: str) -> bytes:
        timeouts = Timeouts()
        for _ in range(FETCH_REDIRECTS + 1):
            origin = self._find_route(url)[0].origin.label
            async with await self._send(b"GET", url, _FETCH_HEADERS, b"", timeouts) as response:
                if response.status == HTTPStatus.OK:
                    return await response.read(FETCH_BYTES)
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or location is None:
                    raise UpstreamProtocolError(f"{origin} answered {response.status}.")
                url = urljoin(url, location)
        raise UpstreamProtocolError(f"{origin} redirects more than {FETCH_REDIRECTS} times.")


async def _exchange(
    connection: Connection, head: bytes, body: bytes, timeouts: Timeouts, started: float
) -> HttpResponse:
    try:
        await _ask(connection, head, body, timeouts, started)
    except BaseException:
        connection.abort()
        raise
    return HttpResponse(connection)


def _ask(
    connection: Connection, head: bytes, body: bytes, timeouts: Timeouts, started: float
) -> "asyncio.Future[bool]":
    """Ask; what is done once the head is there must not be held by who awaits it, for it holds what is raised."""
    answer = Waiter(asyncio.get_running_loop())
    connection.ask(head, body, timeouts, started=started, reader=answer)
    return answer.came
