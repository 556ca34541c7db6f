"""CrewAI: `instrument()`."""

import os

os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

from tests.frameworks.driver import QUESTION, weather

NEEDS = ["crewai>=1.15"]
NATIVE = False


def build_crew(url: str) -> Crew:
    """One agent with one task."""
    llm = LLM(model="openai/gpt-4o-mini", base_url=url, api_key="none")
    agent = Agent(role="reporter", goal="report", backstory="a reporter", llm=llm, tools=[tool(weather)], max_iter=4)
    task = Task(description=QUESTION, expected_output="degrees", agent=agent)
    return Crew(agents=[agent], tasks=[task])


def run(url: str) -> str:
    """Answer the question, in a thread."""
    return str(build_crew(url).kickoff())


async def arun(url: str) -> str:
    """Answer the question, in a task."""
    return str(await build_crew(url).kickoff_async())
