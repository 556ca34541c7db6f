"""One run of an agent: messages in, events out.

Works for any compiled LangGraph graph whose state has ``messages``. The run's affinity id goes into the graph's
config; the scope that tools' own requests read it from is opened by the caller, for one opened here, inside a
generator, would leak into its consumer.
"""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage
from langgraph.pregel import Pregel
from langgraph.types import StreamMode

from plano_agents.agent_server.events import Event, Run
from plano_agents.agent_server.failures import describe_failure
from plano_agents.agent_server.log import RunLog
from plano_agents.agent_server.memory import HeldThread, Memory, build_config
from plano_agents.agent_server.metrics import AgentMetrics
from plano_agents.agent_server.recorder import RunRecorder
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.agent_server.tools import Graph, limit_tools
from plano_agents.errors import ConfigError, InterruptedRunError, PlanoError
from plano_agents.http.server.budget import BufferBudget

if TYPE_CHECKING:
    from plano_agents.agent_server.tracing import Tracing


class Agent:
    """A graph, and the runs on it.

    Args:
        graph: A compiled graph with a ``messages`` state.
        settings: What runs may do, and where threads are kept.
        buffered: Counts the bytes that are buffered for clients; None where nothing does.
        clock: Seconds on a clock that never goes back.

    Raises:
        ConfigError: The graph is not compiled, or has no ``messages`` state.
    """

    def __init__(
        self,
        graph: Graph,
        settings: ServerSettings | None = None,
        *,
        buffered: BufferBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(graph, Pregel):
            raise ConfigError(
                f"An agent is a compiled LangGraph graph; got {type(graph).__name__!r}. Give what "
                "StateGraph(…).compile() or langchain.agents.create_agent(…) returns."
            )
        if "messages" not in graph.channels:
            raise ConfigError(
                f"The graph {graph.get_name()!r} has no 'messages' in its state, only {sorted(graph.channels)!r}. "
                "Build its state on langgraph.graph.MessagesState."
            )
        self.settings = settings if settings is not None else ServerSettings()
        self.memory = Memory(limit_tools(graph, self.settings.tool_seconds), self.settings)
        self.clock = clock
        self.tracing: Tracing | None = None
        self.metrics = AgentMetrics(buffered)

    def hold(self, run: Run) -> AbstractAsyncContextManager[HeldThread]:
        """Keep other runs off a run's thread, as `Memory.hold` says.

        The run releases it when its graph has ended, before its answer is told: who has the answer may go on at once.
        """
        return self.memory.hold(run.thread_id, run_id=run.run_id, owner=run.owner)

    async def run(self, run: Run, thread: HeldThread) -> AsyncGenerator[Event, None]:
        """Run the graph; closing the iterator cancels it.

        Args:
            run: What to run. Hold its affinity id's scope while iterating.
            thread: Its thread, held.

        Yields:
            Events as they happen, and the `Answer` last.

        Raises:
            PlanoError: The run failed; nothing follows.
        """
        recorder = RunRecorder(self.clock)
        last: AnyMessage | None = None
        async with self.watch(run, thread, recorder) as log:
            log.begin(run.messages)
            async with aclosing(self._steps(run, thread, recorder)) as steps:
                async for messages in steps:
                    last = messages[-1] if messages else last
                    for event in recorder.drain():
                        log.event(event)
                        yield event
            output = str(last.text) if last is not None and not isinstance(last, HumanMessage) else ""
            answer = recorder.answer(run, output)
            log.done(answer)
        yield answer

    @asynccontextmanager
    async def watch(self, run: Run, thread: HeldThread, recorder: RunRecorder) -> AsyncGenerator[RunLog, None]:
        """Be with a run until its graph has ended: log and trace it, tell its failure as ours, release its thread.

        Args:
            run: The run.
            thread: Its thread.
            recorder: Knows what happened in it; what a failed run left there is logged.

        Raises:
            PlanoError: What happens in the context failed.
        """
        with self.tracing.run(run) if self.tracing is not None else nullcontext():
            async with self._watch(run, thread, recorder) as log:
                yield log

    def callbacks(self, run: Run, *own: BaseCallbackHandler) -> list[BaseCallbackHandler]:
        """The callbacks of a watched run's graph: the given ones, and the tracer's."""
        return [*own, *(self.tracing.callbacks(run) if self.tracing is not None else ())]

    @asynccontextmanager
    async def _watch(self, run: Run, thread: HeldThread, recorder: RunRecorder) -> AsyncGenerator[RunLog, None]:
        log = RunLog(
            run.run_id,
            thread_id=run.thread_id,
            owner=run.owner,
            affinity_id=run.affinity_id,
            log_content=self.settings.log_content,
            clock=self.clock,
        )
        outcome = "done"
        failure: PlanoError | None = None
        self.metrics.begin_run()
        try:
            yield log
        except Exception as error:
            for event in recorder.drain():
                log.event(event)
            failure = describe_failure(error, run_id=run.run_id, recursion_limit=self.settings.recursion_limit)
            outcome = failure.code
            raise failure from error
        except BaseException:
            outcome = "cancelled"
            log.cancelled()
            raise
        finally:
            del failure  # what is raised holds this frame: a cycle
            self.metrics.end_run(outcome, log.seconds, log.answer)
            await thread.release()

    async def _steps(
        self, run: Run, thread: HeldThread, recorder: RunRecorder
    ) -> AsyncGenerator[Sequence[AnyMessage], None]:
        """Drive the graph.

        Yields:
            The conversation where a step changed it, else nothing: a sign that the recorder may have news.
        """
        config = build_config(
            self.settings,
            affinity_id=run.affinity_id,
            thread_id=run.thread_id,
            owner=run.owner,
            has_own_id=run.has_own_id,
        )
        config["callbacks"] = self.callbacks(run, recorder)
        # Not only where a step is due: a run that ended between its tools and their checkpoint shows none.
        results = close_tool_calls(thread.take_messages())
        # "messages" is what makes LangGraph stream the models; their text is read by the recorder. "updates" tell of
        # each step within a step.
        modes: list[StreamMode] = ["values", "updates", "messages"] if run.tokens else ["values"]
        stream = cast(
            "AsyncGenerator[tuple[tuple[str, ...], str, Any], None]",
            thread.graph.astream({"messages": [*results, *run.messages]}, config, stream_mode=modes, subgraphs=True),
        )
        async with aclosing(stream):
            async for namespace, mode, data in stream:
                if mode != "values" or namespace:
                    yield ()
                    continue
                if "__interrupt__" in data:
                    raise InterruptedRunError(
                        "The agent stopped to wait for a human. This server does not resume runs: take the "
                        "interrupt out of the graph, or serve it with LangGraph's own server."
                    )
                yield data["messages"]


def close_tool_calls(messages: Sequence[AnyMessage]) -> list[ToolMessage]:
    """Answer the tool calls that an unfinished run left open, for providers refuse a transcript with such.

    Args:
        messages: The thread's conversation, results included that no step has committed: LangGraph shows them, and
            drops them when the thread goes on.

    Returns:
        A message for each call of the last model message: its result, with its id, so that a committed one is
        replaced by itself; or a note that there is none.
    """
    results: dict[str, ToolMessage] = {}
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            results[message.tool_call_id] = message
        elif isinstance(message, AIMessage):
            return [results.get(call["id"] or "") or _note_missing_result(call) for call in message.tool_calls]
    return []


def _note_missing_result(call: ToolCall) -> ToolMessage:
    return ToolMessage(
        "The run ended before this tool answered.",
        tool_call_id=call["id"] or "",
        name=call["name"],
        status="error",
    )
