"""The agent server's cost over the bare graph: per run, whole and as events, with and without memory.

Run it with ``scripts/uv run --group dev benchmarks/agent_server.py``. The graph is LangChain's agent: a model that
answers at once calls a tool, gets its result and answers. It is run bare (``ainvoke``, or ``astream`` for events), and
by a request over loopback to the server in this process, over one connection; both keep their threads in the same kind
of place. Runs of the one and the other alternate; what is told is the time that passes, and CPU time, client included.
"""

import asyncio
import json
import os
import platform
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import click
import uvloop
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.checkpoints import open_checkpoints
from plano_agents.agent_server.settings import build_settings
from plano_agents.agent_server.tools import Graph
from plano_agents.observe.log import configure_log
from plano_agents.processes.server import Site, running

AIM_MILLISECONDS = 2.0
QUESTION = {"role": "user", "content": "Which database fits a shop with 2,000 orders a second?"}
ANSWER = "Use PostgreSQL. " * 10

Run = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Runs of the bare graph and runs by the server, side by side."""

    name: str
    """What was run."""
    unit: str
    """Which time it is, in ms."""
    bare: list[float] = field(default_factory=list)
    """One for each pair."""
    server: list[float] = field(default_factory=list)
    """One for each pair."""

    @property
    def added(self) -> list[float]:
        """The time that the server adds."""
        return [server - bare for bare, server in zip(self.bare, self.server, strict=True)]

    def to_json(self) -> dict[str, object]:
        """Write it down."""
        low, middle, high = statistics.quantiles(self.added)
        return {
            "name": self.name,
            "unit": self.unit,
            "bare": statistics.median(self.bare),
            "server": statistics.median(self.server),
            "added": {"median": middle, "lower quartile": low, "upper quartile": high},
        }

    def to_line(self) -> str:
        """Write it as a line of the table."""
        low, middle, high = statistics.quantiles(self.added)
        cells = (statistics.median(self.bare), statistics.median(self.server), middle, low, high)
        return f"{self.name:<30}{self.unit:<12}" + "".join(f"{cell:>10.2f}" for cell in cells)


class InstantModel(BaseChatModel):
    """Calls the tool, then answers."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:  # noqa: ANN401, ARG002
        """Know the tools already."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> ChatResult:
        return self._generate(messages)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> AsyncIterator[ChatGenerationChunk]:
        answer = _answer(messages)
        pieces = [AIMessageChunk(content=f"{word} ") for word in answer.text.split()]
        pieces.append(AIMessageChunk(content="", tool_calls=answer.tool_calls, chunk_position="last"))
        for piece in pieces:
            chunk = ChatGenerationChunk(message=piece)
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(piece.text), chunk=chunk)
            yield chunk


def _answer(messages: Sequence[BaseMessage]) -> AIMessage:
    if isinstance(messages[-1], ToolMessage):
        return AIMessage(ANSWER)
    call = {"name": "get_db_benchmarks", "args": {"database": "PostgreSQL"}, "id": f"call_{len(messages)}"}
    return AIMessage("", tool_calls=[{**call, "type": "tool_call"}])


async def get_db_benchmarks(database: str) -> str:
    """Look a database's benchmarks up."""
    return f"{database}: p99 12.4 ms at 2,000 writes a second"


def build_graph() -> Graph:
    """Build the agent."""
    graph: Graph = create_agent(InstantModel(), [get_db_benchmarks], checkpointer=False)
    return graph


@asynccontextmanager
async def run_bare(checkpoints: str, *, events: bool) -> AsyncGenerator[Run, None]:
    """Run the graph itself, on a new thread each time where there are threads."""
    async with open_checkpoints(checkpoints) as opened:
        graph = build_graph().copy(update={"checkpointer": opened.saver if opened is not None else None})

        async def run(number: int) -> object:
            config: Any = {"configurable": {"thread_id": f"bare-{number}"}}
            asked: Any = {"messages": [QUESTION]}
            if events:
                return [each async for each in graph.astream(asked, config, stream_mode=["values", "messages"])]
            return await graph.ainvoke(asked, config)

        yield run


@asynccontextmanager
async def run_server(checkpoints: str, *, events: bool) -> AsyncGenerator[Run, None]:
    """Ask a server for the same, over one connection."""
    app = create_app(build_graph(), build_settings(checkpoints=checkpoints))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with app.router.lifespan_context(app), running([Site(app, listener)]):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def run(number: int) -> object:
            thread = {} if checkpoints == "none" else {"thread_id": f"server-{number}"}
            body = json.dumps({"messages": [QUESTION], **thread}).encode()
            head = ["POST /agent/run HTTP/1.1", "host: localhost", "content-type: application/json"]
            head += [f"content-length: {len(body)}", *(["accept: text/event-stream"] if events else [])]
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer.partition(b"\r\n")[0]:
                raise click.ClickException(f"The server answered {answer!r}.")
            if events:
                return await reader.readuntil(b"\r\n0\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            return await reader.readexactly(int(length.partition(b":")[2]))

        try:
            yield run
        finally:
            writer.close()


async def measure(pairs: int, folder: str, advance: Callable[[str], None]) -> list[Pairs]:
    """Measure everything."""
    measured = []
    for events in (False, True):
        for place, urls in {
            "no memory": ("none", "none"),
            "memory": ("memory", "memory"),
            "SQLite": (
                f"sqlite:///{folder}/bare-{events}.sqlite",
                f"sqlite:///{folder}/server-{events}.sqlite",
            ),
        }.items():
            name = f"{'events' if events else 'whole'}, {place}"
            advance(name)
            passed, busy = Pairs(name, "passed, ms"), Pairs(name, "CPU, ms")
            async with (
                run_bare(urls[0], events=events) as bare,
                run_server(urls[1], events=events) as server,
            ):
                for number in range(-5, pairs):
                    order = [(bare, passed.bare, busy.bare), (server, passed.server, busy.server)]
                    for run, walls, loads in order if number % 2 else reversed(order):
                        wall, load = await _time(run, number)
                        if number >= 0:
                            walls.append(wall)
                            loads.append(load)
            measured += [passed, busy]
    return measured


async def _time(run: Run, number: int) -> tuple[float, float]:
    """Run once; give the time that passed and CPU time, in ms."""
    wall, load = time.perf_counter(), time.process_time()
    await run(number)
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - load) * 1e3


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--pairs", type=click.IntRange(2), default=200, help="How often each pair is run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, pairs: int, as_json: bool) -> None:
    """Measure what the agent server costs over the bare graph."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it has no path
        configure_log("info", environ={}, out=nowhere, err=nowhere)  # as `plano-agents serve` has it
        with (
            tempfile.TemporaryDirectory() as folder,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            measured = runner.run(measure(pairs, folder, lambda step: click.echo(f"measuring: {step} …", err=True)))
    machine = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
    if as_json:
        click.echo(json.dumps({"machine": machine, "figures": [each.to_json() for each in measured]}, indent=2))
        return
    head = ("bare", "server", "added", "quartile", "quartile")
    click.echo(f"{'per run':<42}" + "".join(f"{cell:>10}" for cell in head))
    for each in measured:
        click.echo(each.to_line())
    worst = max(statistics.median(each.added) for each in measured)
    click.echo(f"The server adds {worst:.2f} ms where it adds most; the aim is {AIM_MILLISECONDS:.0f}.")


if __name__ == "__main__":
    main()
