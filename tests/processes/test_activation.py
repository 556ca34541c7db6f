"""Listening sockets and the word that a service is ready, as a service manager has them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from plano_agents import processes
from plano_agents.errors import ConfigError
from plano_agents.processes.activation import share_out, take_inherited
from tests.activated import launch_with
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="service managers of this kind are Linux'")

TAKE = """
import json, os, sys
from plano_agents.errors import ConfigError
from plano_agents.processes.activation import take_inherited
try:
    taken = take_inherited(os.environ)
except ConfigError as error:
    sys.exit(str(error))
print(json.dumps({
    "names": [each.getsockname() for each in taken],
    "inherited": [os.get_inheritable(each.fileno()) for each in taken],
    "left": sorted(name for name in os.environ if name.startswith("LISTEN_")),
}))
"""


def take(*sockets: socket.socket) -> "subprocess.CompletedProcess[str]":
    """Take sockets in a process that gets them."""
    command, descriptors = launch_with(sockets, sys.executable, "-c", TAKE)
    return subprocess.run(
        command, pass_fds=descriptors, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_sockets_are_taken_in_order_and_no_child_takes_them_again() -> None:
    with processes.bind("127.0.0.1", 0) as first, processes.bind("127.0.0.1", 0) as second:
        found = json.loads(take(first, second).stdout)
        names = [list(each.getsockname()) for each in (first, second)]
    assert found == {"names": names, "inherited": [False, False], "left": []}


def test_what_is_no_listening_tcp_socket_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as unconnected, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        told = [take(each) for each in (unconnected, unix)]
    assert [each.returncode for each in told] == [1, 1]
    assert all("file descriptor 3 is not a listening TCP socket" in each.stderr for each in told)
    assert all("ListenStream=ADDRESS:PORT" in each.stderr for each in told)


def test_a_descriptor_that_is_not_open_is_named() -> None:
    command, _ = launch_with([], sys.executable, "-c", TAKE)
    launch = command[2].replace('sys.argv[1].split(",")', "[]").replace("str(len(numbers))", '"1"')
    told = subprocess.run(
        [command[0], "-c", launch, *command[3:]], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert (told.returncode, "file descriptor 3 is not a socket" in told.stderr) == (1, True)


def test_sockets_that_were_passed_to_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}
    assert take_inherited(environ) == []
    assert environ == {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}
    assert take_inherited({}) == []


def test_one_socket_is_shared_by_all_processes_and_several_are_one_each() -> None:
    with processes.bind("127.0.0.1", 0) as one:
        shared = share_out([one], 3)
        assert [each.getsockname() for each in shared] == [one.getsockname()] * 3
        for each in shared:
            each.close()
    several = processes.bind_each("127.0.0.1", 0, 2)
    assert share_out(several, 2) == several
    with pytest.raises(ConfigError, match=r"passed 2 listening sockets for 3 processes.*3 of the same address"):
        share_out(several, 3)
    for each in several:
        each.close()


@pytest.mark.parametrize("prefix", ["@", ""], ids=["abstract", "a file"])
def test_the_service_manager_is_told_once_the_service_is_ready(tmp_path: Path, prefix: str) -> None:
    address = f"{prefix}{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        manager.setblocking(False)
        processes.tell_ready({})
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        processes.tell_ready({"NOTIFY_SOCKET": address})
        assert manager.recv(100) == b"READY=1"
