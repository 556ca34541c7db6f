"""Strands Agents: `instrument()`."""

from strands import Agent, tool
from strands.models.openai import OpenAIModel

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["strands-agents[openai]>=1.62"]
NATIVE = False


def build_agent(url: str) -> Agent:
    """An agent with the tool."""
    model = OpenAIModel(client_args={"base_url": url, "api_key": "none"}, model_id="gpt-4o-mini")
    return Agent(model, tools=[tool(weather)], callback_handler=None)


def run(url: str) -> str:
    """Answer the question, in a thread."""
    return str(build_agent(url)(QUESTION))


async def arun(url: str) -> str:
    """Answer the question, in a task."""
    return str(await build_agent(url).invoke_async(QUESTION))
