"""smolagents: `instrument()`."""

from smolagents import OpenAIModel, ToolCallingAgent, tool

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["smolagents[openai]>=1.26"]
NATIVE = False


def run(url: str) -> str:
    """Answer the question."""
    model = OpenAIModel("gpt-4o-mini", api_base=url, api_key="none", parallel_tool_calls=False)
    agent = ToolCallingAgent([tool(weather)], model, max_steps=2, verbosity_level=0)
    agent.run(QUESTION)
    return str(agent.memory.get_full_steps())
