"""Agents that replace a conversation's history by a summary, or hand work to sub-agents."""

import json
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents import ChatPlano, model_affinity
from tests.end_to_end.routers import CODE, GPT, MINI, TALK, asked, run_router, told

THREAD: RunnableConfig = {"configurable": {"thread_id": "t-42"}}


def ask(text: str) -> Any:  # noqa: ANN401 - a graph's input
    return {"messages": [HumanMessage(text)]}


async def test_a_thread_whose_history_is_summarized_keeps_its_model(tmp_path: Path) -> None:
    """Nothing is left of the words by which it was routed, nor an answer that could hint at its model."""

    async def look_up() -> str:
        """Look something up."""
        return "found"

    async with run_router(tmp_path) as (router, provider):
        llm = ChatPlano(base_url=router.url, affinity="thread")
        summarize = SummarizationMiddleware(llm, trigger=("messages", 5), keep=("messages", 1))
        agent: Any = create_agent(llm, [look_up], middleware=[summarize], checkpointer=InMemorySaver())
        await agent.ainvoke(ask(CODE), THREAD)
        state = await agent.ainvoke(ask(TALK), THREAD)
    summarized = next(exchange for exchange in provider.exchanges[3:])
    assert CODE not in summarized.body.decode()
    assert "x-model-affinity-hint" not in summarized.headers
    assert json.loads(summarized.body)["messages"][-1]["content"] == TALK
    assert told(state) == [(GPT, "retain", "pinned")] * 2
    assert asked(provider) == ["gpt-4o"] * 5


async def test_a_sub_agent_in_a_lane_has_a_model_of_its_own_and_its_parent_keeps_its(tmp_path: Path) -> None:
    async with run_router(tmp_path) as (router, provider):
        llm = ChatPlano(base_url=router.url)
        researcher: Any = create_agent(llm)
        researched = []

        async def look_up() -> str:
            """Let a sub-agent look something up, twice."""
            with model_affinity(lane="researcher"):
                researched.extend([told(await researcher.ainvoke(ask(text))) for text in (TALK, CODE)])
            return "found"

        agent: Any = create_agent(llm, [look_up])
        with model_affinity("run-1"):
            state = await agent.ainvoke(ask(CODE))
    assert told(state) == [(GPT, "initialize", "first_turn"), (GPT, "retain", "pinned")]
    assert researched == [[(MINI, "initialize", "first_turn")], [(MINI, "retain", "pinned")]]
    assert asked(provider) == ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
