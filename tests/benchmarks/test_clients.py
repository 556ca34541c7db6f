"""The benchmark of the clients runs, and measures both models on the same request."""

import json
import subprocess
import sys
from pathlib import Path


def test_every_way_to_call_is_measured(root: Path) -> None:
    script = str(root / "benchmarks" / "clients.py")
    done = subprocess.run(
        [sys.executable, script, "--pairs", "3", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert [figure["name"] for figure in figures] == [
        f"{call}, {size}" for size in ("1 KB", "20 KB") for call in ("invoke", "ainvoke", "stream", "astream")
    ]
    assert all(figure["bare"] > 0 and figure["plano"] > 0 for figure in figures)
