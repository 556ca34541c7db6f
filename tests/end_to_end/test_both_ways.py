"""The suites that see whole requests, run by the story alone: they run by the fast path everywhere else."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/end_to_end/test_surfaces.py",
    "tests/end_to_end/test_restart.py",
    "tests/end_to_end/test_threads.py",
    "tests/router/test_failures.py",
    "tests/router/test_failures_clients.py",
)
STORY_ALONE = """\
from plano_agents.router.app import Router

Router.__init__.__kwdefaults__["takes_fast_path"] = False
"""


def test_the_suites_hold_without_the_fast_path(tmp_path: Path) -> None:
    """Every Python process below this one begins by switching it off; there is no setting for it."""
    (tmp_path / "sitecustomize.py").write_text(STORY_ALONE)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *SUITES]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4_000:]
