"""``plano-agents serve`` and ``hash-key`` as a user types them."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plano_agents.config.key_hashes import hash_key
from tests.patience import PATIENCE_SECONDS

KEY = "pa-0123456789-0123456789"
GRAPH = """
from langchain_core.language_models import FakeListChatModel
from langgraph.graph import START, MessagesState, StateGraph

model = FakeListChatModel(responses=["Oslo"] * 9)
builder = StateGraph(MessagesState)
builder.add_node("answer", lambda state: {"messages": [model.invoke(state["messages"])]})
builder.add_edge(START, "answer")
graph = builder.compile()

def make():
    return graph

def fail():
    raise RuntimeError("no\\nluck")
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-u", "-m", "plano_agents", *arguments]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cities.py").write_text(GRAPH)
    return tmp_path


def run(folder: Path, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[str, "subprocess.Popen[str]", str]]:
    """A server, its address, and what it said."""
    with subprocess.Popen(
        command("serve", *arguments, "--port", "0"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PLANO_")},
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            found = re.search(r"agent server listening on (http://[\d.:]+)", said)
            assert found is not None, said + process.communicate()[1]
            yield found.group(1), process, said
        finally:
            process.kill()


def ask(url: str, path: str, body: object = None, key: str | None = None) -> dict[str, object]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers)) as answer:
        found: dict[str, object] = json.load(answer)
        return found


@pytest.mark.parametrize("name", ["graph", "builder", "make"])
def test_a_graph_a_builder_and_a_function_are_served(folder: Path, name: str) -> None:
    with serving(folder, f"cities:{name}", "--checkpoints", "memory") as (url, process, said):
        answer = ask(url, "/agent/run", {"input": "Which city?"})
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (answer["output"], process.returncode, err) == ("Oslo", 0, "")
    assert "keys     none" in said
    assert re.fullmatch(r"\S+Z  run run_\w+ done affinity=\S+ [^\n]+\nstopped\n", out)


def test_runs_are_objects_where_machines_read_and_left_out_where_quiet(folder: Path) -> None:
    for option, events in (("--log-format=json", ["run"]), ("--quiet", [])):
        with serving(folder, "cities:graph", "--checkpoints", "memory", option) as (url, process, _):
            ask(url, "/agent/run", {"input": "Which city?"})
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        assert [each["event"] for each in told if "event" in each] == events
        assert err == ""


def test_a_thread_is_there_again_after_a_restart(folder: Path) -> None:
    for turn in (1, 2):
        with serving(folder, "cities:graph") as (url, process, said):
            ask(url, "/agent/run", {"input": "Which city?", "thread_id": "t-1"})
            thread = ask(url, "/threads/t-1")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_SECONDS)
        assert "sqlite:///threads.sqlite" in said
        assert len(thread["messages"]) == 2 * turn  # type: ignore[arg-type] # a list


def test_settings_of_a_file_are_overridden_by_options(folder: Path) -> None:
    (folder / "agent.yaml").write_text(f"name: scout\ncheckpoints: none\napi_keys: {{alice: '{hash_key(KEY)}'}}\n")
    with serving(folder, "cities:graph", "--config", "agent.yaml", "--name", "guide") as (url, _, said):
        models = ask(url, "/v1/models", key=KEY)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(url, "/v1/models")
    assert models["data"] == [{"id": "guide", "object": "model", "created": 0, "owned_by": "plano-agents"}]
    assert "keys     alice" in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cities:grahp"], "The module 'cities' has no 'grahp'. It has 'builder', 'graph'."),
        (
            ["cities:graph", "--checkpoints", "postgresql://me:secret@127.0.0.1:9/d"],
            "Postgres at 127.0.0.1:9/d",
        ),
        (["cities:graph", "--host", "0.0.0.0"], "plano-agents hash-key"),
    ],
)
def test_what_cannot_be_served_is_one_line_with_the_way_out(folder: Path, arguments: list[str], told: str) -> None:
    ended = run(folder, "serve", *arguments, "--port", "0")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "secret" not in ended.stderr


def test_a_router_url_that_is_none_is_a_usage_error(folder: Path) -> None:
    ended = run(folder, "serve", "cities:graph", "--router-url", "localhost")
    assert (ended.returncode, "starts with http://" in ended.stderr) == (2, True)


def test_a_key_is_hashed_from_standard_input(folder: Path) -> None:
    ended = run(folder, "hash-key", typed=f"{KEY}\n")
    assert (ended.returncode, ended.stdout.strip()) == (0, hash_key(KEY))


def test_a_new_key_comes_with_its_hash(folder: Path) -> None:
    said = dict(line.split() for line in run(folder, "hash-key", "--new").stdout.splitlines())
    assert said["hash"] == hash_key(said["key"])


def test_a_key_that_could_be_guessed_is_refused(folder: Path) -> None:
    ended = run(folder, "hash-key", typed="password\n")
    assert (ended.returncode, "--new" in ended.stderr, "password" in ended.stderr) == (1, True, False)
