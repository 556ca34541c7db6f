"""Threads are forgotten when they have had no step for longer than the settings say."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents.agent_server.events import Run
from plano_agents.agent_server.lifetime import encode_moment, sweep
from plano_agents.agent_server.memory import Memory
from plano_agents.agent_server.runs import Agent
from plano_agents.agent_server.settings import build_settings
from plano_agents.errors import ConfigError, StoreUnavailableError, ThreadNotFoundError
from tests.agent_server.conftest import Script, build_graph, call_app
from tests.faults.postgres_server import PostgresServer


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "postgres":
        with PostgresServer() as server:
            yield server.url
    else:
        yield "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/threads.sqlite"


@asynccontextmanager
async def open_agent(url: str, script: Script | None = None) -> AsyncGenerator[Agent, None]:
    graph = build_graph(script or Script(("gpt-4o",)), remember=False)
    agent = Agent(graph, build_settings(checkpoints=url))
    async with agent.memory.open():
        yield agent


async def run(agent: Agent, thread_id: str) -> None:
    asked = Run(f"run-{thread_id}", "id-1", (HumanMessage("hi"),), thread_id)
    async with agent.hold(asked) as thread:
        async for _ in agent.run(asked, thread):
            pass


def test_moments_are_sorted_as_the_ids_of_checkpoints_are() -> None:
    before, made, after = encode_moment(time.time() - 1), str(uuid6()), encode_moment(time.time() + 1)
    assert before < made < after


async def test_a_thread_without_a_step_since_a_moment_is_forgotten_and_no_other(url: str) -> None:
    async with open_agent(url) as agent:
        await run(agent, "old")
        moment = encode_moment(time.time())
        await run(agent, "young")
        await run(agent, "used")
        assert await agent.memory.forget(moment) == 1
        with pytest.raises(ThreadNotFoundError):
            await agent.memory.read("old", "")
        assert (await agent.memory.read("young", "")).messages
        assert await agent.memory.forget(moment) == 0


async def test_a_thread_that_goes_on_lives_on(url: str) -> None:
    async with open_agent(url) as agent:
        await run(agent, "t-1")
        moment = encode_moment(time.time())
        await run(agent, "t-1")
        assert await agent.memory.forget(moment) == 0


async def test_a_thread_that_a_run_is_on_is_not_forgotten(url: str) -> None:
    async with open_agent(url) as agent:
        await run(agent, "t-1")
        asked = Run("run-2", "id-1", (HumanMessage("hi"),), "t-1")
        async with agent.hold(asked):
            assert await agent.memory.forget(encode_moment(time.time() + 60)) == 0
        assert await agent.memory.forget(encode_moment(time.time() + 60)) == 1


async def test_a_thread_that_a_run_of_another_server_is_on_is_not_forgotten() -> None:
    with PostgresServer() as server:
        async with open_agent(server.url) as agent, open_agent(server.url) as other:
            await run(agent, "t-1")
            async with other.hold(Run("run-2", "id-1", (HumanMessage("hi"),), "t-1")):
                assert await agent.memory.forget(encode_moment(time.time() + 60)) == 0


async def test_threads_are_looked_for_ten_times_within_their_life_also_after_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "plano_agents")
    moments: list[str] = []
    pauses: list[float] = []

    async def forget(moment: str) -> int:
        moments.append(moment)
        if len(moments) == 1:
            raise StoreUnavailableError("out")
        return 2

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await sweep(forget, 100.0, wall_clock=lambda: 1_000.0, sleep=sleep)
    assert (moments, pauses) == ([encode_moment(900.0)] * 2, [10.0, 10.0])
    assert "forgot threads=2 without a step for 100 s" in caplog.text


async def test_a_server_forgets_threads_by_itself(tmp_path: Path) -> None:
    """The sweep is started with the place where threads are kept, and stopped with it."""
    url = f"sqlite:///{tmp_path}/threads.sqlite"
    async with open_agent(url) as agent:
        await run(agent, "t-1")
    forgotten = asyncio.Event()

    class Watched(Memory):
        async def forget(self, moment: str) -> int:
            count = await super().forget(moment)
            forgotten.set()
            return count

    graph = build_graph(Script(("gpt-4o",)), remember=False)
    memory = Watched(graph, build_settings(checkpoints=url, threads={"ttl": 0.001}))
    async with memory.open():
        await forgotten.wait()
        with pytest.raises(ThreadNotFoundError):
            await memory.read("t-1", "")


def test_a_graphs_own_checkpointer_cannot_be_cleared() -> None:
    graph = build_graph(Script()).copy(update={"checkpointer": InMemorySaver()})
    with pytest.raises(ConfigError, match=r"threads\.ttl: .* Name a place under 'checkpoints'"):
        Memory(graph, build_settings(threads={"ttl": 60}))


async def test_nothing_is_kept_of_a_run_without_a_thread_unless_it_is_asked_for(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        graph = build_graph(Script(("gpt-4o",)), remember=True)
        client = await stack.enter_async_context(call_app(graph))
        plain = (await client.post("/agent/run", json={"input": "hi"})).json()
        kept = (await client.post("/agent/run", json={"input": "hi", "keep_thread": True})).json()
        history = (await client.get(f"/threads/{kept['thread_id']}")).json()
    saver = graph.checkpointer
    assert isinstance(saver, InMemorySaver)
    assert plain["thread_id"] is None
    assert [*saver.storage] == [kept["thread_id"]]
    assert len(history["messages"]) == 2
