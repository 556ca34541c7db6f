# ruff: noqa: ANN401 - a compiled graph's type says nothing here
"""`ModelAffinityMiddleware` in agents on stock chat models."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr

from plano_agents import ChatPlano, ModelAffinityMiddleware, model_affinity
from plano_agents.affinity import AffinitySource, derive_affinity_id
from plano_agents.testing import FakeUpstream

ASK = {"messages": [HumanMessage("hello")]}


@pytest.fixture
async def stock(router: FakeUpstream) -> AsyncIterator[ChatOpenAI]:
    async with openai.DefaultAsyncHttpxClient() as client:  # the stock one outlives the test's event loop
        yield ChatOpenAI(
            model="m",
            base_url=f"{router.url}/v1",
            api_key=SecretStr("k"),
            include_response_headers=True,
            http_async_client=client,
        )


def build_agent(llm: Any, inner: Any = None, *, affinity: AffinitySource = "run", **options: Any) -> Any:
    """An agent of two turns; its tool asks the inner model, if there is one."""

    def look_up(city: str) -> str:
        """Look a city up."""
        return str(inner.invoke(f"what is {city}?").content) if inner is not None else "a city"

    return create_agent(llm, [look_up], middleware=[ModelAffinityMiddleware(affinity=affinity)], **options)


def test_a_run_of_a_stock_model_gets_an_id_of_its_own(router: FakeUpstream, stock: ChatOpenAI) -> None:
    agent = build_agent(stock)
    agent.invoke(ASK)
    agent.invoke(ASK)
    first, again, second, last = router.affinity_ids
    assert first == again is not None
    assert second == last != first


async def test_however_an_agent_is_run_its_turns_share_an_id(router: FakeUpstream, stock: ChatOpenAI) -> None:
    agent = build_agent(stock)
    await agent.ainvoke(ASK)
    list(agent.stream(ASK, stream_mode="messages"))
    [event async for event in agent.astream_events(ASK, version="v2")]
    ids = router.affinity_ids
    assert (len(ids), len(set(ids)), None in ids) == (6, 3, False)
    assert ids[::2] == ids[1::2]


def test_the_runs_own_id_comes_first(router: FakeUpstream, stock: ChatOpenAI) -> None:
    agent = build_agent(stock)
    named: RunnableConfig = {"configurable": {"model_affinity_id": "config", "thread_id": "t-42"}}
    with model_affinity("scope"):
        agent.invoke(ASK, named)
        agent.invoke(ASK)
    build_agent(stock, affinity="thread").invoke(ASK, {"configurable": {"thread_id": "t-42"}})
    assert router.affinity_ids == ["config"] * 2 + ["scope"] * 2 + [derive_affinity_id("t-42")] * 2


def test_runs_on_a_thread_have_ids_of_their_own_and_hint_at_their_own_models(
    router: FakeUpstream, stock: ChatOpenAI
) -> None:
    agent = build_agent(stock, checkpointer=InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "t-42"}}
    for _ in range(2):
        agent.invoke({"messages": [HumanMessage("hello")]}, thread)
    ids = router.affinity_ids
    assert (ids[0], ids[2]) == (ids[1], ids[3])
    assert ids[0] != ids[2]
    hints = [exchange.headers.get("x-model-affinity-hint") for exchange in router.exchanges]
    assert hints == [None, hints[1], None, hints[1]]
    assert hints[1] is not None


def test_an_affinity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'run' or 'thread'; got 'x'"):
        ModelAffinityMiddleware(affinity="x")  # type: ignore[arg-type] # what is tested


def test_what_a_tool_asks_goes_out_under_the_runs_id(router: FakeUpstream, stock: ChatOpenAI, llm: ChatPlano) -> None:
    build_agent(stock, llm).invoke(ASK)
    assert len(router.exchanges) == 3
    assert len(set(router.affinity_ids)) == 1


async def test_a_tool_of_an_asynchronous_run_does_so_too(
    router: FakeUpstream, stock: ChatOpenAI, llm: ChatPlano
) -> None:
    await build_agent(stock, llm).ainvoke(ASK)
    assert len(router.exchanges) == 3
    assert len(set(router.affinity_ids)) == 1


def test_a_callers_header_and_a_models_field_are_left_alone(router: FakeUpstream, stock: ChatOpenAI) -> None:
    build_agent(ChatPlano(base_url=router.url, affinity_id="field")).invoke(ASK)
    assert router.affinity_ids == ["field"] * 2


def test_later_turns_hint_at_the_model_of_the_first(router: FakeUpstream, stock: ChatOpenAI) -> None:
    build_agent(stock).invoke(ASK)
    hints = [request.headers.get("x-model-affinity-hint") for request in router.exchanges]
    assert hints == [None, "anthropic/claude-sonnet-4-6"]


def test_the_id_is_neither_an_input_nor_an_output(stock: ChatOpenAI) -> None:
    agent = build_agent(stock)
    assert "model_affinity_id" not in agent.invoke(ASK)
    assert "model_affinity_id" not in agent.get_input_jsonschema()["properties"]


def test_a_run_that_was_interrupted_goes_on_under_its_id(router: FakeUpstream, stock: ChatOpenAI) -> None:
    agent = build_agent(stock, checkpointer=InMemorySaver(), interrupt_before=["tools"])
    thread: RunnableConfig = {"configurable": {"thread_id": "t-1"}}
    with model_affinity("first"):
        agent.invoke(ASK, thread)
    agent.invoke(None, thread)
    assert router.affinity_ids == ["first", "first"]
