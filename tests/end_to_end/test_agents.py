"""Router, simulated models and agent server as processes, as ``./start_agents.sh`` starts them."""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from plano_agents.affinity import AFFINITY_HEADER
from tests.children import running
from tests.patience import PATIENCE_SECONDS

FREE = {"ROUTER_PORT": "0", "AGENT_PORT": "0", "PLANO_AGENT_CHECKPOINTS": "memory"}
"""Ports that are free, and nothing left behind."""


@dataclass(frozen=True)
class Agents:
    """The processes that ``./start_agents.sh`` started."""

    process: "subprocess.Popen[str]"
    said: str

    @property
    def agent(self) -> str:
        return self.address("agent server listening on")

    @property
    def router(self) -> str:
        return self.address("router on")

    @property
    def simulator(self) -> str:
        return self.address(r"simulated \(at").rstrip(");")

    def address(self, after: str) -> str:
        found = re.search(after + r" (http://127\.0\.0\.1:\d+)", self.said)
        assert found is not None, self.said
        return found.group(1)


@contextmanager
def running_agents(
    root: Path, *options: str, slow: bool = False, until: str = "stops both", **variables: str
) -> Iterator[Agents]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLANO_")}
    command = ["./start_agents.sh", *([] if slow else ["--fast"]), *options]
    with running(command, cwd=root, environ={**kept, **FREE, **variables}) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if until in line:
                break
        yield Agents(process, "".join(lines))


@pytest.fixture(scope="module")
def agents(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    path = tmp_path_factory.mktemp("agents") / "threads.sqlite"
    with running_agents(root, PLANO_AGENT_CHECKPOINTS=f"sqlite:///{path}") as started:
        yield started
        started.process.terminate()
        started.process.communicate(timeout=PATIENCE_SECONDS)


def listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def connect(url: str) -> socket.socket:
    """An idle connection, which a server closes when it stops."""
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=PATIENCE_SECONDS)


async def ask(session: aiohttp.ClientSession, agents: Agents, affinity_id: str) -> dict[str, Any]:
    async with session.post(
        f"{agents.agent}/agent/run",
        json={"input": "PostgreSQL or MongoDB?"},
        headers={AFFINITY_HEADER: affinity_id},
    ) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers[AFFINITY_HEADER] == affinity_id
        found: dict[str, Any] = await answer.json()
        return found


def test_it_says_that_models_are_simulated(agents: Agents) -> None:
    assert "The models are simulated, the routing is real" in agents.said


def test_the_printed_curl_line_works(agents: Agents) -> None:
    line = re.search(r"  (curl .+?)\n\n", agents.said, re.DOTALL)
    assert line is not None
    ended = subprocess.run(shlex.split(line.group(1).replace("\\\n", " ")), capture_output=True, text=True, check=True)
    run = json.loads(ended.stdout)
    assert run["affinity_id"] == "my-first-run"
    assert run["turns"][0]["route"] == "complex_reasoning"
    assert run["switches"] == 0
    assert len({turn["model"] for turn in run["turns"]}) == 1
    assert [turn["decision"] for turn in run["turns"]] == [
        "initialize",
        *["retain"] * (len(run["turns"]) - 1),
    ]
    assert run["turns"][0]["tool_calls"] == ["get_db_benchmarks", "get_db_benchmarks"]
    assert "PostgreSQL" in run["output"]


async def test_of_200_concurrent_runs_none_is_crossed(agents: Agents) -> None:
    ids = [f"run-{number}" for number in range(200)]
    async with aiohttp.ClientSession() as session:
        runs = await asyncio.gather(*(ask(session, agents, each) for each in ids))
        async with session.get(f"{agents.simulator}/simulator/requests") as answer:
            asked = await answer.json()
    assert [run["affinity_id"] for run in runs] == ids
    assert {run["switches"] for run in runs} == {0}
    assert Counter(run["turns"][0]["decision"] for run in runs) == {"initialize": 200}
    assert asked


def test_an_openai_client_can_call_the_agent(agents: Agents) -> None:
    client = openai.OpenAI(base_url=f"{agents.agent}/v1", api_key="none")
    answer = client.chat.completions.create(
        model="database-agent", messages=[{"role": "user", "content": "PostgreSQL or MongoDB for our shop?"}]
    )
    assert "PostgreSQL" in (answer.choices[0].message.content or "")


