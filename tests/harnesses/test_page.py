"""The pages about agents, held to what is tested."""

from pathlib import Path

import pytest

from tests.conformance.guests import GUESTS
from tests.harnesses.programs import CLAUDE_CODE, CODEX, OPENCODE

VERSIONS = {
    "claude-code": CLAUDE_CODE.version,
    "opencode": OPENCODE.version,
    "codex": CODEX.version,
    "pi": GUESTS["pi"].version,
    "qwen-code": GUESTS["qwen"].version,
    "mistral-vibe": GUESTS["vibe"].version,
    "kilo": GUESTS["kilo"].version,
    "aider": GUESTS["aider"].version,
    "cline": GUESTS["cline"].version,
    "continue": GUESTS["continue"].version,
}
"""The tested version of each page's agent."""


def test_every_agents_page_is_held_to_a_version(root: Path) -> None:
    pages = {path.stem for path in (root / "docs" / "agents").glob("*.md")}
    assert pages == VERSIONS.keys() | {"index"}


@pytest.mark.parametrize(("page", "version"), VERSIONS.items())
def test_a_page_names_the_tested_version(root: Path, page: str, version: str) -> None:
    assert f" {version}, " in (root / "docs" / "agents" / f"{page}.md").read_text()


@pytest.mark.parametrize(
    ("name", "version"),
    [("Claude Code", CLAUDE_CODE.version), ("opencode", OPENCODE.version), ("Codex", CODEX.version)],
)
def test_the_table_of_all_names_the_tested_version(root: Path, name: str, version: str) -> None:
    assert f"| {name} | {version} |" in (root / "docs" / "agents" / "index.md").read_text()
