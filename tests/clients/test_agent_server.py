"""The agent server's real clients: AG-UI's for node, OpenAI's SDK, and LangGraph's SDK on its own server."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from langgraph_sdk import get_sync_client

from plano_agents.config.key_hashes import hash_key
from plano_agents.demos.child import AGENT_READY, running_server
from tests.clients.conftest import HERE
from tests.patience import PATIENCE_SECONDS
from tests.ports import free_port

ALICE, BOB = "pa-alice-alice-alice-alice", "pa-bob-bob-bob-bob-bob-bob"
GRAPH = "plano_agents.demos.database_agent:make_graph"
QUESTION = "Compare PostgreSQL and MongoDB for our shop, weigh the trade-offs, decide."


@pytest.fixture(scope="module")
def agent_server(offline_router: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the demo's graph, with keys, tool calls shown."""
    folder = tmp_path_factory.mktemp("agent-server")
    settings = folder / "agent.yaml"
    hashes = {"alice": hash_key(ALICE), "bob": hash_key(BOB)}
    settings.write_text(
        json.dumps({"name": "database-agent", "api_keys": hashes, "tool_calls": "shown"})  # JSON is YAML
    )
    places = ["--checkpoints", f"sqlite:///{folder}/threads.sqlite", "--router-url", offline_router]
    command = ["-m", "plano_agents", "serve", GRAPH, "--config", str(settings), *places, "--port", "0"]
    with running_server(command, AGENT_READY) as url:
        yield url


def test_ag_uis_client_is_served(node: Path, agent_server: str) -> None:
    """Run the script, which has the checks, one test each."""
    ended = subprocess.run(
        [node, "--test-reporter=spec", HERE / "ag_ui.mjs"],
        env={**os.environ, "AGENT_URL": agent_server, "API_KEY": ALICE, "OTHER_KEY": BOB},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_openais_sdk_is_served_streamed_with_usage_and_tool_calls(agent_server: str) -> None:
    with openai.OpenAI(base_url=f"{agent_server}/v1", api_key=ALICE, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["database-agent"]
        stream = client.chat.completions.create(
            model="database-agent",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    tools = [tool for delta in deltas for tool in (delta.model_extra or {}).get("executed_tools", [])]
    text = "".join(delta.content or "" for delta in deltas)
    assert len([delta for delta in deltas if delta.content]) > 20
    assert "PostgreSQL" in text
    assert {tool["name"] for tool in tools} >= {"get_db_benchmarks"}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 1000


def test_openais_sdk_is_told_of_a_missing_key(agent_server: str) -> None:
    with (
        openai.OpenAI(base_url=f"{agent_server}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()


@pytest.fixture(scope="module")
def langgraph_dev(langgraph_cli: Path, offline_router: str, root: Path) -> Iterator[str]:
    """The address of ``langgraph dev`` on the project's ``langgraph.json``."""
    port = free_port()
    command = [str(langgraph_cli), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    environ = {
        "PLANO_BASE_URL": offline_router,
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGSMITH_TRACING": "false",
    }
    with subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                if re.search(r"Application started up", line):
                    break
            assert process.poll() is None, said
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)
            shutil.rmtree(root / ".langgraph_api", ignore_errors=True)


def run_on_langgraph_dev(url: str, headers: dict[str, str]) -> tuple[str, list[dict[str, Any]]]:
    """Run the agent there; the thread's id, and what the router said of each turn."""
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": QUESTION}]}
    with get_sync_client(url=url, headers=headers) as client:
        thread = client.threads.create()["thread_id"]
        state = client.runs.wait(thread, "database-agent", input=asked)
    assert isinstance(state, dict)
    turns = [message["response_metadata"]["plano"] for message in state["messages"] if message["type"] == "ai"]
    return thread, turns


def test_langgraphs_own_server_carries_the_clients_header(langgraph_dev: str) -> None:
    _, turns = run_on_langgraph_dev(langgraph_dev, {"X-Model-Affinity": "langgraph-dev-1"})
    assert len(turns) > 2
    assert {turn["affinity_id"] for turn in turns} == {"langgraph-dev-1"}
    assert [turn["decision"] for turn in turns] == ["initialize"] + ["retain"] * (len(turns) - 1)


def test_langgraphs_own_server_gives_each_run_of_a_thread_an_id(langgraph_dev: str) -> None:
    (_, turns), (_, others) = (run_on_langgraph_dev(langgraph_dev, {}) for _ in range(2))
    (one,), (other,) = ({turn["affinity_id"] for turn in each} for each in (turns, others))
    assert one.startswith("run-")
    assert one != other
