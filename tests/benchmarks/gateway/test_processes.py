"""Processes that are measured."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.gateway.processes import PORTS, Running, find_free_port

pytestmark = pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")

CORE = min(os.sched_getaffinity(0))
PARENT = "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); child.wait()"
WORK = "for _ in range(3_000_000): pass\nprint('worked', flush=True)\nimport signal\nsignal.pause()"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    process = Running([sys.executable, "-c", PARENT, WORK], {}, tmp_path, CORE)
    while "worked" not in process.last_words():
        assert not process.ended(), process.last_words()
    yield process
    process.stop()


def wait_for(running: Running, *, stopped: bool) -> None:
    """Wait until all of them are stopped, or none is; the test's own time limit holds."""
    while {process.status() == psutil.STATUS_STOPPED for process in running.tree()} != {stopped}:
        pass


def test_a_childs_cpu_time_and_memory_count(running: Running) -> None:
    first, child = running.tree()
    # An import and a loop take longer than this on any machine.
    assert running.cpu_seconds() > 0.02
    assert running.memory().rss > max(first.memory_info().rss, child.memory_info().rss) / 2**20
    assert running.memory().pss <= running.memory().rss


def test_a_process_and_its_children_stay_on_their_core(running: Running) -> None:
    assert [process.cpu_affinity() for process in running.tree()] == [[CORE], [CORE]]


def test_what_is_paused_does_not_run_until_it_is_resumed(running: Running) -> None:
    running.pause()
    wait_for(running, stopped=True)
    running.resume()
    wait_for(running, stopped=False)


@pytest.mark.parametrize("paused", [False, True])
def test_stopping_leaves_no_process_behind(running: Running, paused: bool) -> None:  # noqa: FBT001 - parametrized
    tree = running.tree()
    if paused:
        running.pause()
    running.stop()
    assert not any(process.is_running() for process in tree)


def test_a_free_port_is_none_that_outgoing_connections_get() -> None:
    assert find_free_port() in PORTS
