"""A run of claude-agent-sdk: ``claude_agent.py WORDS streamed``."""

import asyncio
import sys

from claude_agent_sdk import ClaudeAgentOptions, query


async def main() -> None:
    options = ClaudeAgentOptions(allowed_tools=["Bash", "Read", "Write", "Agent"])
    async for message in query(prompt=sys.argv[1], options=options):
        if (result := getattr(message, "result", None)) is not None:
            print(result)


asyncio.run(main())
