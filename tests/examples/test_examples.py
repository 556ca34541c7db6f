"""Every example runs by its one command, offline, and shows what it is there to show."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plano_agents.testing import offline_router
from tests.faults.redis_server import require_program

REASONER, CODER, DEFAULT = "openai/gpt-4o", "anthropic/claude-sonnet-4-6", "openai/gpt-4o-mini"
FIRST, PINNED, HINT = ("initialize; reason=first_turn", "retain; reason=pinned", "initialize; reason=hint")

_TURN = re.compile(r"^(.{14}) (\S+) +(none|\w+; reason=\w+)$", re.MULTILINE)


@pytest.fixture
def run_example(root: Path) -> "Run":
    return Run(root)


class Run:
    """Runs an example, and reads the turns that it shows: who, by which model, and what was decided."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.output = ""

    def __call__(self, name: str) -> list[tuple[str, str, str]]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("PLANO_", "REDIS_"))}
        command = [sys.executable, str(self._root / "examples" / f"{name}.py")]
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        self.output = ended.stdout
        return [(who.strip(), model, decision) for who, model, decision in _TURN.findall(ended.stdout)]


def test_the_openai_loop_stays_on_one_model(run_example: Run) -> None:
    assert run_example("openai_loop") == [("turn", REASONER, FIRST), ("turn", REASONER, PINNED)]
    assert "18 degrees" in run_example.output


def test_the_langgraph_agents_thread_keeps_its_model(run_example: Run) -> None:
    first, *others = run_example("langgraph_agent")
    assert first == ("turn", REASONER, FIRST)
    assert len(others) >= 2
    assert set(others) == {("turn", REASONER, PINNED)}


def test_the_supervisors_lanes_have_pins_of_their_own(run_example: Run) -> None:
    turns = run_example("supervisor_lanes")
    own = {("analyst", REASONER), ("programmer", CODER), ("greeter", DEFAULT)}
    for shown, decision in ((turns[:3], FIRST), (turns[3:6], PINNED)):
        assert {(who, model) for who, model, _ in shown} == own
        assert {each for _, _, each in shown} == {decision}
    together = turns[6:]
    assert len(together) == 6
    assert len({model for _, model, _ in together}) == 1
    assert [decision for _, _, decision in together].count(FIRST) == 1


@pytest.mark.parametrize("name", ["openai_agents_sdk", "pydantic_ai_agent"])
def test_a_frameworks_agent_stays_on_one_model(run_example: Run, name: str) -> None:
    run_example(name)
    assert "18 degrees" in run_example.output
    assert re.search(rf"^2 turns, all by {REASONER}$", run_example.output, re.MULTILINE)


def test_a_conversation_goes_on_after_a_restart(run_example: Run) -> None:
    assert run_example("resume") == [
        ("message 2", REASONER, FIRST),
        ("message 4", REASONER, HINT),
        ("message 6", REASONER, PINNED),
    ]


def test_two_routers_share_their_pins(run_example: Run) -> None:
    require_program("redis-server")
    names = ("first router", "second router") * 2
    decisions = (FIRST, PINNED, PINNED, PINNED)
    expected = [(name, REASONER, decision) for name, decision in zip(names, decisions, strict=True)]
    assert run_example("two_routers_redis") == expected


def test_three_conversations_go_to_one_model_under_one_id(run_example: Run) -> None:
    turns = run_example("three_conversations")
    assert [model for _, model, _ in turns] == [REASONER, CODER, REASONER, *[REASONER] * 3]
    assert [decision for _, _, decision in turns[3:]] == [FIRST, PINNED, PINNED]
    assert run_example.output.index("Without affinity:") < run_example.output.index("With one id for all three:")


def test_the_routing_service_answers_nine_curl_calls(root: Path) -> None:
    require_program("curl")
    with offline_router(root / "config.yaml") as url:
        environ = {"PATH": os.environ["PATH"], "PLANO_URL": url.removesuffix("/v1"), "SESSION": "s"}
        script = root / "examples" / "routing.sh"
        ended = subprocess.run([script], env=environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    titles = re.findall(r"^--- (\d)", ended.stdout, re.MULTILINE)
    answers = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert titles == list("123456789")
    code, reasoning, neither, messages, own, explained, first, second, other = answers
    assert (code["route"], reasoning["route"], neither["route"]) == ("code_generation", "complex_reasoning", None)
    assert neither["models"] == ["gpt-4o-mini"]
    assert (messages["route"], own["route"]) == ("code_generation", "general")
    assert [each["name"] for each in explained["explanation"]["preferences"]] == [
        "code_generation",
        "complex_reasoning",
    ]
    assert (first["pinned"], second["pinned"], other["pinned"]) == (False, True, False)
    assert first["models"] == second["models"] != other["models"]


def test_the_routing_service_that_is_not_there_is_said_to_be(root: Path) -> None:
    require_program("curl")
    environ = {"PATH": os.environ["PATH"], "PLANO_URL": "http://127.0.0.1:9"}
    script = root / "examples" / "routing.sh"
    ended = subprocess.run([script], env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "127.0.0.1" in ended.stderr


def test_every_example_is_listed_with_its_command(root: Path) -> None:
    examples = {path for path in (root / "examples").glob("*.py") if path.name != "offline.py"}
    page = (root / "examples" / "README.md").read_text()
    for path in examples:
        command = f"scripts/uv run --group examples examples/{path.name}"
        assert command in page
        assert command in path.read_text()
    assert page.count("scripts/uv run --group examples") == len(examples)
