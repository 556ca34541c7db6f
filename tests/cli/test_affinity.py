"""``plano-agents affinity`` against a real router, and against what is none."""

import json
import re
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from plano_agents.cli.affinity import _write_seconds, affinity_group
from plano_agents.cli.running_router import find_url
from plano_agents.testing import FakeUpstream, give, offline_router

Run = Callable[..., Result]

SESSION: dict[str, object] = {
    "affinity_id": "x",
    "tenant": "",
    "model": "openai/gpt-4o",
    "route": None,
    "decision": "initialize",
    "reason": "first_turn",
    "why": "the session's first turn matched no preference",
    "pinned_at": "2026-01-01T00:00:00Z",
    "age_seconds": 1.0,
    "last_used_at": "2026-01-01T00:00:00Z",
    "seconds_left": 599.0,
    "requests_in_flight": 0,
    "turns": 1,
    "tokens": {"input": 1, "output": 1, "cached": 0},
    "switch_count": 0,
    "switches": [],
    "degraded": None,
}


@pytest.fixture
def run(offline_router: str) -> Run:
    """Type a command beside a running router."""

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(affinity_group, arguments, env={"PLANO_BASE_URL": offline_router, **environment})

    return run


@pytest.fixture
def affinity_id(offline_router: str) -> str:
    """A session of the router's; its id holds what a path would take for its own."""
    affinity_id = f"{uuid4()}/../lane?#%2F."
    ask(offline_router, affinity_id)
    return affinity_id


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        ("[{type: model, name: m, port: 12345}]", "http://127.0.0.1:12345"),
        ("[{type: model, name: m, port: 12345, address: 0.0.0.0}]", "http://127.0.0.1:12345"),
        ("[{type: model, name: m, port: 12345, address: 10.0.0.7}]", "http://10.0.0.7:12345"),
        ("[]", "http://127.0.0.1:12000"),
        ("[", "http://127.0.0.1:12000"),
    ],
)
def test_without_an_address_the_router_of_the_configuration_here_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listeners: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_url() == "http://127.0.0.1:12000"
    models = "model_providers: [{model: openai/gpt-4o, access_key: $NOWHERE}]"
    (tmp_path / "config.yaml").write_text(f"version: v0.4.0\nlisteners: {listeners}\n{models}\n")
    assert find_url() == expected


def ask(url: str, affinity_id: str, **headers: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "Write a function that sorts."}]}).encode()
    given = {"content-type": "application/json", "x-model-affinity": affinity_id, **headers}
    urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", body, given)).read()


def test_a_session_is_listed(run: Run, affinity_id: str) -> None:
    result = run("list", "--prefix", affinity_id)
    header, line = result.output.splitlines()
    assert header.split() == ["affinity", "id", "model", "route", "decision", "turns", "tokens", "left"]
    assert line.split()[:3] == [affinity_id, "anthropic/claude-sonnet-4-6", "code_generation"]


def test_a_list_is_json_where_that_is_wanted(run: Run, affinity_id: str) -> None:
    [session] = json.loads(run("list", "--prefix", affinity_id, "--json").output)
    assert (session["affinity_id"], session["turns"]) == (affinity_id, 1)


def test_a_list_that_is_cut_says_so(run: Run, offline_router: str) -> None:
    prefix = str(uuid4())
    for number in range(3):
        ask(offline_router, f"{prefix}-{number}")
    cut = run("list", "--prefix", prefix, "--limit", "2")
    assert "More than 2: add --all, or a filter." in cut.stderr
    assert len(cut.stdout.splitlines()) == 3
    whole = run("list", "--prefix", prefix, "--limit", "3")
    assert whole.stderr == ""
    assert len(run("list", "--prefix", prefix, "--all").stdout.splitlines()) == 4


def test_an_empty_list_says_so(run: Run) -> None:
    assert run("list", "--prefix", str(uuid4())).output == "no sessions\n"


def test_a_session_is_explained(run: Run, affinity_id: str) -> None:
    output = run("show", affinity_id).output
    assert "anthropic/claude-sonnet-4-6" in output
    assert re.search(
        r"^decision +initialize; reason=first_turn \(the session's first request set the model\)\n"
        r"why +the session's first turn matched the preference 'code_generation'$",
        output,
        re.MULTILINE,
    )
    assert json.loads(run("show", affinity_id, "--json").output)["affinity_id"] == affinity_id


def test_a_dropped_session_is_gone(run: Run, affinity_id: str) -> None:
    assert run("drop", affinity_id).output == f"dropped {affinity_id}\n"
    gone = run("show", affinity_id)
    assert gone.exit_code == 1
    assert "has no live pin" in gone.stderr


def test_dropping_what_is_not_there_fails(run: Run) -> None:
    assert run("drop", "nobody").exit_code == 1


