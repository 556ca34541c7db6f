"""LangGraph, LangChain: `ChatPlano`; stock models by `ModelAffinityMixin` or `ModelAffinityMiddleware`.

Not covered: A stream of a wrapped model (`bind`, `|`) that is read after its scope has ended.
"""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from plano_agents import ChatPlano
from tests.frameworks.driver import QUESTION, weather

NEEDS = ["langgraph"]
NATIVE = True


def run(url: str) -> str:
    """Answer the question, in a thread."""
    agent = create_agent(ChatPlano(base_url=url), [weather])
    return str(agent.invoke({"messages": [HumanMessage(QUESTION)]})["messages"][-1].text)


async def arun(url: str) -> str:
    """Answer the question, in a task."""
    agent = create_agent(ChatPlano(base_url=url), [weather])
    return str((await agent.ainvoke({"messages": [HumanMessage(QUESTION)]}))["messages"][-1].text)
