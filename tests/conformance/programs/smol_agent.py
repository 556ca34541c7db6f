"""A tool-calling agent of smolagents: ``smol_agent.py WORDS plain|streamed``."""

import os
import sys

from smolagents import OpenAIServerModel, ToolCallingAgent, tool

words, form = sys.argv[1:]


@tool
def shell(command: str) -> str:
    """Run a command.

    Args:
        command: The command.
    """
    return f"ran {command}"


model = OpenAIServerModel(os.environ["MODEL"], api_base=os.environ["OPENAI_BASE_URL"], api_key="none")
print(ToolCallingAgent([shell], model, stream_outputs=form == "streamed").run(words))
