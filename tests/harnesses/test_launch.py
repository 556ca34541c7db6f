"""The real agents, started by ``plano-agents launch`` on simulated models, as their pages say:
``index.md``, ``claude-code.md``, ``codex.md``, ``opencode.md``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harnesses.programs import CLAUDE_CODE, CODEX, OPENCODE
from tests.patience import PATIENCE_SECONDS

PROGRAMS = {"claude": CLAUDE_CODE, "codex": CODEX, "opencode": OPENCODE}
WORDS = "Say hello."


@pytest.mark.parametrize(
    ("agent", "arguments"),
    [("claude", ["-p", WORDS]), ("codex", ["exec", "--skip-git-repo-check", WORDS]), ("opencode", ["run", WORDS])],
)
def test_an_agent_answers_and_writes_into_its_own_home_alone(
    root: Path, plano_config: Path, tmp_path: Path, agent: str, arguments: list[str]
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / agent).symlink_to(PROGRAMS[agent].install(root))
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    options = ["--offline", "--config", str(plano_config)]
    ended = subprocess.run(
        [sys.executable, "-m", "plano_agents", "launch", agent, *options, "--", *arguments],
        cwd=tmp_path / "project",
        env={
            "HOME": str(tmp_path / "home"),
            "PATH": os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"]),
            "NO_PROXY": "127.0.0.1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **nowhere,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "This is a simulated model" in ended.stdout or "— written by" in ended.stdout, ended.stdout
    assert not list((tmp_path / "project").iterdir())
