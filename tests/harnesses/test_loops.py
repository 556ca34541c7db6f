"""Real agents through a router with default settings: their tool loops end well, whatever serves the models.

Each loop has two turns on different subjects, in two processes, a sub-agent on the second subject, and a tool that
loads in the middle.
"""

from pathlib import Path

import pytest

from tests.harnesses.clients import ClaudeCode, Codex, OpenCode
from tests.harnesses.recorded import IS_RECORDING, write_recorded
from tests.harnesses.runs import Models, Stage, stage
from tests.harnesses.script import Scene, Script, Use

CODE, TALK = "Write a Python function that sorts a list", "Hello, some small talk"
TASK = "Hello, have some small talk while you look around"
CHAT: Models = (["openai/gpt-4.1"], ["openai/gpt-4o"])
MESSAGES: Models = (["anthropic/claude-opus-4-8"], ["anthropic/claude-sonnet-5"])
MIXED: Models = (["anthropic/claude-sonnet-5"], ["openai/gpt-4.1"])

SHELL = (Use("shell", "true"),)
PARALLEL = (Use("shell", "echo one"), Use("shell", "echo two"))
LATE = ((Use("unlock"),), SHELL, SHELL, (Use("late"),))
REST = (Scene(TASK, (SHELL,), "Looked around."), Scene(TALK, (SHELL,), "Hello."))


def search(name: str) -> tuple[Use, ...]:
    return (Use("search", f"select:mcp__late__{name}"),)


@pytest.mark.parametrize("models", [CHAT, MESSAGES, MIXED], ids=["chat", "messages", "mixed"])
def test_claude_code_ends_its_loop_well(claude_code: Path, tmp_path: Path, models: Models) -> None:
    late = (search("unlock"), (Use("unlock"),), SHELL, search("late_tool"), (Use("late"),))
    job = Scene(CODE, (PARALLEL, (Use("agent", TASK),), *late))
    with stage(tmp_path, models, Script((job, *REST), ClaudeCode.name_tool)) as seen:
        client = ClaudeCode(claude_code, tmp_path / "client", seen.url)
        assert (client.begin(CODE), client.go_on(TALK)) == ("All done.", "Hello.")
        check(seen, "claude-code", tmp_path)


def test_claude_code_searches_the_web_and_compacts(claude_code: Path, tmp_path: Path) -> None:
    scenes = (
        Scene(CODE, ((Use("web", "how to sort"),),)),
        Scene("Perform a web search", end="Sort it."),
        Scene("Respond with TEXT ONLY", end="<analysis>-</analysis><summary>A list was sorted.</summary>"),
        Scene(TALK, end="Hello."),
    )
    models = (["openai/gpt-4.1", "anthropic/claude-sonnet-5"], ["openai/gpt-4o"])
    with stage(tmp_path, models, Script(scenes, ClaudeCode.name_tool)) as seen:
        client = ClaudeCode(claude_code, tmp_path / "client", seen.url)
        assert client.begin(CODE) == "All done."
        client.go_on("/compact")
        assert client.go_on(TALK) == "Hello."
        check(seen, "claude-code-aside", tmp_path)


@pytest.mark.parametrize("package", ["openai-compatible", "openai", "anthropic"])
def test_opencode_ends_its_loop_well(opencode: Path, tmp_path: Path, package: str) -> None:
    job = Scene(CODE, (PARALLEL, (Use("agent", TASK),), *LATE))
    with stage(tmp_path, CHAT, Script((job, *REST), OpenCode.name_tool)) as seen:
        client = OpenCode(opencode, tmp_path / "client", seen.url, package=f"@ai-sdk/{package}")
        assert (client.begin(CODE), client.go_on(TALK)) == ("All done.", "Hello.")
        check(seen, f"opencode-{package}", tmp_path)


@pytest.mark.parametrize("models", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_codex_ends_its_loop_well(codex: Path, tmp_path: Path, models: Models) -> None:
    job = Scene(CODE, (PARALLEL, (Use("agent", TASK),), (Use("wait"),), *LATE))
    with stage(tmp_path, models, Script((job, *REST), Codex.name_tool)) as seen:
        client = Codex(codex, tmp_path / "client", seen.url)
        assert (client.begin(CODE), client.go_on(TALK)) == ("All done.", "Hello.")
        check(seen, "codex", tmp_path)


def check(seen: Stage, name: str, folder: Path) -> None:
    """Check that a run was served without an error."""
    assert (seen.errors, seen.refused, seen.violations) == ([], [], 0)
    if IS_RECORDING:
        write_recorded(name, seen.exchanges, folder)
