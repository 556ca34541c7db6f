"""The agents' programs, installed once."""

from pathlib import Path

import pytest

from tests.harnesses.programs import CLAUDE_CODE, CODEX, OPENCODE


@pytest.fixture(scope="session")
def claude_code(root: Path) -> Path:
    """Claude Code's program."""
    return CLAUDE_CODE.install(root)


@pytest.fixture(scope="session")
def opencode(root: Path) -> Path:
    """opencode's program."""
    return OPENCODE.install(root)


@pytest.fixture(scope="session")
def codex(root: Path) -> Path:
    """Codex' program."""
    return CODEX.install(root)
