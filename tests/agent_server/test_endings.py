"""Every way a request of the agent server can end: with the collector off, nothing of it outlives its end.

LangGraph's own cycles are its own: of a run that failed its tasks wait for the collector.
"""

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator

import pytest
from starlette.requests import Request

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.connection import RunResponse
from plano_agents.errors import PlanoError
from plano_agents.http.server.connection import ServerConnection
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.limits import HttpLimits
from plano_agents.processes import Site, bind, running, url_of
from tests.agent_server.conftest import USER, Script, build_graph
from tests.leftovers import collector_off, leave_out_what_is_there, wait_until_gone
from tests.router.raw_client import build_request, open_to, talk

BODY_BYTES = 1_000_000
TIMES = 3
KINDS = (Exchange, PlanoError, Request, RunResponse, ServerConnection)
"""What a request is made of."""
PATHS = ("/v1/chat/completions", "/agent/run")
LIMITS = HttpLimits(body_seconds=0.1)


class Scene:
    """An agent server, and how its model behaves."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.url = ""
        self.asked = asyncio.Event()
        self.fails = self.hangs = False

    async def wait(self) -> None:
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise RuntimeError

    def request(self, *, streamed: bool = False) -> bytes:
        chat = {"messages": [USER], "stream": streamed}
        content = json.dumps(chat if self.path.startswith("/v1") else {"input": "hi"})
        accept = "text/event-stream" if streamed else "application/json"
        return build_request(content.encode().ljust(BODY_BYTES), f"accept: {accept}", path=self.path)


async def answer(scene: Scene) -> int:
    return (await talk(scene.url, scene.request()))[0]


async def stream(scene: Scene) -> int:
    return (await talk(scene.url, scene.request(streamed=True)))[0]


async def fail(scene: Scene) -> int:
    scene.fails = True
    return await answer(scene)


async def fail_in_stream(scene: Scene) -> int:
    scene.fails = True
    return await stream(scene)


async def send_no_json(scene: Scene) -> int:
    return (await talk(scene.url, build_request(b"{".ljust(BODY_BYTES), path=scene.path)))[0]


async def send_a_wrong_field(scene: Scene) -> int:
    content = b'{"messages": 1, "input": 1}'.ljust(BODY_BYTES)
    return (await talk(scene.url, build_request(content, path=scene.path)))[0]


async def ask_elsewhere(scene: Scene) -> int:
    return (await talk(scene.url, build_request(b" " * BODY_BYTES, path="/nowhere")))[0]


async def stop_within_body(scene: Scene) -> int:
    return (await talk(scene.url, scene.request()[:-9]))[0]


async def leave_within_body(scene: Scene) -> int:
    async with open_to(scene.url) as (_, writer):
        writer.write(scene.request()[:-9])
        await writer.drain()
    return 0


async def leave_while_it_runs(scene: Scene) -> int:
    scene.hangs = True
    async with open_to(scene.url) as (_, writer):
        writer.write(scene.request())
        await scene.asked.wait()
    return 0


async def leave_within_stream(scene: Scene) -> int:
    scene.hangs = True
    async with open_to(scene.url) as (_, writer):
        writer.write(scene.request(streamed=True))
        await scene.asked.wait()
    return 0


ENDINGS: dict[Callable[[Scene], Awaitable[int]], int] = {
    answer: 200,
    stream: 200,
    fail: 500,
    fail_in_stream: 200,
    send_no_json: 400,
    send_a_wrong_field: 400,
    ask_elsewhere: 404,
    stop_within_body: 408,
    leave_within_body: 0,
    leave_while_it_runs: 0,
    leave_within_stream: 0,
}


@pytest.fixture
def without_collector() -> Iterator[None]:
    with collector_off():
        yield


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("end", ENDINGS)
async def test_nothing_of_a_request_outlives_its_end(end: Callable[[Scene], Awaitable[int]], path: str) -> None:
    scene = Scene(path)
    listener = bind("127.0.0.1", 0)
    scene.url = url_of(listener)
    app = create_app(build_graph(Script(wait=scene.wait, models=("m",))))
    async with running([Site(app, listener, limits=LIMITS)]):
        await end(scene)  # what is loaded and kept once
        leave_out_what_is_there()
        tracemalloc.start()
        statuses = set()
        for _ in range(TIMES):
            scene.asked.clear()
            statuses.add(await end(scene))
        stays = await wait_until_gone(KINDS)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (statuses, dict(stays)) == ({ENDINGS[end]}, {})
    assert held < BODY_BYTES
