"""An agent loop by hand, on the OpenAI SDK: every turn asks the model that the first turn was given.

scripts/uv run --group examples examples/openai_loop.py
"""

import json
from typing import Any

from offline import running_router, show_turn, weather

from plano_agents import model_affinity
from plano_agents.openai import OpenAI

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
                "required": ["city"],
            },
        },
    }
]


def run_loop(client: OpenAI, question: str) -> str:
    """Ask, call the tools that the model wants called, and ask again, until it answers in words."""
    messages: list[Any] = [{"role": "user", "content": question}]
    while True:
        answer = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=messages, tools=TOOLS)
        show_turn("turn", answer.headers)
        message: Any = answer.parse().choices[0].message
        if not message.tool_calls:
            return str(message.content)
        messages.append(message)
        for call in message.tool_calls:
            result = weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


if __name__ == "__main__":
    with running_router() as url, OpenAI(base_url=url) as client, model_affinity() as affinity_id:
        print(f"affinity id    {affinity_id}")
        print(run_loop(client, "Weigh the trade-offs: is the weather better in Paris or in Rome?"))
