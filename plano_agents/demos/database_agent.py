"""The database-selection agent as a LangGraph graph: the demo's instructions and tools on `ChatPlano`.

Tools are offered with the very schema that the demo's own loop offers, and answer wrong calls as they do there:
with JSON that the model can read.
"""

import json
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from plano_agents.demos.database_selection import SYSTEM_PROMPT, TOOLS, run_tool
from plano_agents.integrations.langchain import ChatPlano

NAME = "database-agent"
"""What the agent is called."""


def build_tools() -> list[BaseTool]:
    """Build the demo's tools as LangChain's."""
    return [
        StructuredTool(
            name=tool["function"]["name"],
            description=tool["function"]["description"],
            args_schema=dict(tool["function"]["parameters"]),
            func=_bind(tool["function"]["name"]),
        )
        for tool in TOOLS
    ]


def build_graph(
    *,
    base_url: str | None = None,
    model: str = "",
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the agent.

    Args:
        base_url: The router's address; else ``PLANO_BASE_URL``, else ``http://127.0.0.1:12000/v1``.
        model: The model to ask for where no route matches; the router's default where it is empty.
        checkpointer: Where threads are remembered; where it is None, wherever who serves the graph does.

    Returns:
        The graph, with a ``messages`` state.

    Raises:
        ValueError: ``base_url`` is not an http or https address.
    """
    graph: CompiledStateGraph[Any, Any, Any, Any] = create_agent(
        ChatPlano(model=model, base_url=base_url),
        build_tools(),
        system_prompt=SYSTEM_PROMPT,
        checkpointer=checkpointer,
        name=NAME,
    )
    return graph


def make_graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """Build the agent as it is by default; what ``langgraph.json`` and ``plano-agents serve`` name."""
    return build_graph()


def _bind(name: str) -> Callable[..., str]:
    def call(**arguments: object) -> str:
        return run_tool(name, json.dumps(arguments))

    return call
