"""Bytes that were written to a connection and its other side has not taken."""

import asyncio
import struct
import sys


def count_unread(transport: asyncio.Transport) -> int:
    """Count the bytes that were written and the other side has not taken.

    The transport's own come down only in steps of a third of the system's buffer, a megabyte and more, which a slow
    reader may need minutes for; so the system's are counted too, where it tells them (Linux: tcp(7), ``SIOCOUTQ``).
    """
    unread = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    if sys.platform != "linux" or connection is None:
        return unread
    import fcntl  # noqa: PLC0415 - not there on Windows
    import termios  # noqa: PLC0415

    try:
        found = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:  # it is not a TCP connection, or no longer one
        return unread
    return unread + int(struct.unpack("i", found)[0])
