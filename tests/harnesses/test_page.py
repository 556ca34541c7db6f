"""The page about coding agents, held to what is tested."""

from pathlib import Path

import pytest

from tests.harnesses.programs import CLAUDE_CODE, CODEX, OPENCODE, Program


@pytest.mark.parametrize(("name", "program"), [("Claude Code", CLAUDE_CODE), ("opencode", OPENCODE), ("Codex", CODEX)])
def test_the_page_names_the_tested_version(root: Path, name: str, program: Program) -> None:
    assert f"| {name} | {program.version} |" in (root / "docs" / "coding-agents.md").read_text()
