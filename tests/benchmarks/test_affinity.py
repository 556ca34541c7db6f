"""The benchmark runs, and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.redis_server import require_program

SMALL = ("--repeats", "1", "--requests", "1000", "--stampede", "50", "--ids", "10000")


def run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    script = str(root / "benchmarks" / "affinity.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False, cwd=root)


@pytest.mark.parametrize("with_redis", [True, False], ids=["with Redis", "without"])
def test_every_figure_is_measured(root: Path, with_redis: bool) -> None:  # noqa: FBT001 - parametrized
    if with_redis:
        require_program("redis-server")
    done = run(root, *SMALL, "--redis" if with_redis else "--no-redis", "--json")
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure for figure in json.loads(done.stdout)["figures"]}
    places = ["memory", *(["Redis", "Redis, 64 at once"] if with_redis else [])]
    assert {name for name in figures if name.startswith("pin lookups")} == {f"pin lookups, {place}" for place in places}
    assert {"decision, pinned, after 1,000 ids", "decision, pinned, after 10,000 ids"} <= figures.keys()
    assert "50 first turns at once on 50 ids, memory" in figures
    assert all(figure["median"] > 0 for name, figure in figures.items() if not name.startswith(" "))


def test_a_stampede_on_one_id_is_routed_once(root: Path) -> None:
    table = run(root, *SMALL, "--no-redis").stdout
    routed = [line.split()[3] for line in table.splitlines() if "of which routed" in line]
    assert routed == ["1", "50"]
    assert "while ids grow 10-fold" in table
