"""A LangGraph agent whose whole conversation keeps its model, by its thread's id.

scripts/uv run --group examples examples/langgraph_agent.py
"""

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from offline import running_router, show_plano, weather

from plano_agents import ChatPlano

QUESTIONS = (
    "Weigh the trade-offs: is the weather better in Paris or in Rome?",
    "Now write a function with boilerplate code that prints it.",
)

if __name__ == "__main__":
    with running_router() as url:
        agent = create_agent(ChatPlano(base_url=url, affinity="thread"), [weather], checkpointer=InMemorySaver())
        thread: RunnableConfig = {"configurable": {"thread_id": "t-42"}}
        for question in QUESTIONS:
            print(f"\n> {question}")
            said = agent.invoke({"messages": [HumanMessage(question)]}, thread)["messages"]
            start = max(at for at, message in enumerate(said) if isinstance(message, HumanMessage))
            for message in said[start:]:
                if isinstance(message, AIMessage):
                    show_plano("turn", message.response_metadata["plano"])
            print(said[-1].text)
