"""A ranking computes on one core, however NumPy was loaded: several threads would wait for each other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RANK = """
import asyncio, os, sys, threading
sys.modules["onnxruntime"] = None  # NumPy encodes; ONNX Runtime starts a thread of its own when it is imported, which sleeps
from pathlib import Path
from plano_agents.config.model import Preference
from plano_agents.routing.embedded.strategy import EmbeddedStrategy
from plano_agents.routing.text import Utterance

TASKS = Path("/proc/self/task")

def find_foreign():
    own = {thread.native_id for thread in threading.enumerate()}
    return [task for task in TASKS.iterdir() if int(task.name) not in own]

def rank(text):
    said = tuple(Utterance("user", f"{text} {number} " * 40) for number in range(4))
    asyncio.run(EmbeddedStrategy().rank(said, [Preference("code", "writing code", ("a/b",))]))
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists() or len(os.sched_getaffinity(0)) == 1,
    reason="threads are counted in /proc, and a machine of one core starts none",
)


def run(program: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def test_a_ranking_starts_no_threads_of_the_linear_algebra() -> None:
    assert run(f"{RANK}\nrank('one')\nprint(len(find_foreign()))") == "0"


def test_a_ranking_leaves_the_number_of_threads_in_the_environment_as_it_was() -> None:
    assert run(f"{RANK}\nrank('one')\nprint(os.environ.get('OPENBLAS_NUM_THREADS'))") == "None"


def test_threads_that_were_there_before_do_not_compute() -> None:
    """The caller loaded NumPy: its pool stays, and sleeps while a ranking is computed."""
    program = f"""
import numpy
{RANK}
import time

def read_state(task):
    return (task / "stat").read_text().rpartition(")")[2].split()[0]

def read_nanoseconds(task):
    return int((task / "schedstat").read_text().split()[0])

rank("warm up")
pool = find_foreign()
assert pool, "OPENBLAS_NUM_THREADS=2 starts one thread beside the caller's"
while any(read_state(task) != "S" for task in pool):
    time.sleep(0.01)
before = [read_nanoseconds(task) for task in pool]
rank("another text")
print([read_nanoseconds(task) for task in pool] == before)
"""
    assert run(program, OPENBLAS_NUM_THREADS="2") == "True"


def test_the_callers_own_number_of_threads_holds_again_after_a_ranking() -> None:
    program = f"""
import numpy
{RANK}
import threadpoolctl
before = threadpoolctl.threadpool_info()
rank("one")
print(before[0]["num_threads"], threadpoolctl.threadpool_info() == before)
"""
    assert run(program, OPENBLAS_NUM_THREADS="2") == "2 True"
