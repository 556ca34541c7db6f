"""Terminal conduct of a program: interruption, closed pipes."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from plano_agents.demos.terminal import interruptible
from tests.patience import PATIENCE_SECONDS

PROGRAM = """
import os, signal, sys
from plano_agents.demos.terminal import interruptible
from tests.patience import PATIENCE_SECONDS
number = int(sys.argv[1])
try:
    with interruptible():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # on the way out
            print("left")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once_and_lets_the_program_leave(number: signal.Signals) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(number.value)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "left\ninterrupted\n", "")


def test_a_hang_up_that_is_ignored_stays_ignored() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


EXIT = """
from plano_agents.demos.terminal import exit_without_output
try:
    print("x" * 100, flush=True)
except OSError as error:
    exit_without_output(error)
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")  # noqa: PTH110 - a device
def test_a_full_device_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        ended = subprocess.run(
            [sys.executable, "-c", EXIT], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, "error: No space left on device\n")


def test_a_reader_that_has_left_is_told_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-c", EXIT], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


SLOW = """
import sys, threading
from plano_agents.demos import terminal
terminal.PATIENCE_SECONDS = float(sys.argv[1])
said = threading.Event()
terminal.click.echo = lambda line, err: (print(line, file=sys.stderr, flush=True), said.set())
with terminal.announcing("Starting the router …"):
    said.wait(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("patience", "waits", "told"), [("0", "60", "Starting the router …\r\n"), ("60", "0", "")])
def test_on_a_terminal_a_slow_step_is_announced_and_a_quick_one_is_not(patience: str, waits: str, told: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SLOW, patience, waits], stderr=theirs) as program:
        os.close(theirs)
        assert program.wait(PATIENCE_SECONDS) == 0
    try:
        seen = os.read(ours, 1024).decode()
    except OSError:  # Linux: nothing was written, and nobody holds the other end
        seen = ""
    os.close(ours)
    assert seen == told


def test_a_file_is_told_nothing_of_slow_steps() -> None:
    program = [sys.executable, "-c", SLOW, "0", "0.2"]
    assert subprocess.run(program, capture_output=True, check=True).stderr == b""
