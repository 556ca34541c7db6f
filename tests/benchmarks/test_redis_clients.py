"""The benchmark runs, and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

from tests.faults.redis_server import require_program


def test_every_installed_client_is_measured(root: Path) -> None:
    require_program("redis-server")
    script = str(root / "benchmarks" / "redis_clients.py")
    done = subprocess.run(
        [sys.executable, script, "--rounds", "1", "--json"], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout)["us_per_command"]
    assert {"this router: redis-py's connection, hiredis", "redis-py, pipeline, hiredis"} <= costs.keys()
    assert all(len(row) == 3 and min(row) > 0 for row in costs.values())
