"""Real agents through a router with default settings: their runs end well, and each lane keeps its model.

A run has a title, asked for first, two turns on different subjects, in two processes, a sub-agent on the second
subject, and a tool that loads in the middle.
"""

import base64
import json
import re
from pathlib import Path

import pytest

from tests.harnesses import late_tools
from tests.harnesses.clients import COMPACT_TOKENS, ClaudeCode, Client, Codex, OpenCode
from tests.harnesses.recorded import IS_RECORDING, write_recorded
from tests.harnesses.runs import NEW_MODELS, SMALL, Models, Stage, stage
from tests.harnesses.script import REASONING, TITLE, Scene, Script, Use

CODE, TALK = "Write a Python function that sorts a list", "Hello, some small talk"
TASK = "Hello, have some small talk while you look around"
GPT, MINI, CLAUDE = "openai/gpt-4.1", f"openai/{SMALL}", "anthropic/claude-sonnet-5"
CHAT: Models = ([GPT], ["openai/gpt-4o"])
RESPONSES: Models = ([NEW_MODELS[0]], [NEW_MODELS[1]])
MESSAGES: Models = (["anthropic/claude-opus-4-8"], [CLAUDE])
MIXED: Models = ([CLAUDE], [NEW_MODELS[0]])
CROSSINGS = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES, "mixed": MIXED}
"""The APIs of the models that a run is served by; `MIXED` has a lane on messages and one on responses."""
WIRES = {GPT: "chat", "openai/gpt-4o": "chat", **dict.fromkeys(NEW_MODELS, "responses")}

SHELL = (Use("shell", "true"),)
NOTES = "notes.txt"
PARALLEL = (Use("shell", "echo one"), Use("read", NOTES))
LATE = ((Use("unlock"),), SHELL, SHELL, (Use("late"),))
SUMMED_UP = Scene("Respond with TEXT ONLY", end="<analysis>-</analysis><summary>A list was sorted.</summary>")
REST = (Scene(TASK, (SHELL,), "Looked around."), Scene(TALK, (SHELL,), "Hello."))

IMAGE = "image.png"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PATCH = "*** Begin Patch\n*** Add File: sort.py\n+sorted\n*** End Patch\n"

BEGUN, KEPT = "initialize; reason=first_turn", "retain; reason=pinned"


def search(name: str) -> tuple[Use, ...]:
    return (Use("search", f"select:mcp__late__{name}"),)


@pytest.mark.parametrize("models", CROSSINGS.values(), ids=CROSSINGS)
def test_claude_code_keeps_one_model_per_lane(claude_code: Path, tmp_path: Path, models: Models) -> None:
    """Also over a compaction, after which another process goes on."""
    late = (search("unlock"), (Use("unlock"),), SHELL, SHELL, search("late_tool"), (Use("late"),))
    job = Scene(CODE, (PARALLEL, (Use("image", IMAGE),), (Use("agent", TASK),), *late))
    with stage(tmp_path, models, Script((job, SUMMED_UP, *REST), ClaudeCode.name_tool)) as seen:
        client = ClaudeCode(claude_code, tmp_path / "client", seen.url)
        furnish(client)
        assert client.begin(CODE) == "All done."
        client.go_on("/compact")
        assert client.go_on(TALK) == "Hello."
        check(seen, models, side=[(MINI, BEGUN)])
    check_reasoning(seen, models)
    assert "A list was sorted." in str(seen.exchanges[-1].body["messages"])
    check_title_and_late_tool(seen)
    record("claude-code", seen, tmp_path)


def test_claude_codes_title_decides_nothing_although_it_asks_for_the_same_model(
    claude_code: Path, tmp_path: Path
) -> None:
    with stage(tmp_path, CHAT, Script((Scene(CODE, (SHELL,)),), ClaudeCode.name_tool)) as seen:
        client = ClaudeCode(claude_code, tmp_path / "client", seen.url, has_small_model=False)
        client.begin(CODE, title=TALK)
    assert seen.told() == {"side": [("openai/gpt-4o", BEGUN)], "main": [(GPT, BEGUN), (GPT, KEPT)]}


def test_claude_code_searches_the_web_elsewhere_and_keeps_its_model(claude_code: Path, tmp_path: Path) -> None:
    scenes = (
        Scene(CODE, ((Use("web", "how to sort"),), SHELL)),
        Scene("Perform a web search", end="Sort it."),
    )
    models = ([GPT, CLAUDE], ["openai/gpt-4o"])
    with stage(tmp_path, models, Script(scenes, ClaudeCode.name_tool)) as seen:
        client = ClaudeCode(claude_code, tmp_path / "client", seen.url)
        assert client.begin(CODE) == "All done."
        assert (seen.errors, seen.refused, seen.violations) == ([], [], 0)
    detour = f"detour; reason=unsuitable; pinned={GPT}; because=tools[0].type"
    assert seen.told() == {"side": [(MINI, BEGUN)], "main": [(GPT, BEGUN), (CLAUDE, detour), (GPT, KEPT)]}
    record("claude-code-aside", seen, tmp_path)


