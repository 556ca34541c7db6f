"""The agent server's page: its tables say what there is."""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from langgraph.graph import START, MessagesState, StateGraph

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import ServerSettings


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "agent-server.md").read_text()


def read_rows(page: str, heading: str) -> list[list[str]]:
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert rows
    return rows


def test_every_setting_has_its_row_and_default(page: str) -> None:
    rows = {row[0].strip("`"): row[1].strip("`") for row in read_rows(page, "Settings")}
    assert [name.partition(".")[0] for name in rows] == list(ServerSettings.model_fields)
    defaults = ServerSettings().model_dump()
    for name, told in rows.items():
        if isinstance(defaults.get(name), str | int | float):
            assert told == f"{defaults[name]:g}" if isinstance(defaults[name], float) else str(defaults[name]).lower()


def test_every_endpoint_has_its_row(page: str) -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda _: {"messages": []})
    builder.add_edge(START, "answer")
    routes = [
        route
        for route in create_app(builder.compile()).routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    there = {f"{method} {route.path.replace(':path', '')}" for route in routes for method in route.methods or ()}
    assert {row[0].strip("`") for row in read_rows(page, "Endpoints")} == there
