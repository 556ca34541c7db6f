"""Haystack: `instrument()`."""

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack.utils import Secret

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["haystack-ai>=3.4"]
NATIVE = False


def build_agent(url: str) -> Agent:
    """An agent with the tool."""
    llm = OpenAIChatGenerator(api_key=Secret.from_token("none"), model="gpt-4o-mini", api_base_url=url)
    return Agent(chat_generator=llm, tools=[create_tool_from_function(weather)])


def run(url: str) -> str:
    """Answer the question, in a thread."""
    return str(build_agent(url).run(messages=[ChatMessage.from_user(QUESTION)])["messages"][-1].text)


async def arun(url: str) -> str:
    """Answer the question, in a task."""
    said = await build_agent(url).run_async(messages=[ChatMessage.from_user(QUESTION)])
    return str(said["messages"][-1].text)
