"""Links and named tests of the pages: each leads to a file or a test of the project."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.fences import ROOT
from tests.docs.snippets import list_pages

REFERENCE = re.compile(r"`((?:tests|plano_agents/testing)/[\w/]+\.py)::(\w+)`")


def list_names(path: Path) -> set[str]:
    """The functions and classes of a test module, and what stands for one; none of a module that is not there."""
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text())
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    } | {
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


@pytest.mark.parametrize("page", [*list_pages(), "training/routing/README.md"])
def test_every_link_within_the_project_leads_somewhere(page: str) -> None:
    path = ROOT / page
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()) if "://" not in target]
    targets += re.findall(r'(?:src|srcset)="([^":]+)"', path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("page", list_pages())
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    named = REFERENCE.findall((ROOT / page).read_text())
    assert [f"{path}::{name}" for path, name in named if name not in list_names(ROOT / path)] == []


@pytest.mark.parametrize(
    ("page", "rows"), [("docs/affinity.md", 25), ("docs/compatibility.md", 9), ("docs/security.md", 25)]
)
def test_every_claim_names_its_test(page: str, rows: int) -> None:
    """A table with a column of tests has one in every row."""
    text = (ROOT / page).read_text()
    tables = re.findall(r"^\|.*\| test \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    cells = [line.strip("| ").split(" | ")[-1] for table in tables for line in table.splitlines()]
    assert len(cells) >= rows
    assert [cell for cell in cells if REFERENCE.fullmatch(cell) is None] == []
