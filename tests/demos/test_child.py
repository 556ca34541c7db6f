"""Servers as child processes."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plano_agents.demos.child import ChildNotStartedError, running_server
from tests.children import has_ended
from tests.patience import PATIENCE_SECONDS

READY = re.compile(r"ready at (\S+)")

SERVER = """
import os, signal
print("ready at", os.getpid(), flush=True)
signal.pause()
"""

STARTER = """
import re, signal, sys
from plano_agents.demos.child import running_server
with running_server([sys.argv[1]], re.compile(r"ready at (\\S+)")) as address:
    print(address, flush=True)
    signal.pause()
"""


@pytest.fixture
def server(tmp_path: Path) -> str:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return str(path)


def test_a_server_runs_as_long_as_it_is_needed(server: str) -> None:
    with running_server([server], READY) as address:
        os.kill(int(address), 0)
    assert has_ended(int(address))


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watching a stranger's process takes Linux")
def test_a_server_ends_with_a_parent_that_is_killed(server: str) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, server], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        number = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
        assert has_ended(number)


def test_a_server_that_does_not_start_names_the_options_that_its_user_has(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "server.py"
    path.write_text("import sys; sys.exit('error: port taken. Choose another with --port.')")
    with (
        pytest.raises(ChildNotStartedError),
        running_server([str(path)], READY, words={"--port": "--agent-port"}),
    ):
        pass
    assert capfd.readouterr().err == "error: port taken. Choose another with --agent-port.\n"


def test_an_interruption_while_a_servers_complaints_begin_to_be_read_stops_it(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C, which may come between any two steps."""
    start = threading.Thread.start

    def start_and_be_interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start_and_be_interrupted)
    with pytest.raises(KeyboardInterrupt), running_server([server], READY):
        raise AssertionError("it was interrupted before")


def test_a_server_gets_its_arguments_as_the_interpreter_would_give_them(tmp_path: Path) -> None:
    path = tmp_path / "server.py"
    path.write_text("import sys; print('ready at', '|'.join(sys.argv), __name__)")
    with running_server([str(path), "a", "-b"], READY) as address:
        assert address == f"{path}|a|-b"


def test_a_listener_that_has_left_does_not_stall_the_server(tmp_path: Path) -> None:
    def leave(line: str) -> None:
        if not line.startswith("ready"):
            raise BrokenPipeError

    path = tmp_path / "server.py"
    path.write_text("print('ready at x', flush=True)\nprint('x' * 1_000_000)")
    ended = threading.Event()
    with running_server([str(path)], READY, show=leave, on_exit=ended.set):
        assert ended.wait(PATIENCE_SECONDS)
