"""Agents as they are published, through a router, on models of their own wire and of another's.

Each writes code with a tool loop (a shell and a file read side by side, a file written, a sub-agent, as far as it has
them), and then talks: what it asks for is served by one model per lane, and nothing that it sends is refused.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from plano_agents.testing import say
from plano_agents.testing.answers import Responder
from tests.conformance.guests import GUESTS, Form, Guest, install, name_tool, run, stay
from tests.conformance.table import RECORD, Outcome, render_table
from tests.harnesses.runs import NEW_MODELS, Models, Stage, stage
from tests.harnesses.script import Scene, Script, Use

pytestmark = pytest.mark.agents

CODE, TALK = "Write a Python function that sorts a list", "Hello, some small talk"
TASK = "Hello, have some small talk while you look around"
READ, WRITTEN = "notes.txt", "made.txt"
"""The files that a guest reads and writes."""
MODELS: dict[str, Models] = {
    "chat": (["openai/gpt-4.1"], ["openai/gpt-4o"]),
    "responses": ([NEW_MODELS[0]], [NEW_MODELS[1]]),
    "messages": (["anthropic/claude-opus-4-8"], ["anthropic/claude-sonnet-5"]),
}
"""The models of the two preferences, by the wire that they are spoken to in."""

outcomes: list[Outcome] = []
"""What came of the runs so far."""


@pytest.mark.parametrize(
    ("name", "form", "wire"),
    [(name, form, wire) for name, guest in GUESTS.items() for form in guest.forms for wire in MODELS],
)
def test_an_agent_keeps_one_model_per_lane(name: str, form: Form, wire: str, root: Path, tmp_path: Path) -> None:
    guest, models = GUESTS[name], MODELS[wire]
    installed = install(guest, root)
    project = tmp_path / "guest" / "project"
    with stage(tmp_path, models, write_script(guest, project), implicit=guest.session == "implicit") as seen:
        at = stay(guest, installed, tmp_path / "guest", seen.url, models[1][0])
        (project / READ).write_text("to be read\n")
        assert "All done." in run(guest, at, CODE, form, first=True)
        if guest.goes_on:
            assert "Hello." in run(guest, at, TALK, form, first=False)
        assert (seen.errors, seen.refused, seen.violations) == ([], [], 0)
        check_lanes(guest, seen, models)
    if "read" in guest.tools:
        assert "to be read" in str([each.body for each in seen.exchanges])
    if "write" in guest.tools:
        assert (project / WRITTEN).read_text().strip() == "made"
    outcomes.append(Outcome(name, form, wire, has_agent=len(seen.told()) > 1))


def write_script(guest: Guest, project: Path) -> Responder:
    """Write the model's part: a script, or its last words alone where the guest offers no tools."""
    return (
        Script(write_scenes(guest, project), name_tool(guest), hears_calls=guest.hears_calls)
        if guest.tools
        else say("All done.")
    )


def write_scenes(guest: Guest, project: Path) -> list[Scene]:
    """Write what the models do on a guest's words, with the tools that it has."""
    beside = Use("read", str(project / READ)) if "read" in guest.tools else Use("shell", "echo two")
    next_one = Use("write", str(project / WRITTEN)) if "write" in guest.tools else Use("shell", "echo three")
    loop = ((Use("shell", "echo one"), beside), (next_one,))
    agent = ((Use("agent", TASK),),) if "agent" in guest.tools else ()
    last = ((guest.last,),) if guest.last is not None else ()
    rest = (Scene(TASK, end="Looked around."), Scene(TALK, end="Hello."))
    return [Scene(CODE, (*loop, *agent, *last), end=guest.end), *rest]


def check_lanes(guest: Guest, seen: Stage, models: Models) -> None:
    """Check that every lane was decided once, the run's by who writes code."""
    (coder,), _ = models
    told: dict[str, list[tuple[str, str]]] = {}
    for each in seen.exchanges:
        lane = read_opening(each.body) if guest.session == "implicit" else each.lane
        told.setdefault(lane, []).append(
            (each.answer["x-plano-model"], each.answer["x-plano-affinity"].partition(";")[0])
        )
    for lane, answers in told.items():
        assert answers == [(answers[0][0], "retain" if at else "initialize") for at in range(len(answers))], lane
    assert coder in {answers[0][0] for answers in told.values()}


def read_opening(body: dict[str, Any]) -> str:
    """Give what a user says first, by which a conversation is known; marks for a cache move from turn to turn."""
    messages = body.get("messages") or body["input"]
    if isinstance(messages, str):
        return messages
    content = next(each["content"] for each in messages if each.get("role") == "user")
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def test_the_documents_table_is_what_was_tested(root: Path) -> None:
    page = root / "docs" / "integrations.md"
    before, start, rest = page.read_text().partition("<!-- agents -->\n")
    _, end, after = rest.partition("<!-- /agents -->\n")
    assert start
    assert end
    table = f"{render_table(outcomes)}\n"
    if os.environ.get(RECORD):
        page.write_text(f"{before}{start}{table}{end}{after}")
    assert page.read_text() == f"{before}{start}{table}{end}{after}"
