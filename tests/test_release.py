"""The release's script: it refuses a tag that is not the version's, and a version that the changelog does not have."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from plano_agents import __version__
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """A folder that holds what the script reads before it builds."""
    for name in ("scripts/release-check", "plano_agents/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    return tmp_path


def check(project: Path, tag: str, repository: str = "owner/name") -> str:
    """Check the release of a tag; gives what is told of its failure."""
    ended = subprocess.run(
        [project / "scripts" / "release-check", "--tag", tag],
        capture_output=True,
        text=True,
        env=os.environ | {"GITHUB_REPOSITORY": repository},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    return ended.stderr


def test_a_tag_of_another_version_is_refused(project: Path) -> None:
    assert check(project, "v99.0.0").startswith("error: the tag is 'v99.0.0'")


def test_a_version_that_the_changelog_does_not_have_is_refused(project: Path) -> None:
    assert f"has no '## [{__version__}] - YYYY-MM-DD'" in check(project, f"v{__version__}")


def test_a_release_whose_readme_leads_nowhere_is_refused(project: Path) -> None:
    (project / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{__version__}] - 2026-11-30\n")
    assert "Set GITHUB_REPOSITORY=owner/name" in check(project, f"v{__version__}", repository="")
