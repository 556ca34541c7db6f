"""AutoGen: `instrument()`."""

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["autogen-agentchat>=0.7", "autogen-ext[openai]>=0.7"]
NATIVE = False


async def report_weather(city: str) -> str:
    """Weather in a city."""
    return weather(city)


async def arun(url: str) -> str:
    """Answer the question."""
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=url, api_key="none")
    agent = AssistantAgent("reporter", client, tools=[report_weather], reflect_on_tool_use=True)
    said = await agent.run(task=QUESTION)
    return str(said.messages[-1])
