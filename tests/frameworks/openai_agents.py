"""OpenAI Agents SDK: `plano_agents.openai.AsyncOpenAI` as the model's client.

Not covered: Its realtime and voice agents, which speak WebSocket.
"""

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled

from plano_agents.openai import AsyncOpenAI
from tests.frameworks.driver import QUESTION, weather

NEEDS = ["openai-agents"]
NATIVE = True

set_tracing_disabled(disabled=True)  # it would send the run to OpenAI


async def arun(url: str) -> str:
    """Answer the question."""
    async with AsyncOpenAI(base_url=url) as client:
        model = OpenAIChatCompletionsModel("gpt-4o-mini", openai_client=client)
        agent = Agent("reporter", model=model, tools=[function_tool(weather)])
        return str((await Runner.run(agent, QUESTION)).final_output)
