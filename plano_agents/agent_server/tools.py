"""A deadline for every call of a tool.

It is set in the graph's tool nodes, at any depth, where the model can be told and the run goes on. A tool that a node
of another kind calls by itself has the run's deadline alone; so has a synchronous tool's thread, which Python cannot
stop: its result is dropped.
"""

import asyncio
from typing import Any, Literal

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.runnables import Runnable
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode

STOPPED = "plano_tool_stopped"
"""The custom event that tells of a tool that was stopped: its call's id, and what the model is told."""

Graph = CompiledStateGraph[Any, Any, Any, Any]


def limit_tools(graph: Graph, seconds: float) -> Graph:
    """Copy a graph, with a deadline for its tools.

    Args:
        graph: The graph, which stays as it is.
        seconds: How long one call may take.
    """
    nodes = {}
    for name, node in graph.nodes.items():
        bound = _limit(node.bound, seconds)
        subgraphs = [bound] if isinstance(bound, CompiledStateGraph) else node.subgraphs
        nodes[name] = node if bound is node.bound else node.copy({"bound": bound, "subgraphs": subgraphs})
    return graph.copy(update={"nodes": nodes})


def _limit(bound: Runnable[Any, Any], seconds: float) -> Runnable[Any, Any]:
    if isinstance(bound, ToolNode):
        return _build_limited(bound, seconds)
    return limit_tools(bound, seconds) if isinstance(bound, CompiledStateGraph) else bound


class _Limited(ToolNode):
    """A tool node with a deadline, mixed into the class of the one that it is a copy of."""

    seconds: float

    async def _arun_one(
        self,
        call: ToolCall,
        input_type: Literal["list", "dict", "tool_calls"],
        tool_runtime: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - both LangGraph's
        deadline = asyncio.timeout(self.seconds)
        try:
            async with deadline:
                return await super()._arun_one(call, input_type, tool_runtime)
        except TimeoutError:
            if not deadline.expired():
                raise
        said = f"The tool took longer than {self.seconds:g} s and was stopped."
        # A cancelled tool ends without a callback; listeners hear of it by this one.
        told = {"tool_call_id": call["id"], "result": said}
        await adispatch_custom_event(STOPPED, told, config=tool_runtime.config)
        return ToolMessage(said, tool_call_id=call["id"] or "", name=call["name"], status="error")


def _build_limited(node: ToolNode, seconds: float) -> ToolNode:
    kind: type[ToolNode] = type(type(node).__name__, (_Limited, type(node)), {})
    limited = object.__new__(kind)
    # What it calls was bound to the original.
    limited.__dict__.update(node.__dict__, seconds=seconds, func=limited._func, afunc=limited._afunc)
    return limited
