"""Several real processes on one port, started, watched, told of changes and stopped by their parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from plano_agents import processes
from plano_agents.errors import ConfigError
from tests.children import has_ended
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watching strangers' processes takes Linux")

PROGRAM = """
import os, sys, threading, time
from pathlib import Path
from types import MappingProxyType
from plano_agents import processes
from plano_agents.errors import ConfigError, WorkerFailedError

file, count = Path(sys.argv[1]), int(sys.argv[2])
interval, stop, hang = map(float, sys.argv[3:])

def load():
    word = file.read_text()
    if word == "unreadable":
        raise ConfigError("nobody reads this")
    return MappingProxyType({"word": word})

async def main(state, parent):
    print("started", time.monotonic(), flush=True)
    words = [state["word"]]

    async def app(scope, receive, send):
        if scope["type"] == "http":
            if scope["path"] == "/hang":
                threading.Event().wait()
            body = f"{os.getpid()} {words[-1]}".encode()
            headers = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    def take(state):
        if state["word"] == "unserved":
            raise ConfigError("nobody serves this")
        words.append(state["word"])

    if words[0] == "crash":
        os._exit(7)
    if words[0] == "bug":
        raise KeyError("secret")
    take(state)
    await parent.serve([processes.Site(app, listeners[0], 1)], on_state=take)

def only(listener):
    async def run(state, parent):
        listeners[:] = [listener]
        await main(state, parent)
    return run

listeners = processes.bind_each("127.0.0.1", 0, count)
workers = [processes.Worker(f"w{i}", each, only(each)) for i, each in enumerate(listeners)]
try:
    processes.Supervisor(
        workers,
        load(),
        load=load,
        on_ready=lambda: print("ready", processes.url_of(listeners[0]), flush=True),
        on_reloaded=lambda error: print("reloaded", error, flush=True),
        on_exit=lambda pid: print("exit", pid, flush=True),
        patience=processes.Patience(interval_seconds=interval, stop_seconds=stop, hang_seconds=hang),
    ).run()
except (ConfigError, WorkerFailedError) as error:
    sys.exit(f"error: {error}")
print("stopped")
"""


@dataclass(frozen=True, slots=True)
class Program:
    """The program above, and the file that it reads."""

    process: "subprocess.Popen[str]"
    file: Path

    def read_until(self, wanted: str) -> list[str]:
        """Read what it says until a line begins so; all lines."""
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith(wanted):
                return lines
        raise AssertionError(lines)

    def ready(self) -> int:
        """Wait until all workers listen; the port."""
        return int(self.read_until("ready")[-1].rpartition(":")[2])

    def reload(self, word: str) -> str:
        """Change the state; what is said of it."""
        self.file.write_text(word)
        self.process.send_signal(signal.SIGHUP)
        return self.read_until("reloaded")[-1]

    def children(self) -> list[int]:
        """The workers' process ids."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output, standard error."""
        out, err = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, out, err


@contextmanager
def started(
    folder: Path,
    word: str = "one",
    *,
    count: int = 2,
    interval: float = 0,
    stop: float = 20,
    hang: float = 600,
) -> Iterator[Program]:
    file = folder / "word"
    file.write_text(word)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(file), str(count), str(interval), str(stop), str(hang)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Program(process, file)
        finally:
            process.kill()


