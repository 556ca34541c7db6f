"""The versions that all of this is tested with: exact, complete, the same for pip and for uv, and nobody's address."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROW = re.compile(
    r"[a-z0-9-]+==[a-z0-9.]+( ; [a-z_]+ [<>=!]=? '[a-z0-9.]+'( and [a-z_]+ [<>=!]=? '[a-z0-9.]+')*)?",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def rows(root: Path) -> list[str]:
    return (root / "constraints.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_each_row_is_a_name_and_one_version_and_nothing_else(rows: list[str]) -> None:
    assert [row for row in rows if ROW.fullmatch(row) is None] == []


def test_uv_reads_the_same_versions(rows: list[str], project: dict[str, Any]) -> None:
    """If they differ, run scripts/update."""
    assert project["tool"]["uv"]["constraint-dependencies"] == rows


def test_whatever_the_tests_run_with_has_the_version_that_is_written(rows: list[str], project: dict[str, Any]) -> None:
    """If a version differs, run scripts/uv sync --inexact --group dev; if one is not written, run scripts/update."""
    here = [each for each in map(Requirement, rows) if each.marker is None or each.marker.evaluate()]
    written = {str(canonicalize_name(each.name)): str(each.specifier) for each in here}
    installed = {name: f"=={version}" for name, version in walk(list_groups(project, "dev"), set())}
    assert {name: written.get(name) for name in installed} == installed


def list_groups(project: dict[str, Any], group: str) -> Iterator[Requirement]:
    """The needs of the project itself, of its parts, and of a group."""
    yield Requirement("plano-agents[all]")
    for each in project["dependency-groups"][group]:
        if isinstance(each, str):
            yield Requirement(each)
        else:
            yield from list_groups(project, each["include-group"])


def walk(needs: Iterator[Requirement], seen: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The installed packages among a list of needs, and among theirs: names and versions."""
    for need in needs:
        for extra in ("", *need.extras):
            if (need.name, extra) in seen:
                continue
            seen.add((need.name, extra))
            try:
                found = distribution(need.name)
            except PackageNotFoundError:  # for another platform
                continue
            if need.name != "plano-agents":
                yield str(canonicalize_name(need.name)), found.version
            further = map(Requirement, found.requires or ())
            yield from walk(
                (each for each in further if each.marker is None or each.marker.evaluate({"extra": extra})),
                seen,
            )
