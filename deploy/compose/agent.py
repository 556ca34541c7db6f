"""An agent to start from; put your own LangGraph graph in its place."""

from langchain.agents import create_agent

from plano_agents import ChatPlano


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


graph = create_agent(ChatPlano(model="openai/gpt-4o-mini"), [add])
