"""An agent of the OpenAI Agents SDK, which takes a client of ours.

scripts/uv run --group examples examples/openai_agents_sdk.py
"""

import asyncio

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from offline import running_router, weather

from plano_agents import model_affinity
from plano_agents.openai import AsyncOpenAI

set_tracing_disabled(disabled=True)  # it would send the run to OpenAI


async def main(url: str) -> None:
    """Run the agent in a scope, and ask the router what it pinned for it."""
    async with AsyncOpenAI(base_url=url) as client, model_affinity() as affinity_id:
        model = OpenAIChatCompletionsModel("gpt-4o-mini", openai_client=client)
        agent = Agent("reporter", model=model, tools=[function_tool(weather)])
        result = await Runner.run(agent, "Weigh the weather in Paris against that in Rome, and decide.")
        print(result.final_output)
        session = await client.get(f"{url.removesuffix('/v1')}/affinity/{affinity_id}", cast_to=dict)
        print(f"{session['turns']} turns, all by {session['model']}")


if __name__ == "__main__":
    with running_router() as router:
        asyncio.run(main(router))
