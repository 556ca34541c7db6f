"""``scripts/uv``, which sets up uv where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]


def test_an_index_that_cannot_be_reached_is_told_with_the_variable_that_names_another(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "uv", tmp_path / "scripts")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    ended = subprocess.run(
        [script, "--version"],
        env=kept
        | {"PATH": str(programs), "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0"}
        | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("error: uv cannot be installed from the package index.")
    assert "PIP_INDEX_URL" in ended.stderr