def test_where_no_router_is_it_says_how_to_start_one(run: Run) -> None:
    result = run("list", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "No router answers at http://127.0.0.1:1" in result.stderr
    assert "plano-agents up" in result.stderr


@pytest.mark.parametrize("url", ["ftp://h", "nonsense", "", "http://", "http://[", "http://h:x", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(run: Run, url: str) -> None:
    result = run("list", "--url", url or " ")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (200, b"[]"), (200, b"{}"), (404, b"not here"), (500, b'{"error": "x"}')],
)
@pytest.mark.parametrize("command", [("list",), ("show", "x")])
def test_what_is_no_router_is_told(run: Run, command: Sequence[str], status: int, body: bytes) -> None:
    with FakeUpstream(give(body, status=status)) as other:
        result = run(*command, "--url", other.url)
    assert result.exit_code == 1
    assert "is not a plano-agents router" in result.stderr


def test_the_admin_token_follows_no_redirect(run: Run) -> None:
    with FakeUpstream(give({"sessions": [], "next": None})) as elsewhere:
        with FakeUpstream(give(b"", status=302, headers={"location": f"{elsewhere.url}/affinity"})) as router:
            result = run("list", "--url", router.url, PLANO_ADMIN_TOKEN="canary")
        assert result.exit_code == 1
        assert "status 302" in result.stderr
        assert elsewhere.exchanges == []


@pytest.mark.parametrize("token", ["canary\n", "canär", "\u65e5"])
def test_a_token_that_no_header_carries_is_refused_and_not_shown(run: Run, token: str) -> None:
    result = run("list", PLANO_ADMIN_TOKEN=token)
    assert result.exit_code == 1
    assert "visible ASCII" in result.stderr
    assert "can" not in result.stderr.replace("cannot", "")


def test_an_argument_that_is_no_text_is_refused(run: Run) -> None:
    result = run("show", "\udcff")
    assert result.exit_code == 1
    assert "visible ASCII" in result.stderr


def test_nothing_of_a_session_acts_on_the_terminal(run: Run) -> None:
    session = SESSION | {"tenant": "\x9b31m\x1b[2J\u202e"}
    with FakeUpstream(give({"sessions": [session], "next": None}), give(session)) as router:
        listed = run("list", "--url", router.url).output
        shown = run("show", "x", "--url", router.url).output
    for output in (listed, shown):
        assert r"\x9b31m\x1b[2J\u202e" in output
        assert output.replace("\n", "").isprintable()


def test_a_harness_lane_and_what_made_it_switch_are_shown(run: Run) -> None:
    switch = {
        "at": "2026-01-01T00:00:00Z",
        "from_model": "openai/gpt-4o",
        "to_model": "openai/gpt-4.1",
        "reason": "unsuitable",
        "because": "context_window 8192",
    }
    told = "harness=claude-code; lane=main/claude-opus-9"
    session = SESSION | {"source": told, "switches": [switch], "switch_count": 1}
    with FakeUpstream(give(session)) as router:
        output = run("show", "claude-code·s-1·main/claude-opus-9", "--url", router.url).output
    assert told in output
    assert "openai/gpt-4o → openai/gpt-4.1  unsuitable: context_window 8192" in output


def test_a_deployment_and_what_made_the_session_leave_another_are_shown(run: Run) -> None:
    moved = {
        "at": "2026-01-01T00:00:00Z",
        "model": "openai/gpt-4o",
        "from_deployment": "eu",
        "to_deployment": "us",
        "because": "status 429",
    }
    session = SESSION | {"deployment": "us", "deployment_moves": [moved]}
    with FakeUpstream(give(session)) as router:
        output = run("show", "run-1", "--url", router.url).output
    assert "openai/gpt-4o  eu → us  deployment: status 429" in output
    assert "deployment" in output.splitlines()[2]


def test_a_label_and_the_latest_detour_are_shown(run: Run) -> None:
    detour = {"at": "2026-01-01T00:00:00Z", "model": "openai/gpt-4.1", "because": "tools[0].type"}
    session = SESSION | {"label": "night run 7", "detour_count": 2, "last_detour": detour}
    with FakeUpstream(give({"sessions": [session], "next": None}), give(session)) as router:
        listed = run("list", "--url", router.url).output
        shown = run("show", "x", "--url", router.url).output
    assert "night run 7" in listed
    assert "night run 7" in shown
    assert "openai/gpt-4.1: tools[0].type" in shown


def test_a_beginning_of_an_id_will_do(run: Run, affinity_id: str) -> None:
    assert affinity_id in run("show", affinity_id[:20]).output
    assert run("show", "no-such-beginning").exit_code == 1


def test_the_admin_token_is_asked_for_and_taken(run: Run, root: Path) -> None:
    with offline_router(root / "config.yaml", settings="admin_token: canary") as url:
        refused = run("list", PLANO_BASE_URL=url)
        assert refused.stderr == "Error: The router asks for its admin token. Put it into PLANO_ADMIN_TOKEN.\n"
        assert run("list", PLANO_BASE_URL=url, PLANO_ADMIN_TOKEN="canary").output == "no sessions\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (598.6, "9 min 59 s"),
        (3_600, "1 h"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert _write_seconds(seconds) == text


def test_no_password_of_an_address_is_shown(run: Run) -> None:
    told = run("list", "--url", "http://me:secret@127.0.0.1:1/v1")
    assert told.exit_code != 0
    assert "127.0.0.1:1" in told.output
    assert "secret" not in told.output
