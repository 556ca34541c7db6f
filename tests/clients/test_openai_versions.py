"""Both versions of the OpenAI SDK for Python that the project takes, raw and under `ChatPlano`."""

import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

MODELS = ["openai/gpt-4o", "anthropic/claude-sonnet-4-6"]


def run_checks(python: Path, root: Path, url: str) -> str:
    """Run the checks under a Python of one's own; give the SDK's version."""
    ended = subprocess.run(
        [python, "-W", "error", "-m", "tests.clients.openai_versions", url, *MODELS],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_version_2_is_served(openai_2: Path, root: Path, offline_router: str) -> None:
    assert run_checks(openai_2, root, offline_router).startswith("2.")


def test_version_3_is_served(root: Path, offline_router: str) -> None:
    assert run_checks(Path(sys.executable), root, offline_router).startswith("3.")
