"""Packages that tests need beside the project's own environment, set up once, by one process at a time.

Setting up asks package indexes. Where that fails, the tests that need it are skipped; with ``PLANO_REQUIRE_CLIENTS``
set, as CI sets it, they fail.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.patience import PATIENCE_SECONDS

SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
"""Where node and npm are looked for: the dev group brings them into the project's environment."""


def find_node() -> tuple[str, str]:
    """Find node and npm."""
    node, npm = (shutil.which(name, path=SEARCH_PATH) for name in ("node", "npm"))
    if node is None or npm is None:
        give_up("node and npm are needed; the dev group brings them: scripts/uv sync --group dev")
    return node, npm


def install_packages(folder: Path, *options: str) -> None:
    """Run ``npm install`` in a folder, with options or packages."""
    _, npm = find_node()
    # Trust what the system trusts, as behind a company's proxy; and do not try for minutes what fails.
    environ = {"PATH": SEARCH_PATH, "NODE_OPTIONS": "--use-system-ca", "npm_config_fetch_retries": "1"}
    set_up(
        [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", *options],
        folder=folder,
        environ=environ,
    )


def set_up(command: Sequence[str], *, folder: Path, environ: dict[str, str] | None = None) -> None:
    """Run a command that asks a package index, and give the test up where it fails."""
    environ = {**os.environ, **(environ or {})}
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if ended.returncode:
        give_up(f"{' '.join(command)} failed: {ended.stderr.strip()[-500:]}")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time set up; the folder itself is the lock."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def give_up(reason: str) -> NoReturn:
    """Skip a test whose client cannot be set up; fail it where clients must be there."""
    if os.environ.get("PLANO_REQUIRE_CLIENTS"):
        pytest.fail(reason)
    pytest.skip(reason)
