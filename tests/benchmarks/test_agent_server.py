"""The benchmark of the agent server runs, and measures graph and server on the same runs."""

import json
import subprocess
import sys
from pathlib import Path


def test_every_way_to_run_is_measured(root: Path) -> None:
    script = str(root / "benchmarks" / "agent_server.py")
    done = subprocess.run(
        [sys.executable, script, "--pairs", "3", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert {figure["name"] for figure in figures} == {
        f"{way}, {place}" for way in ("whole", "events") for place in ("no memory", "memory", "SQLite")
    }
    assert all(figure["bare"] > 0 and figure["server"] > 0 for figure in figures)
