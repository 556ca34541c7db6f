"""One turn of a checkpointed conversation; as a script, in a process of its own.

The arguments are the router's base URL, the checkpoints' address, the thread's id and the question; what the router
said of the turn is printed as JSON.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from plano_agents import ChatPlano


@dataclass(frozen=True, slots=True)
class Turn:
    """The outcome of a turn."""

    model: str
    reason: str
    messages: int


@contextmanager
def open_checkpoints(address: str) -> Iterator[BaseCheckpointSaver[Any]]:
    """Open a checkpointer: a PostgreSQL's URL, or an SQLite's file."""
    kind = PostgresSaver if address.startswith("postgresql://") else SqliteSaver
    with kind.from_conn_string(address) as checkpoints:
        checkpoints.setup()
        yield checkpoints


def name_model(values: dict[str, Any]) -> str | None:
    """The model that made a conversation's last message."""
    messages = values.get("messages") or [HumanMessage("")]
    model: str | None = messages[-1].response_metadata.get("plano", {}).get("model")
    return model


def take_turn(
    router: str, address: str, thread_id: str, question: str, *, after: str | None = None, **configurable: str
) -> Turn:
    """Take a turn; with ``after``, from where that model had last answered."""
    config: RunnableConfig = {"configurable": {"thread_id": thread_id} | configurable}
    with open_checkpoints(address) as checkpoints:
        agent = create_agent(ChatPlano(base_url=router, affinity="thread"), tools=[], checkpointer=checkpoints)
        if after is not None:
            history = agent.get_state_history(config)
            past = next(state for state in history if name_model(state.values) == after)
            config["configurable"] |= past.config["configurable"]
        said = agent.invoke({"messages": [HumanMessage(question)]}, config)["messages"]
    told = said[-1].response_metadata["plano"]
    return Turn(told["model"], told["reason"], len(said))


if __name__ == "__main__":
    print(json.dumps(asdict(take_turn(*sys.argv[1:]))))  # noqa: T201 - its answer
