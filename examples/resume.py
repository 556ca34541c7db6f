"""A conversation that goes on with its model after the router was started anew: the pin is in the transcript.

    scripts/uv run --group examples examples/resume.py

It always starts routers of its own, for it is their memory that is lost.
"""

import tempfile
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from offline import CONFIG, show_plano

from plano_agents import ChatPlano
from plano_agents.testing import offline_router

THREAD: RunnableConfig = {"configurable": {"thread_id": "t-42"}}


def take_turn(url: str, checkpoints: Path, question: str) -> None:
    """Take one turn of the conversation, as a process of its own would."""
    with SqliteSaver.from_conn_string(str(checkpoints)) as saver:
        agent = create_agent(ChatPlano(base_url=url, affinity="thread"), tools=[], checkpointer=saver)
        said = agent.invoke({"messages": [HumanMessage(question)]}, THREAD)["messages"]
    show_plano(f"message {len(said)}", said[-1].response_metadata["plano"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoints.sqlite"
        with offline_router(CONFIG) as router:
            take_turn(router, file, "Weigh the trade-offs of two queue designs, then decide.")
        print("-- the router is started anew, and knows nothing")
        with offline_router(CONFIG) as router:
            take_turn(router, file, "Now write a function with boilerplate code for it.")
            take_turn(router, file, "And a function that tests it.")