def test_a_run_comes_as_events(agents: Agents) -> None:
    request = urllib.request.Request(
        f"{agents.agent}/agent/run",
        json.dumps({"input": "PostgreSQL or MongoDB?"}).encode(),
        {"accept": "text/event-stream", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        events = [line[7:] for line in answer.read().decode().splitlines() if line.startswith("event: ")]
    assert set(events) == {"turn", "token", "tool", "done"}
    assert (events.count("done"), events[-1]) == (1, "done")


def test_a_threads_next_message_is_a_run_with_an_id_of_its_own(agents: Agents) -> None:
    def say(text: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{agents.agent}/agent/run",
            json.dumps({"input": text, "thread_id": "t-1"}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    first, second = say("PostgreSQL or MongoDB?"), say("Write a limerick about it.")
    assert first["affinity_id"] != second["affinity_id"]
    assert [run["turns"][0]["decision"] for run in (first, second)] == ["initialize", "initialize"]


async def test_runs_one_after_another_on_a_thread_never_find_it_busy(agents: Agents) -> None:
    """Also of a client in another process, which has the answer's last byte before the server is done with it."""
    async with aiohttp.ClientSession() as session:
        for number in range(40):
            async with session.post(
                f"{agents.agent}/agent/run",
                json={"input": "Hello", "thread_id": "t-busy"},
                headers={"accept": ("application/json", "text/event-stream")[number % 2]},
            ) as answer:
                assert answer.status == 200, await answer.text()
                if number % 2:
                    async for line in answer.content:
                        if line.startswith(b"event: done"):
                            break
                else:
                    await answer.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_both_and_leaves_nothing(root: Path, number: signal.Signals) -> None:
    with running_agents(root) as started:
        addresses = [started.agent, started.router, started.simulator]
        assert all(map(listens, addresses))
        started.process.send_signal(number)
        _, errors = started.process.communicate(timeout=PATIENCE_SECONDS)
        assert (started.process.returncode, errors) == (0, "")
        assert not any(map(listens, addresses))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_stops_it_at_once(root: Path, number: signal.Signals) -> None:
    with running_agents(root, until="router on") as started:
        started.process.send_signal(number)
        said, errors = started.process.communicate(timeout=PATIENCE_SECONDS)
        assert (started.process.returncode, errors) == (0, "")
        assert "agent server listening" not in said
        assert not listens(started.router)


def test_both_end_when_who_started_them_is_killed(root: Path) -> None:
    with running_agents(root) as started:
        addresses = [started.agent, started.router, started.simulator]
        with ExitStack() as stack:
            connections = [stack.enter_context(connect(address)) for address in addresses]
            started.process.kill()
            started.process.communicate(timeout=PATIENCE_SECONDS)
            assert [connection.recv(1) for connection in connections] == [b""] * 3
        assert not any(map(listens, addresses))


def test_a_reader_that_leaves_ends_both_without_a_word(root: Path) -> None:
    with running_agents(root, until="router on") as started:
        assert started.process.stdout is not None
        started.process.stdout.close()
        assert started.process.stderr is not None
        with started.process.stderr as errors:
            assert errors.read() == ""
        assert started.process.wait(PATIENCE_SECONDS) == 1
        assert not listens(started.router)


def test_with_a_router_that_runs_already_only_the_agent_is_started(root: Path, offline_router: str) -> None:
    with running_agents(root, PLANO_BASE_URL=offline_router) as started:
        started.process.terminate()
        started.process.communicate(timeout=PATIENCE_SECONDS)
        assert "router on" not in started.said
        assert "agent server listening" in started.said


def test_a_busy_port_is_found_before_anything_starts(root: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        running_agents(root, AGENT_PORT=str(taken.getsockname()[1])) as started,
    ):
        _, errors = started.process.communicate(timeout=PATIENCE_SECONDS)
    assert started.process.returncode == 1
    assert "Cannot listen on 127.0.0.1" in errors
    assert "Choose another with --agent-port, or --agent-port 0" in errors
    assert "Traceback" not in errors
    assert "router on" not in started.said


def test_missing_keys_are_named_when_live(root: Path) -> None:
    with running_agents(root, "--live", OPENAI_API_KEY="", ANTHROPIC_API_KEY="") as started:
        _, errors = started.process.communicate(timeout=PATIENCE_SECONDS)
        assert (started.process.returncode, "$OPENAI_API_KEY" in errors) == (1, True)
        assert "leave out --live" in errors


def test_a_router_that_does_not_answer_is_named(root: Path) -> None:
    with running_agents(root, PLANO_BASE_URL="http://127.0.0.1:9") as started:
        _, errors = started.process.communicate(timeout=PATIENCE_SECONDS)
        assert started.process.returncode == 1
        assert errors.startswith("error: No router answers at http://127.0.0.1:9/v1")


def test_a_run_in_flight_ends_well_when_both_are_stopped(root: Path) -> None:
    """The agent server stops before its router, so a run that is under way still gets its answers."""
    with running_agents(root, slow=True) as started:
        request = urllib.request.Request(
            f"{started.agent}/agent/run",
            json.dumps({"input": "PostgreSQL or MongoDB?"}).encode(),
            {"accept": "text/event-stream", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.readline().startswith(b"event:")
            started.process.send_signal(signal.SIGINT)
            events = answer.read().decode()
        _, errors = started.process.communicate(timeout=PATIENCE_SECONDS)
        assert "event: done" in events
        assert (started.process.returncode, errors) == (0, "")
