"""The OpenAPI documents, held against the servers by requests that fit and requests that do not.

Schemathesis makes them, by its command line: any 5xx, any status, header or body that is not documented, fails. That
a request fits does not mean that it is good: the router's document describes what the router reads, and the rest is
the provider's word; so a documented refusal of one that fits is not a failure.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from plano_agents.demos.child import AGENT_READY, running_server
from tests.patience import PATIENCE_SECONDS

EXAMPLES = 10
"""How many requests are made up for each operation, beside those that go through its fields one by one."""


@pytest.fixture(scope="module")
def agent(root: Path, offline_router: str) -> Iterator[str]:
    """The base URL of the agent server."""
    arguments = [str(root / "agent.py"), "--port", "0", "--router-url", offline_router]
    with running_server(arguments, AGENT_READY) as url:
        yield url


@pytest.fixture
def session_of_claude(offline_router: str) -> str:
    """An affinity id that is pinned to a model whose wire is another than the client's."""
    affinity_id, model = "schemathesis", "anthropic/claude-sonnet-4-6"
    body = {"messages": [{"role": "user", "content": "hi"}]}
    headers = {
        "content-type": "application/json",
        "x-model-affinity": affinity_id,
        "x-model-affinity-hint": model,
    }
    request = urllib.request.Request(f"{offline_router}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["x-plano-model"] == model
    return affinity_id


def check_document(folder: Path, url: str, *options: str, excluded: str) -> None:
    """Try everything that a server's document describes; ``excluded`` names checks to leave out."""
    program = Path(sys.executable).with_name("schemathesis")
    amount = ["--max-examples", str(EXAMPLES), "--generation-deterministic", "--no-color"]
    ended = subprocess.run(
        [program, "run", f"{url}/openapi.json", *amount, "--exclude-checks", excluded, *options],
        cwd=folder,  # it keeps what failed in a folder of its own
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_router_keeps_to_its_document(tmp_path: Path, offline_router: str) -> None:
    check_document(tmp_path, offline_router.removesuffix("/v1"), excluded="positive_data_acceptance")


def test_the_router_keeps_to_its_document_where_it_translates(
    tmp_path: Path, offline_router: str, session_of_claude: str
) -> None:
    paths = ["--include-path-regex", "^/v1/(chat|messages|responses)"]
    header = ["--header", f"X-Model-Affinity:{session_of_claude}"]
    url = offline_router.removesuffix("/v1")
    check_document(tmp_path, url, *paths, *header, excluded="positive_data_acceptance")


def test_the_agent_server_keeps_to_its_document(tmp_path: Path, agent: str) -> None:
    # What AG-UI's client says of a thread is kept as it is, so requests made at random spoil the threads of the others.
    paths = ["--exclude-path", "/ag-ui"]
    check_document(tmp_path, agent, *paths, excluded="positive_data_acceptance")
