"""Agno: `instrument()`."""

from agno.agent import Agent
from agno.models.openai.like import OpenAILike

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["agno>=3.1", "openai"]
NATIVE = False


def build_agent(url: str) -> Agent:
    """An agent with the tool."""
    model = OpenAILike(id="gpt-4o-mini", base_url=url, api_key="none")
    return Agent(model=model, tools=[weather], telemetry=False)


def run(url: str) -> str:
    """Answer the question, in a thread."""
    return str(build_agent(url).run(QUESTION).content)


async def arun(url: str) -> str:
    """Answer the question, in a task."""
    return str((await build_agent(url).arun(QUESTION)).content)
