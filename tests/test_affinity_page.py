"""The contract's page: no decision or reason without a row."""

import re
from pathlib import Path
from typing import get_args

from plano_agents.sessions import pin


def read_rows(root: Path) -> list[list[str]]:
    """The cells of every table row on the page, heads and rules left out."""
    lines = (root / "docs/affinity.md").read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("|") and not line.startswith("|---") and not following.startswith("|---")
    ]
    assert len(rows) > 20
    return rows


def test_every_test_that_the_page_names_is_there(root: Path) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (root / "docs/affinity.md").read_text())
    assert len(named) > 40
    missing = [f"{file}::{name}" for file, name in named if not re.search(rf"\b{name}\b", (root / file).read_text())]
    assert not missing


def test_every_decision_and_reason_has_its_row(root: Path) -> None:
    decided = (row for row in read_rows(root) if "::test_" in row[-1] and "/test_decisions.py" in row[-1])
    rows = {(row[0].strip("`"), row[1].strip("`")) for row in decided}
    reasons = {reason for part in get_args(pin.Reason) for reason in (get_args(part) or (part,))}
    assert {decision for decision, _ in rows} == set(get_args(pin.Kind))
    assert {reason for _, reason in rows if reason} == reasons