def ask(port: int, path: str = "/") -> socket.socket:
    """Ask on a connection of its own."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    return connection


def read(connection: socket.socket) -> tuple[int, str]:
    """Read who answered, and by which state."""
    with connection, connection.makefile("rb") as file:
        pid, _, word = file.read().rpartition(b"\r\n\r\n")[2].decode().partition(" ")
    return int(pid), word


def answers_of_all(port: int, count: int = 2) -> dict[int, str]:
    """Ask until so many workers have answered: their process ids and states."""
    found: dict[int, str] = {}
    while len(found) < count:
        found.update([read(ask(port))])
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_worker_answers_and_a_signal_to_the_parent_ends_them_all(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path, count=3) as program:
        answers = answers_of_all(program.ready(), 3)
        assert set(answers) == set(program.children())
        program.process.send_signal(number)
        code, out, err = program.end()
        assert all(map(has_ended, answers))
    assert (code, err, out.endswith("stopped\n")) == (0, "", True)


def test_a_killed_worker_is_told_in_a_line_and_replaced_while_the_others_stay(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        port = program.ready()
        killed, other = answers_of_all(port)
        os.kill(killed, signal.SIGKILL)
        assert program.read_until("exit")[-1] == f"exit {killed}"
        program.read_until("started")
        answers = answers_of_all(port)
        assert (other in answers, killed in answers) == (True, False)
        program.process.terminate()
        code, _, err = program.end()
    assert code == 0
    assert f"(process {killed}) ended by signal 9 (Killed); starting a new one" in err
    assert err.count("\n") == 1


def test_what_waits_on_a_worker_that_dies_is_answered_by_its_replacement(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        port = program.ready()
        frozen, _ = answers_of_all(port)
        os.kill(frozen, signal.SIGSTOP)
        connections = [ask(port) for _ in range(40)]
        os.kill(frozen, signal.SIGKILL)
        assert len({read(connection)[0] for connection in connections}) == 2


def test_a_worker_that_hangs_is_told_killed_and_replaced(tmp_path: Path) -> None:
    with started(tmp_path, hang=3) as program:
        port = program.ready()
        before = answers_of_all(port)
        with ask(port, "/hang"):
            hung = int(program.read_until("exit")[-1].split()[1])
        program.read_until("started")
        after = answers_of_all(port)
        program.process.terminate()
        code, _, err = program.end()
    assert (hung in before, hung in after, code) == (True, False, 0)
    assert f"(process {hung}) hangs: its event loop has been blocked for 3" in err
    assert f"(process {hung}) ended by signal 9 (Killed); starting a new one" in err


def test_signals_to_a_worker_are_left_to_its_parent(tmp_path: Path) -> None:
    """A terminal's Ctrl-C and a service manager's SIGTERM reach everybody; only the parent may act."""
    with started(tmp_path) as program:
        port = program.ready()
        before = answers_of_all(port)
        for worker in before:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(worker, number)
        assert answers_of_all(port) == before


def test_a_new_state_reaches_every_worker_and_every_later_one_and_is_told_once(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        port = program.ready()
        before = answers_of_all(port)
        assert program.reload("two") == "reloaded None"
        assert answers_of_all(port) == dict.fromkeys(before, "two")
        os.kill(next(iter(before)), signal.SIGKILL)
        program.read_until("started")
        assert set(answers_of_all(port).values()) == {"two"}
        program.process.terminate()
        assert "reloaded" not in program.end()[1]


@pytest.mark.parametrize(("word", "told"), [("unreadable", "nobody reads this"), ("unserved", "nobody serves this")])
def test_a_state_that_cannot_be_used_changes_nothing_and_is_told_once(tmp_path: Path, word: str, told: str) -> None:
    with started(tmp_path) as program:
        port = program.ready()
        before = answers_of_all(port)
        assert program.reload(word) == f"reloaded {told}"
        assert answers_of_all(port) == dict.fromkeys(before, "one")
        os.kill(next(iter(before)), signal.SIGKILL)
        program.read_until("started")
        assert set(answers_of_all(port).values()) == {"one"}
        program.process.terminate()
        assert "reloaded" not in program.end()[1]


def test_a_worker_that_dies_while_it_is_asked_to_change_is_replaced_by_one_that_has(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        port = program.ready()
        frozen, _ = answers_of_all(port)
        os.kill(frozen, signal.SIGSTOP)
        program.file.write_text("two")
        program.process.send_signal(signal.SIGHUP)
        os.kill(frozen, signal.SIGKILL)
        assert program.read_until("reloaded")[-1] == "reloaded None"
        assert set(answers_of_all(port).values()) == {"two"}


def test_a_worker_that_dies_over_and_over_before_it_listens_ends_everything(tmp_path: Path) -> None:
    with started(tmp_path, interval=0.3) as program:
        port = program.ready()
        survivor, victim = answers_of_all(port)
        program.reload("crash")
        killed_at = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        code, out, err = program.end()
        assert has_ended(survivor)
    assert code == 1
    assert err.splitlines()[-1].startswith("error: w")
    assert "ended with exit code 7 before it listened, 3 times in a row" in err
    times = [float(line.split()[1]) for line in out.splitlines() if line.startswith("started")]
    assert len(times) == 3
    assert times[2] - killed_at >= 2 * 0.3


def test_a_state_that_cannot_be_served_at_the_start_is_told_once_and_nobody_is_left(tmp_path: Path) -> None:
    with started(tmp_path, "unserved") as program:
        code, out, err = program.end()
    assert (code, err, "ready" in out) == (1, "error: nobody serves this\n", False)


def test_a_bug_in_a_worker_is_told_by_its_place_without_a_traceback(tmp_path: Path) -> None:
    with started(tmp_path, "bug", count=1) as program:
        code, _, err = program.end()
    assert code == 1
    assert "w0: unexpected KeyError at <string>:" in err
    assert ("Traceback" in err, "secret" in err) == (False, False)


def test_a_worker_that_does_not_stop_is_killed_and_told(tmp_path: Path) -> None:
    with started(tmp_path, stop=0.2) as program:
        frozen, other = answers_of_all(program.ready())
        os.kill(frozen, signal.SIGSTOP)
        program.process.terminate()
        code, _, err = program.end()
        assert has_ended(frozen)
        assert has_ended(other)
    assert code == 0
    assert f"(process {frozen}) did not stop in time and is killed\n" in err


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, count=3) as program:
        workers = answers_of_all(program.ready(), 3)
        program.process.kill()
        assert all(map(has_ended, workers))


def test_where_processes_cannot_be_forked_workers_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"cannot\. Start one"):
        processes.check_can_fork(["spawn"])
    processes.check_can_fork(["spawn", "fork"])
