"""A Pydantic AI agent, which takes a client of ours.

scripts/uv run --group examples examples/pydantic_ai_agent.py
"""

import asyncio

from offline import running_router, weather
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from plano_agents import model_affinity
from plano_agents.openai import AsyncOpenAI


async def main(url: str) -> None:
    """Run the agent in a scope, and ask the router what it pinned for it."""
    async with AsyncOpenAI(base_url=url) as client, model_affinity() as affinity_id:
        model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))
        agent = Agent(model, tools=[weather])
        result = await agent.run("Weigh the weather in Paris against that in Rome, and decide.")
        print(result.output)
        session = await client.get(f"{url.removesuffix('/v1')}/affinity/{affinity_id}", cast_to=dict)
        print(f"{session['turns']} turns, all by {session['model']}")


if __name__ == "__main__":
    with running_router() as router:
        asyncio.run(main(router))
