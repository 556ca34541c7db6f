"""Programs that get their listening sockets from the test, as from a service manager (sd_listen_fds(3))."""

import sys
from collections.abc import Sequence
from pathlib import Path
from socket import socket

LAUNCH = """
import fcntl, os, sys
numbers = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 100) for each in sys.argv[1].split(",")]
for place, number in enumerate(numbers, start=3):
    os.dup2(number, place)
    os.close(number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(numbers))}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Puts the sockets where a service manager puts them, and becomes the program."""


def launch_with(sockets: Sequence[socket], *command: str | Path) -> tuple[list[str], list[int]]:
    """Build the command that starts a program with sockets, and the descriptors that its process must inherit."""
    numbers = [each.fileno() for each in sockets]
    return [sys.executable, "-c", LAUNCH, ",".join(map(str, numbers)), *map(str, command)], numbers
