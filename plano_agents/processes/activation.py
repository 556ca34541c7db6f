"""Socket activation and readiness: the service manager's listening sockets, and the word that this service is ready.

Implements sd_listen_fds(3) and sd_notify(3) of systemd, whose protocol is environment variables. A socket that the
service manager holds stays open while the service is restarted: connections wait in its queue instead of being
refused, and two versions of a service can accept on it at once.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence

from plano_agents.errors import ConfigError

FIRST_DESCRIPTOR = 3
"""The first inherited file descriptor, ``SD_LISTEN_FDS_START``."""


def take_inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Take the listening sockets that the service manager passed to this process.

    Args:
        environ: The environment; ``LISTEN_PID``, ``LISTEN_FDS`` and ``LISTEN_FDNAMES`` are taken out, so that no child
            takes the sockets for its own.

    Returns:
        The sockets, in the socket unit's order; none where none were passed.

    Raises:
        ConfigError: A descriptor is not a listening TCP socket.
    """
    pid, count = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    return [_take(FIRST_DESCRIPTOR + number) for number in range(int(count))]


def _take(descriptor: int) -> socket.socket:
    try:
        found = socket.socket(fileno=descriptor)
        is_listener = bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError as error:
        raise ConfigError(
            f"LISTEN_FDS: file descriptor {descriptor} is not a socket ({error.strerror}). Pass listening sockets alone."
        ) from error
    if not is_listener or found.family not in {socket.AF_INET, socket.AF_INET6}:
        raise ConfigError(
            f"LISTEN_FDS: file descriptor {descriptor} is not a listening TCP socket. In the socket unit, write "
            "ListenStream=ADDRESS:PORT, and Accept=no."
        )
    os.set_inheritable(descriptor, False)
    return found


def share_out(inherited: Sequence[socket.socket], count: int) -> list[socket.socket]:
    """Give each of several processes its listening socket.

    Args:
        inherited: What `take_inherited` took; at least one.
        count: How many processes there are.

    Returns:
        As many sockets as processes: one each, or copies of the only one.

    Raises:
        ConfigError: There are several, but not one for each process: on one of them nobody would accept.
    """
    if len(inherited) == 1:
        return [inherited[0], *(inherited[0].dup() for _ in range(count - 1))]
    if len(inherited) != count:
        raise ConfigError(
            f"The service manager passed {len(inherited)} listening sockets for {count} processes. Write one ListenStream= "
            f"in the socket unit, or {count} of the same address with ReusePort=yes."
        )
    return list(inherited)


def tell_ready(environ: Mapping[str, str]) -> None:
    """Tell the service manager that this service accepts connections; without ``NOTIFY_SOCKET`` nobody is told.

    Args:
        environ: The environment.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        # An address that begins with @ is in Linux' abstract namespace, where it begins with a zero byte.
        line.sendto(b"READY=1", f"\0{address[1:]}" if address.startswith("@") else address)
