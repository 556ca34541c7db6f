"""Microsoft Agent Framework: `instrument()`."""

from agent_framework import Agent
from agent_framework.openai import OpenAIChatCompletionClient

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["agent-framework-openai>=1.17"]
NATIVE = False


async def arun(url: str) -> str:
    """Answer the question."""
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=url, api_key="none")
    return str(await Agent(client, tools=[weather]).run(QUESTION))
