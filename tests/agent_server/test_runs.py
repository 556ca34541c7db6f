# ruff: noqa: ANN401 - what is left out of a run is filled in
"""Runs of a graph: what is reported, what is remembered, what a failure becomes."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import interrupt

from plano_agents.affinity import current_affinity_id, model_affinity
from plano_agents.agent_server.events import Answer, Event, ModelCall, Run, Token, ToolResult
from plano_agents.agent_server.runs import Agent, close_tool_calls
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.agent_server.tools import Graph
from plano_agents.errors import ConfigError, InterruptedRunError, PlanoError, StepLimitError, ThreadBusyError
from tests.agent_server.conftest import Script, ScriptedModel, build_graph, look_up


async def collect(agent: Agent, **given: Any) -> list[Event]:
    run = Run(**{"run_id": "run_1", "affinity_id": "id-1", "messages": (HumanMessage("Which city?"),)} | given)
    with model_affinity(run.affinity_id):
        async with agent.hold(run) as thread, aclosing(agent.run(run, thread)) as events:
            return [event async for event in events]


async def answer(agent: Agent, **given: Any) -> Answer:
    last = (await collect(agent, **given))[-1]
    assert isinstance(last, Answer)
    return last


def pick(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_each_model_call_is_a_turn_with_what_the_router_said() -> None:
    turns = pick(await collect(Agent(build_graph(Script(("gpt-4o", "claude"))))), ModelCall)
    assert [(turn.turn, turn.model, turn.route, turn.decision, turn.reason) for turn in turns] == [
        (1, "gpt-4o", "lookup", "initialize", "first_turn"),
        (2, "claude", "lookup", "retain", "pinned"),
    ]
    assert [turn.tool_calls for turn in turns] == [("look_up", "look_up"), ()]


async def test_durations_are_measured_per_model_call_on_the_given_clock() -> None:
    seconds = iter([0.0, 10.0, 10.812, 20.0, 21.5, 30.0, 30.0])
    agent = Agent(build_graph(Script()), clock=lambda: next(seconds))
    assert [turn.duration_ms for turn in (await answer(agent)).turns] == [812, 1500]


async def test_the_answer_comes_last_and_sums_up() -> None:
    given = await answer(Agent(build_graph(Script(("gpt-4o", "claude", "gpt-4o")))))
    assert (given.output, given.switches) == ("Oslo, says gpt-4o", 2)
    assert (given.usage.input_tokens, given.usage.output_tokens, given.usage.cache_read_tokens) == (
        300,
        30,
        128,
    )


async def test_a_tools_result_names_the_turn_and_the_arguments_it_was_called_with() -> None:
    results = pick(await collect(Agent(build_graph(Script()))), ToolResult)
    assert sorted(results, key=lambda result: result.result) == [
        ToolResult(1, "look_up", {"city": "Oslo"}, "Oslo is a city"),
        ToolResult(1, "look_up", {"city": "Rome"}, "Rome is a city"),
    ]


async def test_a_turn_is_told_of_before_the_next_one_has_ended() -> None:
    go_on = asyncio.Event()

    async def hold_the_second_turn_up() -> None:
        if script.asked:
            await go_on.wait()

    script = Script(wait=hold_the_second_turn_up)
    run = Run("run_1", "id-1", (HumanMessage("Which city?"),))
    agent = Agent(build_graph(script))
    async with agent.hold(run) as thread, aclosing(agent.run(run, thread)) as events:
        assert isinstance(await anext(events), ModelCall)
        go_on.set()
        assert isinstance([event async for event in events][-1], Answer)


async def test_streamed_tokens_make_up_each_turns_text() -> None:
    tokens = pick(await collect(Agent(build_graph(Script())), tokens=True), Token)
    assert "".join(token.text for token in tokens if token.turn == 2) == "Oslo, says gpt-4o "


async def test_a_run_without_tokens_does_not_stream_its_models() -> None:
    assert pick(await collect(Agent(build_graph(Script()))), Token) == []


async def test_streaming_changes_nothing_in_turns_and_usage() -> None:
    plain, streamed = [await answer(Agent(build_graph(Script())), tokens=tokens) for tokens in (False, True)]
    assert [(turn.model, turn.tool_calls, turn.reason) for turn in streamed.turns] == [
        (turn.model, turn.tool_calls, turn.reason) for turn in plain.turns
    ]
    assert streamed.usage == plain.usage


async def test_a_tools_own_model_call_is_a_turn_and_carries_the_id() -> None:
    inner = Script(("claude",))

    @tool
    async def consult(city: str) -> str:
        """Ask another model."""
        return str((await ScriptedModel(script=inner).ainvoke(f"About {city}?")).text)

    agent = Agent(build_graph(Script(tool="consult"), consult))
    given = await answer(agent)
    assert [turn.model for turn in given.turns] == ["gpt-4o", "claude", "claude", "gpt-4o"]
    assert [asked.affinity_id for asked in inner.asked] == ["id-1", "id-1"]


async def test_a_sub_agents_calls_are_turns_and_carry_the_id() -> None:
    inner = Script(("claude", "claude"))
    helper = build_graph(inner, remember=False)

    @tool
    async def delegate(city: str) -> str:
        """Have another agent look."""
        answered = await helper.ainvoke({"messages": [HumanMessage(city)]})
        return str(answered["messages"][-1].text)

    given = await answer(Agent(build_graph(Script(tool="delegate"), delegate)), tokens=True)
    assert len(given.turns) == 6
    assert {asked.affinity_id for asked in inner.asked} == {"id-1"}


async def test_a_synchronous_tool_finds_the_id_in_scope() -> None:
    found = []

    @tool
    def look_around(city: str) -> str:
        """Note the scope."""
        found.append(current_affinity_id())
        return city

    await answer(Agent(build_graph(Script(tool="look_around"), look_around)))
    assert found == ["id-1", "id-1"]


async def test_a_thread_remembers_what_was_said() -> None:
    script = Script(("gpt-4o",))
    agent = Agent(build_graph(script))
    await answer(agent, thread_id="t-1")
    await answer(agent, thread_id="t-1", messages=(HumanMessage("And now?"),))
    assert [message.text for message in script.asked[-1].messages] == [
        "Which city?",
        "Oslo, says gpt-4o",
        "And now?",
    ]


async def test_turns_of_earlier_runs_on_the_thread_are_not_counted_again() -> None:
    agent = Agent(build_graph(Script(("gpt-4o",))))
    await answer(agent, thread_id="t-1")
    assert len((await answer(agent, thread_id="t-1")).turns) == 1


async def test_a_run_without_a_thread_leaves_nothing_behind() -> None:
    saver = InMemorySaver()
    graph = create_agent(ScriptedModel(script=Script()), [look_up], checkpointer=saver)
    await answer(Agent(graph))
    assert list(saver.list(None)) == []


async def test_a_thread_goes_on_after_a_run_that_was_cancelled_in_a_tool() -> None:
    entered, never = asyncio.Event(), asyncio.Event()

    @tool
    async def hang(city: str) -> str:
        """Answer for Oslo only."""
        if city == "Rome":
            entered.set()
            await never.wait()
        return city

    script = Script(tool="hang")
    agent = Agent(build_graph(script, hang))
    first = asyncio.create_task(answer(agent, thread_id="t-1"))
    await entered.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    script.models = ("gpt-4o",)
    await answer(agent, thread_id="t-1", messages=(HumanMessage("And now?"),))
    assert find_open_calls(script.asked[-1].messages) == set()


class FailingSaver(InMemorySaver):
    """Keeps what a step's tools wrote, and fails to keep the step itself."""

    step: int | None = 2
    """The step that fails; the tools are the second."""

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        if metadata["step"] == self.step:
            raise OSError
        return await super().aput(config, checkpoint, metadata, new_versions)


