# ruff: noqa: ANN401 - a compiled graph's type says nothing here
"""`ChatPlano` inside LangGraph and LangChain agents: every call of a run carries the run's id."""

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Send

from plano_agents import ChatPlano, bind_context, current_affinity_id, model_affinity
from plano_agents.affinity import derive_affinity_id
from plano_agents.integrations import langchain_affinity
from plano_agents.testing import FakeUpstream

THREAD: RunnableConfig = {"configurable": {"thread_id": "t-42"}}
NAMED: RunnableConfig = {"configurable": {"model_affinity_id": "run-1", "thread_id": "t-42"}}


class Chat(TypedDict):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


class Question(TypedDict):
    """One of the questions."""

    question: str


class Fan(TypedDict):
    """Questions that are asked side by side."""

    questions: list[str]
    answers: Annotated[list[str], operator.add]


@pytest.fixture
def agent(llm: ChatPlano) -> Any:
    """An agent of two turns whose tool asks the model as well: three requests."""

    def look_up(city: str) -> str:
        """Look a city up."""
        return str(llm.invoke(f"what is {city}?").content)

    return create_agent(llm, [look_up])


@pytest.fixture
def graph(llm: ChatPlano) -> Any:
    """One node that asks the model and passes no config on."""

    async def ask(state: Chat) -> Chat:
        return {"messages": [await llm.ainvoke(state["messages"])]}

    def ask_in_sync(state: Chat) -> Chat:
        return {"messages": [llm.invoke(state["messages"])]}

    builder = StateGraph(Chat)
    builder.add_node("first", ask_in_sync)
    builder.add_node("second", ask)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    return builder.compile()


def ask(text: str = "hello") -> Chat:
    return {"messages": [HumanMessage(text)]}


async def test_a_node_that_passes_no_config_still_has_the_runs_id(router: FakeUpstream, graph: Any) -> None:
    await graph.ainvoke(ask(), THREAD)
    await graph.ainvoke(ask(), NAMED)
    first, second, *named = router.affinity_ids
    assert (first, named) == (second, ["run-1"] * 2)
    assert first is not None


def test_a_node_with_a_configurable_of_its_own_keeps_the_runs_id(router: FakeUpstream, llm: ChatPlano) -> None:
    def ask_otherwise(state: Chat) -> Chat:
        return {"messages": [llm.invoke(state["messages"], {"configurable": {"tone": "dry"}})]}

    graph = StateGraph(Chat).add_node("ask", ask_otherwise).add_edge(START, "ask").compile()
    graph.invoke(ask(), NAMED)
    assert router.affinity_ids == ["run-1"]


def test_an_agents_turns_and_its_tools_calls_share_the_runs_id_and_the_next_run_has_another(
    router: FakeUpstream, agent: Any
) -> None:
    agent.invoke(ask(), THREAD)
    agent.invoke(ask(), THREAD)
    assert [router.affinity_ids.count(each) for each in dict.fromkeys(router.affinity_ids)] == [3, 3]


def test_a_run_that_goes_on_elsewhere_keeps_its_id_and_hints_at_its_own_model_alone(router: FakeUpstream) -> None:
    """As after an interrupt, a crash or a fork: the transcript is all that the other process has."""
    said = [HumanMessage("hi", id="m-1"), answered("openai/gpt-4o"), HumanMessage("Compare two queues.", id="m-2")]
    llm = ChatPlano(base_url=router.url)
    llm.invoke(said, THREAD)
    langchain_affinity._latest_runs.clear()
    llm.invoke([*said, answered("anthropic/claude-sonnet-4-6")], THREAD)
    llm.invoke(said[:1], THREAD)
    ids = router.affinity_ids
    assert ids[0] == ids[1] == derive_affinity_id("t-42", "m-2")
    assert ids[2] == derive_affinity_id("t-42", "m-1")
    hints = [exchange.headers.get("x-model-affinity-hint") for exchange in router.exchanges]
    assert hints == [None, "anthropic/claude-sonnet-4-6", None]


def test_a_threads_id_hints_at_the_model_of_the_runs_before(router: FakeUpstream) -> None:
    said = [HumanMessage("hi", id="m-1"), answered("openai/gpt-4o"), HumanMessage("Compare two queues.", id="m-2")]
    ChatPlano(base_url=router.url, affinity="thread").invoke(said, THREAD)
    assert router.affinity_ids == [derive_affinity_id("t-42")]
    assert router.exchanges[0].headers["x-model-affinity-hint"] == "openai/gpt-4o"


def answered(model: str) -> AIMessage:
    return AIMessage("hello", response_metadata={"model_provider": "plano", "plano": {"model": model}})


async def test_an_agent_in_a_scope_carries_its_id_however_it_is_run(router: FakeUpstream, agent: Any) -> None:
    with model_affinity("run-1"):
        agent.invoke(ask())
        await agent.ainvoke(ask())
        list(agent.stream(ask(), stream_mode="messages"))
        [event async for event in agent.astream_events(ask(), version="v2")]
    assert router.affinity_ids == ["run-1"] * 12


def test_an_agents_later_turns_hint_at_the_model_of_the_first(router: FakeUpstream, agent: Any) -> None:
    agent.invoke(ask(), NAMED)
    first, tool, last = router.exchanges
    assert "x-model-affinity-hint" not in first.headers
    assert "x-model-affinity-hint" not in tool.headers
    assert last.headers["x-model-affinity-hint"] == "anthropic/claude-sonnet-4-6"


def test_messages_sent_side_by_side_share_the_runs_id(router: FakeUpstream, llm: ChatPlano) -> None:
    def answer(state: Question) -> dict[str, list[str]]:
        return {"answers": [str(llm.invoke(state["question"]).content)]}

    def fan_out(state: Fan) -> list[Send]:
        return [Send("answer", {"question": question}) for question in state["questions"]]

    builder = StateGraph(Fan)
    builder.add_node("answer", answer)
    builder.add_conditional_edges(START, fan_out, ["answer"])
    builder.add_edge("answer", END)
    with model_affinity("run-1"):
        builder.compile().invoke({"questions": ["a", "b", "c"], "answers": []})
    assert router.affinity_ids == ["run-1"] * 3


def test_lanes_give_sub_agents_ids_of_their_own(router: FakeUpstream, agent: Any) -> None:
    with model_affinity("run-1"):
        agent.invoke(ask())
        with model_affinity(lane="researcher"):
            agent.invoke(ask())
    assert router.affinity_ids == ["run-1"] * 3 + ["run-1/researcher"] * 3


def test_an_agent_in_a_bare_thread_needs_bind_context(
    router: FakeUpstream,
    agent: Any,
    in_thread: Callable[[Callable[[], object]], None],
) -> None:
    with model_affinity("run-1"):
        in_thread(bind_context(lambda: agent.invoke(ask())))
    assert router.affinity_ids == ["run-1"] * 3


async def test_200_concurrent_runs_keep_their_ids_apart(router: FakeUpstream, graph: Any) -> None:
    async def run(number: int) -> None:
        async with model_affinity(f"run-{number}"):
            await graph.ainvoke(ask(f"run-{number}"))
            assert current_affinity_id() == f"run-{number}"

    await asyncio.gather(*(run(number) for number in range(200)))
    assert len(router.exchanges) == 400
    assert not [
        request for request in router.exchanges if request.json["messages"][0]["content"] != request.affinity_id
    ]
