"""An agent of openai-agents with one tool: ``openai_agents.py WORDS plain|streamed``."""

import asyncio
import os
import sys

from agents import Agent, Runner, function_tool, set_tracing_disabled

set_tracing_disabled(True)
words, form = sys.argv[1:]


@function_tool
def shell(command: str) -> str:
    """Run a command."""
    return f"ran {command}"


async def main() -> None:
    agent = Agent("coder", instructions="You write code.", model=os.environ["MODEL"], tools=[shell])
    if form == "plain":
        print((await Runner.run(agent, words)).final_output)
        return
    streamed = Runner.run_streamed(agent, words)
    async for _ in streamed.stream_events():
        pass
    print(streamed.final_output)


asyncio.run(main())
