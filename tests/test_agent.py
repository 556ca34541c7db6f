"""``agent.py`` as a process: it listens, says so, and stops cleanly."""

import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.children import running

AGENT = Path(__file__).parents[1] / "agent.py"


def start(*options: str, **variables: str) -> AbstractContextManager["subprocess.Popen[str]"]:
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "PLANO_AGENT_CHECKPOINTS": "memory", **variables}
    return running([sys.executable, AGENT, *options], environ=environ)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_stops_cleanly_on_a_signal(number: signal.Signals) -> None:
    with start(AGENT_PORT="0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.removeprefix("agent server listening on ").strip()
        with urllib.request.urlopen(f"{url}/healthz") as response:
            assert response.status == 200
        process.send_signal(number)
        output, errors = process.communicate()
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_busy_port_is_one_line() -> None:
    with start("--port", "0") as first:
        assert first.stdout is not None
        port = first.stdout.readline().strip().rpartition(":")[2]
        with start("--port", port) as second:
            output, errors = second.communicate()
    assert (second.returncode, output) == (1, "")
    assert errors.startswith(f"error: Cannot listen on 127.0.0.1:{port}: ")
    assert errors.count("\n") == 1


def test_a_router_url_that_is_none_is_one_line() -> None:
    with start("--router-url", "localhost") as process:
        _, errors = process.communicate()
    assert errors == "error: A router's address starts with http:// or https://; got 'localhost'.\n"


def test_uvicorn_serves_its_app_as_well() -> None:
    command = [sys.executable, "-m", "uvicorn", "agent:app", "--port", "0"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "PLANO_AGENT_CHECKPOINTS": "memory"}
    with running(command, cwd=AGENT.parent, environ=environ) as process:
        assert process.stderr is not None
        line = next(each for each in process.stderr if "running on" in each)
        url = line.partition("running on ")[2].split()[0]
        with urllib.request.urlopen(f"{url}/healthz") as response:
            assert response.status == 200
