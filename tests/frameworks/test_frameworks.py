"""Frameworks against a real router: every request of each of several runs at once carries that run's id."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.frameworks.catalogue import ALL, IN_CI, INSTALLED, Framework, load_framework, render_table
from tests.installing import give_up
from tests.integrations.router_view import RouterView

RUNS = 4
RECORD = "PLANO_RECORD_INTEGRATIONS"
"""Set to the page that the tested versions are to be written into."""

versions: dict[str, str] = {}
"""The versions tested so far, by module."""


def mark(module: str) -> tuple[pytest.MarkDecorator, ...]:
    return () if module in IN_CI else (pytest.mark.integration,)


def build_command(framework: Framework, root: Path) -> list[str]:
    """Python, in an environment that has a framework."""
    if framework.module in INSTALLED:
        return [sys.executable]
    uv = [str(root / "scripts" / "uv"), "run", "--quiet", "--isolated", "--no-project"]
    needs = [argument for need in framework.needs for argument in ("--with", need)]
    return [*uv, "--python", sys.executable, "--with-editable", str(root), *needs, "--", "python"]


@pytest.mark.parametrize("module", [pytest.param(module, marks=mark(module)) for module in ALL])
def test_every_request_of_every_run_carries_its_runs_id(module: str, root: Path, offline_router: str) -> None:
    view = RouterView(offline_router)
    ids = [f"{module}-{uuid.uuid4()}" for _ in range(RUNS)]
    requests, unnamed = view.count_requests(), view.count_unnamed()
    ended = subprocess.run(
        [
            *build_command(load_framework(module), root),
            *("-m", "tests.frameworks.driver", module, offline_router, *ids),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode and not ended.stdout.startswith("started"):
        give_up(f"{module} could not be set up: {ended.stderr.strip()[-500:]}")
    assert ended.returncode == 0, ended.stderr
    assert view.count_unnamed() == unnamed
    turns = [view.turns(affinity_id) for affinity_id in ids]
    assert min(turns) >= 2
    assert len(set(turns)) == 1
    assert sum(turns) == view.count_requests() - requests
    assert {session["switch_count"] for each in ids if (session := view.session(each))} == {0}
    versions[module] = ended.stdout.split()[-1]


@pytest.mark.integration
def test_the_documents_table_is_what_was_tested(root: Path) -> None:
    page = root / "docs" / "integrations.md"
    before, start, rest = page.read_text().partition("<!-- tested -->\n")
    _, end, after = rest.partition("<!-- /tested -->\n")
    assert start
    assert end
    assert set(versions) == set(ALL)
    table = f"{render_table(versions)}\n"
    if os.environ.get(RECORD):
        page.write_text(f"{before}{start}{table}{end}{after}")
    assert page.read_text() == f"{before}{start}{table}{end}{after}"
