"""Each way of extending that ``docs/extending.md`` describes, followed: patches, applied to a copy of the project.

Its tests run there. A patch that no longer applies is made anew by following the page: change a clean clone, and write
``git diff --cached`` over the patch.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANG_SECONDS = 1_500
"""How long a run of tests within a test may take: some 10 s of CPU, on a machine that may have none to spare."""

HERE = Path(__file__).parent

TESTS = {
    "provider": (
        "tests/providers/test_registry.py",
        "tests/providers/test_target.py",
        "tests/providers/fit/test_message_fields.py",
        "tests/docs/test_fitting_page.py",
    ),
    "strategy": ("tests/routing/test_patterns.py", "tests/docs/test_configuration_page.py"),
    "store": ("tests/sessions/test_sqlite.py", "tests/docs/test_configuration_page.py"),
    "framework": (
        "tests/frameworks/test_frameworks.py::test_every_request_of_every_run_carries_its_runs_id[openai_sdk]",
    ),
    "harness": ("tests/sessions/test_harnesses.py",),
    "surface": ("tests/agent_server/test_ollama_surface.py",),
}
"""What is run, by kind; the page names the same files."""

TOGETHER = (("provider", "strategy", "framework", "harness"), ("store", "surface"))
"""The kinds that are followed in one copy, which costs one start of pytest: their files are not each other's."""

WRITES = {
    "provider": "scripts.site.fitting",
    "strategy": "scripts.site.configuration",
    "store": "scripts.site.configuration",
}
"""The part of ``scripts/docs`` that writes the tables which a change is in, by kind."""

COPIED = ("plano_agents", "tests", "docs", "scripts", "conftest.py", "config.yaml", "pyproject.toml")
LEFT_OUT = ("node_modules", "recorded", "images", "extending", ".*")


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of the project, as far as its tests need it."""
    for name in COPIED:
        if (root / name).is_dir():
            ignore = shutil.ignore_patterns(*LEFT_OUT)
            shutil.copytree(root / name, tmp_path / name, ignore=ignore)
        else:
            shutil.copy2(root / name, tmp_path / name)
    return tmp_path


def run(command: list[str | Path], folder: Path) -> str:
    """Run a command in a folder, whose packages come first; gives what it prints."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def list_changed(patch: str) -> list[str]:
    """List the files that a patch changes."""
    return re.findall(r"^\+\+\+ b/(.+)$", (HERE / f"{patch}.patch").read_text(), re.MULTILINE)


@pytest.mark.timeout(2 * HANG_SECONDS)
@pytest.mark.parametrize("patches", TOGETHER, ids="-".join)
def test_the_page_was_followed_and_the_new_ones_pass_their_tests(patches: tuple[str, ...], copy: Path) -> None:
    for patch in patches:
        run(["git", "apply", "-C1", HERE / f"{patch}.patch"], copy)
    for module in dict.fromkeys(WRITES[patch] for patch in patches if patch in WRITES):
        run([sys.executable, "-m", module], copy)
    tests = [test for patch in patches for test in TESTS[patch]]
    told = run([sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *tests], copy)
    passed = set(re.findall(r"^PASSED ([\w/.]+)", told, re.MULTILINE))
    assert passed == {test.partition("::")[0] for test in tests}


def test_every_kind_has_its_patch_and_is_followed_once() -> None:
    assert {path.stem for path in HERE.glob("*.patch")} == set(TESTS)
    assert sorted(patch for patches in TOGETHER for patch in patches) == sorted(TESTS)


def test_kinds_that_are_followed_together_share_no_file() -> None:
    for patches in TOGETHER:
        changed = [each for patch in patches for each in list_changed(patch)]
        assert len(changed) == len(set(changed))


@pytest.mark.parametrize("patch", TESTS)
def test_the_page_names_the_files_that_were_changed(patch: str, root: Path) -> None:
    page = (root / "docs" / "extending.md").read_text()
    section = page.partition(f"<!-- followed: {patch} -->")[2].partition("<!-- followed:")[0]
    assert section
    assert [name for name in list_changed(patch) if f"`{Path(name).parent}/" not in section] == []
