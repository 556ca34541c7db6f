"""The benchmark of first turns runs, and measures them and those beside them."""

import json
import subprocess
import sys
from pathlib import Path

FEW = ("--windows", "1", "--seconds", "0.5", "--rate", "40", "--words", "5", "--no-pin")


def test_first_turns_and_those_beside_them_are_measured(root: Path) -> None:
    script = str(root / "benchmarks" / "first_turns.py")
    done = subprocess.run(
        [sys.executable, script, *FEW, "--json"], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert 0 < figures["of which routing"]["p50"] < figures["first turn"]["p50"]
    assert figures["pinned, quiet"]["p50"] > 0
    assert figures["pinned, beside first turns"]["p50"] > 0
