"""Ports for the servers that tests start by number."""

import os
import re
import socket
from collections.abc import Iterator
from itertools import chain

FIRST, LAST = 10_000, 20_000
"""Below what Linux gives to outgoing connections (net.ipv4.ip_local_port_range), which would take one meanwhile."""
LANES = 16
"""Test workers that take ports from different ranges."""


def _spread(lane: int) -> Iterator[int]:
    """The ports of a worker's own range, again and again, from a place that differs from process to process."""
    size = (LAST - FIRST) // LANES
    begin = FIRST + size * (lane % LANES)
    start = os.getpid() % size
    while True:
        yield from chain(range(begin + start, begin + size), range(begin, begin + start))


_ports = _spread(int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0))


def free_port() -> int:
    """Find a port that nobody listens on; none is given twice within a worker's tests that run together.

    Raises:
        OSError: All ports of the range are taken.
    """
    for _ in range((LAST - FIRST) // LANES):
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError(f"No port of {FIRST} to {LAST} is free.")