def test_opencode_keeps_one_model_per_lane(opencode: Path, tmp_path: Path) -> None:
    job = Scene(CODE, (PARALLEL, (Use("agent", TASK),), *LATE))
    with stage(tmp_path, CHAT, Script((job, *REST), OpenCode.name_tool)) as seen:
        client = OpenCode(opencode, tmp_path / "client", seen.url)
        furnish(client)
        assert (client.begin(CODE), client.go_on(TALK)) == ("All done.", "Hello.")
        check(seen, CHAT, side=[(MINI, BEGUN)])
    check_title_and_late_tool(seen)
    record("opencode", seen, tmp_path)


@pytest.mark.parametrize("package", ["openai", "anthropic"])
def test_opencode_keeps_one_model_per_lane_on_every_api(opencode: Path, tmp_path: Path, package: str) -> None:
    job = Scene(CODE, (PARALLEL, (Use("agent", TASK),)))
    with stage(tmp_path, CHAT, Script((job, *REST), OpenCode.name_tool)) as seen:
        client = OpenCode(opencode, tmp_path / "client", seen.url, package=f"@ai-sdk/{package}")
        furnish(client)
        assert client.begin(CODE) == "All done."
        check(seen, CHAT, side=[(MINI, BEGUN)])
    record(f"opencode-{package}", seen, tmp_path)


@pytest.mark.parametrize("models", CROSSINGS.values(), ids=CROSSINGS)
def test_codex_keeps_one_model_per_lane(codex: Path, tmp_path: Path, models: Models) -> None:
    """It asks for no title; its search of tools loads them in the middle. Another process begins with a compaction.

    Its request for a summary offers no tools but those that were found, and is answered as one for a title is.
    """
    edits = ((Use("patch", PATCH),), (Use("image", IMAGE),))
    agent = ((Use("search", "spawn an agent"),), (Use("agent", TASK),), (Use("wait"),))
    steps = (PARALLEL, *edits, *agent, (Use("search", "unlock"),), (Use("unlock"),))
    job = Scene(CODE, steps, input_tokens=COMPACT_TOKENS + 1)
    summed_up = Scene("You are performing a CONTEXT CHECKPOINT", end=TITLE)
    with stage(tmp_path, models, Script((job, summed_up, *REST), Codex.name_tool)) as seen:
        client = Codex(codex, tmp_path / "client", seen.url)
        furnish(client)
        assert (client.begin(CODE), client.go_on(TALK)) == ("All done.", "Hello.")
        check(seen, models)
    check_reasoning(seen, models)
    assert (client.project / "sort.py").read_text() == "sorted\n"
    assert TITLE in str(seen.exchanges[-1].body["input"])
    assert "unsupported call" not in json.dumps([each.body for each in seen.exchanges])
    record("codex", seen, tmp_path)


def test_without_sessions_a_run_changes_its_model(codex: Path, tmp_path: Path) -> None:
    """The subjects do differ: what the other tests see is the sessions' doing."""
    scenes = (Scene(CODE, (SHELL,)), Scene(TALK, end="Hello."))
    with stage(tmp_path, CHAT, Script(scenes, Codex.name_tool), harness_sessions=False) as seen:
        client = Codex(codex, tmp_path / "client", seen.url)
        client.begin(CODE)
        client.go_on(TALK)
    assert seen.told() == {"none": [(GPT, "none"), ("openai/gpt-4o", "none")]}


def check(seen: Stage, models: Models, **others: list[tuple[str, str]]) -> None:
    """Check that a run was served without an error: the main lane by who writes code, the sub-agent's by who talks."""
    assert (seen.errors, seen.refused, seen.violations) == ([], [], 0)
    (coder,), (talker,) = models
    lanes = {"main": [(coder, BEGUN), (coder, KEPT)], "agent": [(talker, BEGUN), (talker, KEPT)]}
    assert seen.told() == lanes | others
    assert seen.spoken == {name.partition("/")[2]: {WIRES.get(name, "messages")} for name in (coder, talker)}


def check_reasoning(seen: Stage, models: Models) -> None:
    """Check that what was reasoned on responses came back to who reasoned it, as it was, and to nobody else."""
    reasoned = {name for names in models for name in names if WIRES.get(name) == "responses"}
    returned: dict[str, set[str]] = {}
    for each in seen.provider.exchanges:
        found = re.findall(rf"{REASONING}\d+\+/=", each.body.decode())
        returned.setdefault(f"openai/{each.json['model']}", set()).update(found)
        assert each.body.decode().count(REASONING) == len(found)
    assert {name for name, found in returned.items() if found} == reasoned
    steps = 5
    assert all(len(returned[name]) > steps for name in models[0] if name in reasoned)


def furnish(client: Client) -> None:
    """Put a text and an image into a client's project."""
    (client.project / NOTES).write_text("Sort it.")
    (client.project / IMAGE).write_bytes(PIXEL)


def check_title_and_late_tool(seen: Stage) -> None:
    """Check that what might begin another session was there: a title first, and a tool that loads in the middle."""
    assert seen.exchanges[0].lane == "side"
    late = [each.offers(late_tools.LATE) for each in seen.exchanges if each.lane == "main"]
    assert (late[0], any(late)) == (False, True)


def record(name: str, seen: Stage, folder: Path) -> None:
    """Write what was asked where that is wanted."""
    if IS_RECORDING:
        write_recorded(name, seen.exchanges, folder)
