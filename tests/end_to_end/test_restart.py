"""A router that keeps pins in its own memory is stopped and started again while an agent's thread goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents import ChatPlano
from plano_agents.affinity import AffinitySource
from tests.end_to_end.routers import CODE, GPT, MINI, TALK, asked, run_router, told

THREAD: RunnableConfig = {"configurable": {"thread_id": "t-42"}}


def build_agent(url: str, look_up: Callable[..., Any], affinity: AffinitySource = "run") -> Any:  # noqa: ANN401 - a compiled graph's type
    return create_agent(ChatPlano(base_url=url, affinity=affinity), [look_up], checkpointer=InMemorySaver())


async def test_a_thread_goes_on_with_its_model_after_the_router_was_restarted_between_two_runs(
    tmp_path: Path,
) -> None:
    """The second run's words alone would be routed to the other model, as a thread of its own shows."""

    async def look_up() -> str:
        """Look something up."""
        return "found"

    async with run_router(tmp_path) as (router, provider):
        agent = build_agent(router.url, look_up, "thread")
        await agent.ainvoke({"messages": [HumanMessage(CODE)]}, THREAD)
        await router.restart()
        state = await agent.ainvoke({"messages": [HumanMessage(TALK)]}, THREAD)
        other = await agent.ainvoke({"messages": [HumanMessage(TALK)]}, {"configurable": {"thread_id": "other"}})
    assert told(state) == [
        (GPT, "initialize", "first_turn"),
        (GPT, "retain", "pinned"),
        (GPT, "initialize", "hint"),
        (GPT, "retain", "pinned"),
    ]
    assert told(other) == [(MINI, "initialize", "first_turn"), (MINI, "retain", "pinned")]
    assert asked(provider) == ["gpt-4o"] * 4 + ["gpt-4o-mini"] * 2


async def test_a_thread_that_began_with_small_talk_goes_to_another_model_for_another_question(tmp_path: Path) -> None:
    """An id is a run's own unless a thread's is asked for; the transcript's models decide nothing for the next run."""

    async def look_up() -> str:
        """Look something up."""
        return "found"

    async with run_router(tmp_path) as (router, provider):
        agent = build_agent(router.url, look_up)
        await agent.ainvoke({"messages": [HumanMessage(TALK)]}, THREAD)
        state = await agent.ainvoke({"messages": [HumanMessage(CODE)]}, THREAD)
    assert told(state) == [
        (MINI, "initialize", "first_turn"),
        (MINI, "retain", "pinned"),
        (GPT, "initialize", "first_turn"),
        (GPT, "retain", "pinned"),
    ]
    assert asked(provider) == ["gpt-4o-mini"] * 2 + ["gpt-4o"] * 2


async def test_a_loop_goes_on_with_its_model_after_the_router_was_restarted_within_it(
    tmp_path: Path,
) -> None:
    """The router is another process when the tool's result is sent than when the tool was called."""
    processes: list[int] = []

    async with run_router(tmp_path) as (router, provider):

        async def look_up() -> str:
            """Look something up."""
            processes.append(router.process.process.pid)
            await router.restart()
            processes.append(router.process.process.pid)
            return TALK

        agent = build_agent(router.url, look_up)
        state = await agent.ainvoke({"messages": [HumanMessage(CODE)]}, THREAD)
    assert len(set(processes)) == 2
    assert told(state) == [(GPT, "initialize", "first_turn"), (GPT, "initialize", "hint")]
    assert asked(provider) == ["gpt-4o"] * 2
