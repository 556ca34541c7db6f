"""Pydantic AI: `plano_agents.openai.AsyncOpenAI` as the provider's client."""

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from plano_agents.openai import AsyncOpenAI
from tests.frameworks.driver import QUESTION, weather

NEEDS = ["pydantic-ai-slim[openai]"]
NATIVE = True


async def arun(url: str) -> str:
    """Answer the question."""
    async with AsyncOpenAI(base_url=url) as client:
        model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))
        return str((await Agent(model, tools=[weather]).run(QUESTION)).output)
