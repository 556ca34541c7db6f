"""A client that leaves a graph served by ``plano-agents serve``, with a router and a provider behind it."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from plano_agents.testing import FakeUpstream, UpstreamExchange, keep_silent, offline_router
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPH = "plano_agents.demos.database_agent:make_graph"
SAID = [{"id": "m-1", "role": "user", "content": "hi"}]
AG_UI = {
    "threadId": "t-1",
    "runId": "r-1",
    "messages": SAID,
    "tools": [],
    "context": [],
    "state": {},
    "forwardedProps": {},
}
REQUESTS = {
    "run": ("/agent/run", {"input": "hi"}, "*/*"),
    "events": ("/agent/run", {"input": "hi"}, "text/event-stream"),
    "completion": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, "*/*"),
    "chunks": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "hi"}], "stream": True},
        "*/*",
    ),
    "ag-ui": ("/ag-ui", AG_UI, "*/*"),
}


@dataclass(frozen=True)
class Served:
    """An agent server, and a provider at the end of the line that takes requests and answers none."""

    url: str
    process: "subprocess.Popen[str]"
    asked: asyncio.Queue[None]
    """An entry for each request that came to the provider."""
    left: asyncio.Queue[None]
    """An entry for each whose client went away."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Served, None]:
    asked, left = asyncio.Queue[None](), asyncio.Queue[None]()

    async def answer_nothing(exchange: UpstreamExchange) -> None:
        asked.put_nowait(None)
        await keep_silent(exchange)
        left.put_nowait(None)

    async with FakeUpstream(answer_nothing) as provider:
        with serve_graph(tmp_path_factory.mktemp("served"), provider.url) as (url, process):
            yield Served(url, process, asked, left)


@contextmanager
def serve_graph(folder: Path, provider: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """An agent server behind which is a router, behind which is the provider."""
    command = [sys.executable, "-u", "-m", "plano_agents", "serve", GRAPH, "--port", "0"]
    with (
        offline_router(upstream=provider) as router,
        subprocess.Popen(
            [*command, "--router-url", router, "--checkpoints", "memory"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield process.stdout.readline().rpartition(" ")[2].strip(), process
        finally:
            process.kill()


@pytest.mark.parametrize("request_name", REQUESTS)
async def test_a_client_that_leaves_has_its_model_call_ended(served: Served, request_name: str) -> None:
    path, body, accept = REQUESTS[request_name]

    async def ask() -> None:
        async with session.post(served.url + path, json=body, headers={"accept": accept}) as answer:
            await answer.read()

    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(ask())
        await served.asked.get()
        asked.cancel()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await served.left.get()


async def test_a_server_that_is_told_to_stop_ends_a_run_with_a_terminal_event(served: Served) -> None:
    path, body, accept = REQUESTS["events"]
    content = b""
    async with (
        aiohttp.ClientSession() as session,
        session.post(served.url + path, json=body, headers={"accept": accept}) as answer,
    ):
        await served.asked.get()
        served.process.send_signal(signal.SIGTERM)
        try:
            async for piece in answer.content.iter_any():
                content += piece
        except aiohttp.ClientPayloadError:
            pass
    name, data = content.decode().strip().splitlines()[-2:]
    assert (name, json.loads(data.removeprefix("data: "))["code"]) == ("event: error", "shutting_down")
    out, err = await asyncio.to_thread(served.process.communicate, timeout=PATIENCE_SECONDS)
    assert (served.process.returncode, out.splitlines()[-1]) == (0, "stopped")
    assert "Traceback" not in err
