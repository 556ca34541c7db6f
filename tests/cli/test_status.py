"""``plano-agents status``, as ``claude-code.md`` has Claude Code run it too."""

import json
import subprocess
import urllib.request

import pytest

from tests.cli.conftest import command, environ, run
from tests.patience import PATIENCE_SECONDS

WORDS = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]
SESSION = "1f0a2b3c-0000-4000-8000-000000000001"


def ask(url: str, body: dict[str, object], **headers: str) -> None:
    """Ask a router, and read its answer."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"{url}/chat/completions",
        json.dumps({"messages": WORDS, **body}).encode(),
        {"content-type": "application/json", **headers},
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()


def read_status(url: str, stdin: str) -> "subprocess.CompletedProcess[str]":
    """Run ``status`` as Claude Code does."""
    return subprocess.run(
        command("status", "--session", "-", "--url", url),
        input=stdin,
        capture_output=True,
        text=True,
        env=environ(),
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_status_shows_the_model_of_an_id_that_a_client_gave(offline_router: str) -> None:
    ask(offline_router, {}, X_Model_Affinity="run-status")
    shown = run("status", "--session", "run-status", "--url", offline_router)
    assert (shown.returncode, shown.stdout) == (0, "openai/gpt-4o-mini · no route · initialize; reason=first_turn\n")


def test_status_shows_the_main_lane_of_claude_codes_session(offline_router: str) -> None:
    session = {"x_claude_code_session_id": SESSION}
    ask(offline_router, {"model": "openai/gpt-4o-mini", "tools": TOOLS}, **session)
    ask(offline_router, {"model": "openai/gpt-4o"}, **session)
    shown = read_status(offline_router, json.dumps({"session_id": SESSION, "cwd": "/"}))
    assert (shown.returncode, shown.stdout.split(" · ")[0]) == (0, "openai/gpt-4o-mini")


def test_status_says_that_a_session_has_no_model_yet(offline_router: str) -> None:
    shown = read_status(offline_router, json.dumps({"session_id": "not-begun"}))
    assert (shown.returncode, shown.stdout) == (0, "no model yet\n")


@pytest.mark.parametrize("stdin", ["", "[]", "{}", '{"session_id": 1}', "not JSON"])
def test_status_refuses_what_is_no_status_of_claude_codes(offline_router: str, stdin: str) -> None:
    shown = read_status(offline_router, stdin)
    assert (shown.returncode, "session_id" in shown.stderr) == (1, True)


def test_status_says_that_a_session_is_unknown(offline_router: str) -> None:
    shown = run("status", "--session", "unknown-run", "--url", offline_router)
    assert (shown.returncode, "unknown-run" in shown.stderr) == (1, True)