async def test_a_thread_goes_on_after_a_run_that_ended_between_its_tools_and_their_checkpoint() -> None:
    saver, script = FailingSaver(), Script()
    graph: Graph = create_agent(ScriptedModel(script=script), [look_up], checkpointer=saver)
    agent = Agent(graph)
    with pytest.raises(PlanoError):
        await answer(agent, thread_id="t-1")
    saver.step = None
    script.models = ("gpt-4o",)
    await answer(agent, thread_id="t-1", messages=(HumanMessage("And now?"),))
    kinds = [message.type for message in script.asked[-1].messages]
    assert kinds == ["human", "ai", "tool", "tool", "human"]


def find_open_calls(messages: Sequence[BaseMessage]) -> set[str | None]:
    called = {call["id"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls}
    return called - {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}


def test_a_call_keeps_its_result_and_gets_a_note_where_it_has_none() -> None:
    messages: list[AnyMessage] = [
        HumanMessage("Which city?"),
        AIMessage("", tool_calls=[ToolCall(name="look_up", args={}, id=key, type="tool_call") for key in "ab"]),
        ToolMessage("Oslo", tool_call_id="a", id="m-1"),
    ]
    kept, noted = close_tool_calls(messages)
    assert (kept.id, kept.text) == ("m-1", "Oslo")
    assert (noted.tool_call_id, noted.status) == ("b", "error")


def build_run(name: str, thread_id: str | None) -> Run:
    return Run(name, "id-1", (HumanMessage("Which city?"),), thread_id)


async def test_a_second_run_on_a_thread_is_refused_while_the_first_is_on() -> None:
    agent = Agent(build_graph(Script()))
    async with agent.hold(build_run("a", "t-1")), agent.hold(build_run("b", "t-2")):
        with pytest.raises(ThreadBusyError, match="'t-1'"):
            async with agent.hold(build_run("c", "t-1")):
                pass
    async with agent.hold(build_run("d", "t-1")):
        pass


async def test_a_thread_is_free_when_the_answer_is_told() -> None:
    agent = Agent(build_graph(Script()))
    first = build_run("a", "t-1")
    async with AsyncExitStack() as next_run:
        async with agent.hold(first) as thread, aclosing(agent.run(first, thread)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    await next_run.enter_async_context(agent.hold(build_run("b", "t-1")))
        with pytest.raises(ThreadBusyError):
            async with agent.hold(build_run("c", "t-1")):
                pass


async def test_a_thread_is_free_when_a_failure_is_told() -> None:
    async def fail() -> None:
        raise RuntimeError

    agent = Agent(build_graph(Script(wait=fail)))
    first = build_run("a", "t-1")
    async with agent.hold(first) as thread:
        with pytest.raises(PlanoError):
            _ = [event async for event in agent.run(first, thread)]
        async with agent.hold(build_run("b", "t-1")):
            pass


async def test_a_graph_that_never_answers_is_stopped_at_the_limit() -> None:
    agent = Agent(build_graph(Script(("gpt-4o",) * 99)), ServerSettings(recursion_limit=9))
    with pytest.raises(StepLimitError, match="9 steps"):
        await collect(agent)


async def test_a_graph_that_waits_for_a_human_is_told_of() -> None:
    @tool
    def ask_human(city: str) -> str:
        """Ask."""
        return str(interrupt(city))

    with pytest.raises(InterruptedRunError, match="human"):
        await collect(Agent(build_graph(Script(tool="ask_human"), ask_human)), thread_id="t-1")


async def test_a_fault_of_the_agent_tells_neither_client_nor_log_what_was_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise KeyError("the secret prompt")

    with pytest.raises(PlanoError) as caught:
        await collect(Agent(build_graph(Script(wait=fail))))
    assert "KeyError" in caught.value.message
    assert "conftest" in caplog.text or "test_runs.py" in caplog.text
    assert "secret" not in caught.value.message + caplog.text


class Counter(TypedDict):
    count: int


def test_a_graph_without_messages_is_refused_with_the_names_it_has() -> None:
    builder = StateGraph(Counter)
    builder.add_node("add", lambda state: {"count": state["count"] + 1})
    builder.set_entry_point("add")
    with pytest.raises(ConfigError, match="'count'"):
        Agent(builder.compile())


def test_a_graph_that_is_not_compiled_is_refused_with_the_way_out() -> None:
    builder: Any = StateGraph(Counter)
    with pytest.raises(ConfigError, match=r"'StateGraph'.*\.compile\(\)"):
        Agent(builder)
