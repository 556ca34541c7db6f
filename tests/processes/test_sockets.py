"""One port for several processes."""

import socket
import sys

import pytest

from plano_agents import processes
from plano_agents.errors import ConfigError
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the sockets are copies of one")


def count_waiting(listener: socket.socket) -> int:
    """Take all connections that wait."""
    listener.setblocking(False)
    number = 0
    try:
        while True:
            listener.accept()[0].close()
            number += 1
    except BlockingIOError:
        return number


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_are_spread_over_the_sockets_of_a_port(host: str) -> None:
    listeners = processes.bind_each(host, 0, 2)
    assert len({listener.getsockname() for listener in listeners}) == 1
    address = listeners[0].getsockname()[:2]
    connections = [socket.create_connection(address, timeout=PATIENCE_SECONDS) for _ in range(200)]
    counts = [count_waiting(listener) for listener in listeners]
    for each in [*connections, *listeners]:
        each.close()
    assert sum(counts) == 200
    assert min(counts) > 40  # 40 or fewer: once in 10^17, were each a coin's throw


@pytest.mark.parametrize("counts", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_port_that_others_listen_on_is_refused_however_many_ask(counts: tuple[int, int]) -> None:
    first, second = counts
    taken = processes.bind_each("127.0.0.1", 0, first)
    port = taken[0].getsockname()[1]
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: another program uses it"):
        processes.bind_each("127.0.0.1", port, second)
    for each in taken:
        each.close()
