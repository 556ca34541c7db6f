"""The wheel alone, without a checkout: what a user installs."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.installing import set_up
from tests.patience import PATIENCE_SECONDS


def test_the_demo_runs_from_the_wheel_without_a_checkout(root: Path, tmp_path: Path) -> None:
    set_up(
        [str(root / "scripts" / "uv"), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(root)],
        folder=root,
    )
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "plano_agents", "demo", "--fast", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)
