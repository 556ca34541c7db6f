"""The agent server's page: its commands print what it shows, its tables say what there is."""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from langgraph.graph import START, MessagesState, StateGraph

from plano_agents.config.load import load_config
from plano_agents.server.app import create_app
from plano_agents.server.settings import ServerSettings

_VARIABLE = re.compile(r"127\.0\.0\.1:\d+")


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "agent-server.md").read_text()


def read_block(page: str, after: str, language: str) -> str:
    return page.partition(after)[2].partition(f"```{language}\n")[2].partition("```")[0]


def read_rows(page: str, heading: str) -> list[list[str]]:
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert rows
    return rows


@pytest.fixture(scope="module")
def served(
    page: str, offline_router: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, list[str]]]:
    """A server of the page's own graph: its address, and the lines that it said."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "my_agent.py").write_text(read_block(page, "`my_agent.py`:", "python"))
    typed = shlex.split(
        read_block(page, "Beside a router", "console").splitlines()[0].removeprefix("$ plano-agents")
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "plano_agents", *typed, "--port", "0"],
        cwd=folder,
        env={**os.environ, "PLANO_BASE_URL": offline_router},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line.rstrip("\n"))
                if "Ctrl-C" in line:
                    break
            yield said[0].rpartition(" ")[2], said
        finally:
            process.kill()


def test_serve_prints_what_the_page_shows(page: str, served: tuple[str, list[str]]) -> None:
    shown = read_block(page, "Beside a router", "console").splitlines()[1:]
    assert [_VARIABLE.sub("#", line) for line in served[1]] == [_VARIABLE.sub("#", line) for line in shown]


def test_the_router_starts_on_the_configuration_that_the_page_shows(page: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(read_block(page, "Beside a router", "yaml"))
    loaded = load_config(tmp_path / "config.yaml", environ={}, offline=True)
    assert (loaded.listener.port, [model.name for model in loaded.models]) == (12000, ["openai/gpt-4o-mini"])
    assert loaded.warnings == ()


def test_the_request_that_the_page_shows_is_answered_so(page: str, served: tuple[str, list[str]]) -> None:
    command, answer = read_block(page, "$ plano-agents serve my_agent:graph", "console").splitlines()[:2]
    typed = shlex.split(command.removeprefix("$ "))
    body = json.loads(typed[-1])
    request = urllib.request.Request(
        f"{served[0]}/agent/run", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        found = json.load(response)
    assert list(found) == re.findall(r'"(\w+)":', answer)
    assert (found["thread_id"], found["switches"]) == ("t-42", 0)


def test_a_new_key_is_printed_as_the_page_shows(page: str) -> None:
    shown = read_block(page, "## Keys", "console").splitlines()[1:]
    ended = subprocess.run(
        [sys.executable, "-m", "plano_agents", "hash-key", "--new"],
        capture_output=True,
        text=True,
        check=True,
    )
    pattern = "\n".join(re.escape(line).replace("…", r"\S+") for line in shown)
    assert re.fullmatch(pattern, ended.stdout.strip())


def test_every_setting_has_its_row_and_default(page: str) -> None:
    rows = {row[0].strip("`"): row[1].strip("`") for row in read_rows(page, "Settings")}
    assert list(rows) == list(ServerSettings.model_fields)
    defaults = ServerSettings().model_dump()
    for name, told in rows.items():
        if isinstance(defaults[name], str | int | float):
            assert (
                told == f"{defaults[name]:g}"
                if isinstance(defaults[name], float)
                else str(defaults[name]).lower()
            )


def test_every_endpoint_has_its_row(page: str) -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda _: {"messages": []})
    builder.add_edge(START, "answer")
    routes = [route for route in create_app(builder.compile()).routes if isinstance(route, APIRoute)]
    there = {
        f"{method} {route.path.replace(':path', '')}"
        for route in routes
        for method in route.methods or ()
        if route.include_in_schema
    }
    assert {row[0].strip("`") for row in read_rows(page, "Endpoints")} == there


def test_the_page_shows_the_projects_langgraph_json(page: str, root: Path) -> None:
    assert json.loads(read_block(page, "## LangGraph's own server", "json")) == json.loads(
        (root / "langgraph.json").read_text()
    )
