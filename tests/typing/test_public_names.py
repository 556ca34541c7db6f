"""The public names and their types, as ``mypy --strict`` reads a user's program."""

import ast
import subprocess
import sys
from pathlib import Path

import plano_agents
import plano_agents.anthropic
import plano_agents.openai
import plano_agents.testing
from tests.patience import PATIENCE_SECONDS

HERE = Path(__file__).parent
PROGRAM = HERE / "program.py"

PROMISED = {
    "plano_agents": {
        *("AffinityLogFilter", "ChatPlano", "ModelAffinityMiddleware", "ModelAffinityMixin", "PlanoError"),
        *("bind_context", "current_affinity_id", "instrument", "model_affinity", "uninstrument"),
    },
    "plano_agents.anthropic": {"Anthropic", "AsyncAnthropic"},
    "plano_agents.openai": {"AsyncOpenAI", "OpenAI"},
    "plano_agents.testing": {
        *("FakeUpstream", "Reply", "Responder", "SessionStoreSuite", "ToolCall", "UpstreamExchange", "break_off"),
        *("call_tool", "fail", "give", "keep_silent", "offline_router", "reply_with", "say", "stream"),
    },
}
"""What ``docs/compatibility.md`` calls public; a name that leaves is a breaking change."""


def check(root: Path, *programs: Path) -> str:
    """Ask ``mypy --strict``, on the project's own cache, and give its output."""
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *programs],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return ended.stdout + ended.stderr


def test_the_names_are_those_that_are_promised() -> None:
    exported = {
        module.__name__: set(module.__all__)
        for module in (plano_agents, plano_agents.anthropic, plano_agents.openai, plano_agents.testing)
    }
    assert exported == PROMISED


def test_the_program_uses_every_public_name() -> None:
    tree = ast.parse(PROGRAM.read_text())
    imported = {
        (node.module, name.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names
    }
    promised = {(module, name) for module, names in PROMISED.items() for name in names}
    assert promised - imported == set()


def test_users_type_checkers_read_the_packages_types(root: Path) -> None:
    assert (root / "plano_agents" / "py.typed").is_file()


def test_a_users_program_is_typed_as_promised_and_a_promise_that_is_not_kept_is_found(
    root: Path, tmp_path: Path
) -> None:
    """Were everything ``Any``, the program would be right whatever it said."""
    broken = tmp_path / "broken.py"
    broken.write_text(PROGRAM.read_text().replace("assert_type(made, str)", "assert_type(made, bytes)"))
    (problem,) = check(root, PROGRAM, broken).splitlines()
    assert f"{broken.name}:" in problem
    assert "Expression is of type" in problem
