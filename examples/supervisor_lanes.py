"""A supervisor with three sub-agents: a pin for each, in lanes of their own, or one for all.

scripts/uv run --group examples examples/supervisor_lanes.py
"""

import asyncio
from contextlib import nullcontext

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from offline import running_router, show_plano

from plano_agents import ChatPlano, model_affinity

JOBS = {
    "analyst": "Weigh the trade-offs of two queue designs and reason about which is better.",
    "programmer": "Write a Python function with boilerplate code for a queue.",
    "greeter": "Say hello.",
}


async def delegate(llm: ChatPlano, name: str, *, lane: bool) -> None:
    """Let a sub-agent do its job, in a lane of the supervisor's scope or in that scope itself."""
    agent = create_agent(llm, tools=[])
    with model_affinity(lane=name) if lane else nullcontext():
        said = await agent.ainvoke({"messages": [HumanMessage(JOBS[name])]})
    show_plano(name, said["messages"][-1].response_metadata["plano"])


async def supervise(llm: ChatPlano, *, lanes: bool) -> None:
    """Hand out the jobs twice, each time side by side."""
    async with model_affinity():
        for _ in range(2):
            await asyncio.gather(*(delegate(llm, name, lane=lanes) for name in JOBS))


if __name__ == "__main__":
    with running_router() as url:
        model = ChatPlano(base_url=url)
        print("A lane for each:")
        asyncio.run(supervise(model, lanes=True))
        print("\nOne scope for all:")
        asyncio.run(supervise(model, lanes=False))
