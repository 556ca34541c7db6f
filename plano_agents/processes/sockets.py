"""Sockets: taking a port or the service manager's, telling the address, and whether strangers could reach it."""

import errno
import ipaddress
import socket
import sys
from collections.abc import MutableMapping

from plano_agents.errors import ConfigError
from plano_agents.http.server.server import BACKLOG
from plano_agents.processes.activation import share_out, take_inherited


def open_listeners(
    host: str, port: int, count: int, *, environ: MutableMapping[str, str], is_guarded: bool, way_out: str
) -> list[socket.socket]:
    """Open a listening socket for each of several processes: the service manager's where it passes some, else a port.

    Args:
        host: The address to listen on.
        port: The TCP port; 0 lets the system choose a free one.
        count: How many processes there will be.
        environ: The environment, which tells of the service manager's sockets.
        is_guarded: Whether clients need a key, or the operator has said that they need none.
        way_out: What to do where they need none and other machines would reach the socket.

    Returns:
        As many sockets.

    Raises:
        ConfigError: As for `bind_each`, `check_exposure`, `activation.take_inherited` and `activation.share_out`.
    """
    inherited = take_inherited(environ)
    for address in [listener.getsockname()[0] for listener in inherited] or [host]:
        check_exposure(address, is_guarded=is_guarded, way_out=way_out)
    return share_out(inherited, count) if inherited else bind_each(host, port, count)


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: The address to listen on.
        port: The TCP port; 0 lets the system choose a free one.

    Returns:
        The listening socket.

    Raises:
        ConfigError: The port is taken, not allowed, or the address is not this machine's.
    """
    if not 0 <= port <= 65535:  # noqa: PLR2004 - 16 bits
        raise ConfigError(f"Cannot listen on {host}:{port}: ports are 0 to 65535. Choose one with --port.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: {_explain(error)}") from error


def bind_each(host: str, port: int, count: int) -> list[socket.socket]:
    """Take a port for several processes: a listening socket each, over which the system spreads connections.

    Measured on Linux 6.18 with two workers on uvloop, against one socket that both accept on: of 64 connections opened
    at once and kept, as a client's pool does, the shared socket gave 10 to one and 54 to the other, in another run 2
    and 62 (of 256: 15 and 241); sockets of their own 25 and 39, 35 and 29 (of 256: 138 and 118). Under load, or with a
    new connection per request, both are even. The price: what is given to a worker that hangs or has died waits for it
    or its replacement (half of 40 connections to a frozen one did), where the shared socket lets the other answer all.
    Nothing of it is lost as long as another process holds the socket open too: after a SIGKILL the replacement had
    answered all that waited in 80 ms.

    Args:
        host: The address to listen on.
        port: The TCP port; 0 lets the system choose a free one.
        count: How many processes there will be.

    Returns:
        As many sockets; copies of one where the system would not spread connections (all but Linux).

    Raises:
        ConfigError: As for `bind`; the port is taken by others as long as the first socket is open.
    """
    first = bind(host, port)
    if sys.platform != "linux":
        return [first, *(first.dup() for _ in range(count - 1))]
    if count == 1:
        return [first]
    # Set only after the port was taken: another program's would not have been noticed.
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sockets = [first]
    try:
        while len(sockets) < count:
            sockets.append(
                socket.create_server(first.getsockname(), family=first.family, backlog=BACKLOG, reuse_port=True)
            )
    except OSError as error:
        for each in sockets:
            each.close()
        raise ConfigError(
            f"Cannot listen on {host}:{port} for {count} processes: {error.strerror}. Start fewer."
        ) from error
    return sockets


def _explain(error: OSError) -> str:
    """Say why a port cannot be taken, and the way out."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "no address of this machine. Choose one with --host, such as 127.0.0.1."
    reason = "another program uses it" if error.errno == errno.EADDRINUSE else error.strerror
    return f"{reason}. Choose another with --port, or --port 0 for a free one."


def url_of(listener: socket.socket) -> str:
    """The address of a listening socket, as a client on this machine would write it."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def say_open(listener: socket.socket) -> str | None:
    """Say where other machines reach a listening socket; None where only this one does."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_loopback:
        return None
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"on every address of this machine ({shown})" if address.is_unspecified else f"on {shown}"


def is_loopback(host: str) -> bool:
    """Check whether only this machine reaches an address; a name counts if all it stands for does."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0])).is_loopback for entry in found)


def check_exposure(host: str, *, is_guarded: bool, way_out: str) -> None:
    """Refuse to listen where strangers could spend the provider's keys.

    Args:
        host: The address to listen on.
        is_guarded: Whether clients need a key, or the operator has said that they need none.
        way_out: What to do otherwise.

    Raises:
        ConfigError: The address is not loopback, and nothing guards it.
    """
    if not is_guarded and not is_loopback(host):
        raise ConfigError(
            f"{host!r} is not a loopback address, so other machines may reach it, and clients need no key. {way_out}"
        )
