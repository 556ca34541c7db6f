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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from plano_agents.affinity import AFFINITY_HEADER


@dataclass(frozen=True)
class Agents:
    """What ``./start_agents.sh`` started."""

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


def start(root: Path, *options: str, **variables: str) -> Agents:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLANO_")}
    process = subprocess.Popen(
        ["./start_agents.sh", "--fast", *options],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, "ROUTER_PORT": "0", "AGENT_PORT": "0", **variables},
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "stops both" in line:
            break
    return Agents(process, "".join(lines))


@pytest.fixture(scope="module")
def agents(root: Path) -> Iterator[Agents]:
    started = start(root)
    yield started
    started.process.terminate()
    started.process.communicate(timeout=60)


def listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


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
    line = re.search(r"  (curl .+?\n.+?)\n\n", agents.said, re.DOTALL)
    assert line is not None
    ended = subprocess.run(
        shlex.split(line.group(1).replace("\\\n", " ")), capture_output=True, text=True, check=True
    )
    run = json.loads(ended.stdout)
    assert run["affinity_id"] == "my-first-run"
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
    assert "CREATE TABLE" in (answer.choices[0].message.content or "")


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


def test_a_thread_goes_on_with_its_model(agents: Agents) -> None:
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
    assert first["affinity_id"] == second["affinity_id"]
    assert {turn["decision"] for turn in second["turns"]} == {"retain"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_both_and_leaves_nothing(root: Path, number: signal.Signals) -> None:
    started = start(root)
    addresses = [started.agent, started.router, started.simulator]
    assert all(map(listens, addresses))
    started.process.send_signal(number)
    _, errors = started.process.communicate(timeout=60)
    assert (started.process.returncode, errors) == (0, "")
    assert not any(map(listens, addresses))


def test_with_a_router_that_runs_already_only_the_agent_is_started(root: Path, offline_router: str) -> None:
    started = start(root, PLANO_BASE_URL=offline_router)
    started.process.terminate()
    started.process.communicate(timeout=60)
    assert "router on" not in started.said
    assert "agent server listening" in started.said


def test_a_busy_port_stops_everything_with_one_reason(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        started = start(root, AGENT_PORT=str(taken.getsockname()[1]))
        _, errors = started.process.communicate(timeout=60)
    assert started.process.returncode == 1
    assert "Cannot listen on 127.0.0.1" in errors
    assert "Traceback" not in errors
    assert not listens(started.router)


def test_missing_keys_are_named_when_live(root: Path) -> None:
    started = start(root, "--live", OPENAI_API_KEY="", ANTHROPIC_API_KEY="")
    _, errors = started.process.communicate(timeout=60)
    assert (started.process.returncode, "$OPENAI_API_KEY" in errors) == (1, True)
