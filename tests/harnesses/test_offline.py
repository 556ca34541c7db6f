"""Real agents on simulated models: a job ends, and nothing of the folder that they work in is touched."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harnesses.clients import ClaudeCode, Client, Codex, OpenCode
from tests.harnesses.programs import CLAUDE_CODE, CODEX, OPENCODE, Program

WORDS = "Run `touch made.txt` in a shell, write notes.txt with your notes, then delete kept.txt."


@pytest.mark.parametrize(
    ("program", "build"),
    [(CLAUDE_CODE, ClaudeCode), (OPENCODE, OpenCode), (CODEX, Codex)],
    ids=["claude-code", "opencode", "codex"],
)
def test_an_agent_on_simulated_models_ends_and_touches_nothing(
    root: Path,
    offline_router: str,
    tmp_path: Path,
    program: Program,
    build: Callable[[Path, Path, str], Client],
) -> None:
    client = build(program.install(root), tmp_path, offline_router.removesuffix("/v1"))
    (client.project / "kept.txt").write_text("kept")
    before = client.files()
    assert client.begin(WORDS)
    assert client.files() == before
