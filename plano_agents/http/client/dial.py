"""Dialing: to the first address that answers, over TLS, through a proxy.

Addresses are tried as RFC 8305 ("happy eyeballs") has it. A dial that is given up leaves neither a task nor a socket.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress

import aiohappyeyeballs

from plano_agents.http.client.connection import Connection
from plano_agents.http.client.destination import Origin, Proxy

NEXT_ADDRESS_SECONDS = 0.25
"""After how long without an answer the next address is tried too (RFC 8305, section 5)."""
PROBE_SECONDS = 60
"""How often a silent connection is probed, so that what stands in between does not forget it while a model thinks."""
TUNNEL_BYTES = 16_384
"""How long a proxy's answer to CONNECT may be."""

_SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, _SocketAddress]


async def dial(origin: Origin, connection: Connection, tls: ssl.SSLContext | None) -> None:
    """Connect.

    Args:
        origin: Whom to.
        connection: What is to be connected.
        tls: What certificates are checked against; needed where anybody is spoken to over TLS.

    Raises:
        OSError: It failed.
        UnicodeError: The host's name is none.
    """
    loop = asyncio.get_running_loop()
    wants_tls = origin.scheme == "https"
    proxy = origin.proxy
    if proxy is None:
        await _connect(origin.host, origin.port, connection, tls if wants_tls else None)
    elif not wants_tls:
        await _connect(proxy.host, proxy.port, connection, tls if proxy.tls else None)
    else:
        tunnel = _Tunnel(loop)
        await _connect(proxy.host, proxy.port, tunnel, tls if proxy.tls else None)
        assert tls is not None  # noqa: S101 - it was asked for
        try:
            await tunnel.open(origin, proxy)
            inner = await loop.start_tls(tunnel.transport, connection, tls, server_hostname=origin.host)
        except BaseException:
            tunnel.transport.abort()
            raise
        if inner is None:
            raise ConnectionAbortedError("The proxy closed the tunnel.")
        connection.connection_made(inner)


async def _connect(host: str, port: int, protocol: asyncio.Protocol, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    addresses = await resolve(host, port)
    try:
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1, loop=loop
        )
    except OSError as error:
        error.__traceback__ = None  # the library's frame holds what it raises: a cycle that would keep the request
        raise
    try:
        _keep_awake(sock)
        await loop.create_connection(
            lambda: protocol, sock=sock, ssl=tls, server_hostname=host if tls is not None else None
        )
    except BaseException:
        with suppress(OSError):
            sock.close()
        raise


async def resolve(host: str, port: int) -> Sequence[_Address]:
    """Find a host's addresses.

    Raises:
        OSError: It has none.
        UnicodeError: It is not a host's name.
    """
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _keep_awake(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), PROBE_SECONDS)


class _Tunnel(asyncio.Protocol):
    """The CONNECT exchange with a proxy, until it leads to the provider (RFC 9110, section 9.3.6)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._answer = bytearray()
        self._answered: asyncio.Future[bytes] = loop.create_future()

    async def open(self, origin: Origin, proxy: Proxy) -> None:
        """Ask the proxy for the way to an origin.

        Raises:
            OSError: It leads nowhere.
        """
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"host: {host}:{origin.port}"]
        if proxy.authorization is not None:
            lines.append(f"proxy-authorization: {proxy.authorization}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode())
        answer = await self._answered
        version, _, rest = answer.partition(b" ")
        if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not rest.startswith(b"2") or not answer.endswith(b"\r\n\r\n"):
            status = rest[:3].decode("latin-1")
            raise ConnectionRefusedError(f"The proxy answered {status!r} to CONNECT")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # only those are made
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take the proxy's answer."""
        self._answer += data
        if (b"\r\n\r\n" in self._answer or len(self._answer) > TUNNEL_BYTES) and not self._answered.done():
            self._answered.set_result(bytes(self._answer))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up."""
        if not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("The proxy closed the connection"))
