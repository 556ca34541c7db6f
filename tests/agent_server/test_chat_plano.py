"""The server with the real chat model, against a small router of the tests' own that records what it is sent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import TypeAdapter

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER, AffinitySource
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.events import Answer, Usage
from plano_agents.agent_server.tools import Graph
from plano_agents.integrations.langchain import ChatPlano
from plano_agents.protocol.sse import EventDecoder
from plano_agents.testing import FakeUpstream, Reply, ToolCall, UpstreamExchange
from tests.agent_server.conftest import connect


async def call_tools_once(exchange: UpstreamExchange) -> None:
    """Answer as a router does: with a call of each tool first, then in words."""
    last, tools = exchange.json["messages"][-1]["role"], exchange.json.get("tools", [])
    calls = [
        ToolCall(tool["function"]["name"], {"question": "Latency?"}, f"call_{index}")
        for index, tool in enumerate(tools if last != "tool" else [])
    ]
    headers = {
        "X-Plano-Model": "openai/gpt-4o",
        "X-Plano-Route": "complex_reasoning",
        "X-Plano-Affinity": "initialize; reason=first_turn" if last == "user" else "retain; reason=pinned",
    }
    text = "I look" if calls else "PostgreSQL"
    reply = Reply(text, calls, "gpt-4o-2024-08-06", input_tokens=30, cached_tokens=16, output_tokens=5)
    await exchange.reply(reply, headers=headers)


def build_agent(base_url: str) -> Graph:
    llm = ChatPlano(model="gpt-4o-mini", base_url=base_url, max_retries=0)

    @tool
    async def consult(question: str) -> str:
        """Ask a colleague."""
        return str((await llm.ainvoke(question)).text)

    @tool
    def consult_in_a_thread(question: str) -> str:
        """Ask a colleague."""
        return str(llm.invoke(question).text)

    graph: Graph = create_agent(llm, [consult, consult_in_a_thread], checkpointer=InMemorySaver())
    return graph


@asynccontextmanager
async def serve(affinity: AffinitySource | None = None) -> AsyncGenerator[tuple[FakeUpstream, httpx.AsyncClient], None]:
    async with (
        FakeUpstream(call_tools_once) as router,
        connect(create_app(build_agent(router.url), affinity=affinity)) as client,
    ):
        yield router, client


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_turns_tell_what_the_router_said_plain_and_streamed(accept: str) -> None:
    async with serve() as (_, client):
        response = await client.post("/agent/run", json={"input": "Which?"}, headers={"accept": accept})
    body = response.content
    if accept != "application/json":
        body = EventDecoder().feed(body)[-1].data
    answer = TypeAdapter(Answer).validate_json(body)
    model, route = "gpt-4o-2024-08-06", "complex_reasoning"
    assert [(t.model, t.route, t.decision, t.reason, t.tool_calls) for t in answer.turns] == [
        (model, route, "initialize", "first_turn", ("consult", "consult_in_a_thread")),
        (model, route, "initialize", "first_turn", ()),
        (model, route, "initialize", "first_turn", ()),
        (model, route, "retain", "pinned", ()),
    ]
    assert answer.usage == Usage(input_tokens=120, output_tokens=20, cache_read_tokens=64)
    assert (answer.output, answer.switches) == ("PostgreSQL", 0)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_every_call_of_a_run_carries_its_id_the_tools_too(accept: str) -> None:
    async with serve() as (router, client):
        await client.post("/agent/run", json={"input": "Which?"}, headers={AFFINITY_HEADER: "mine", "accept": accept})
    assert router.affinity_ids == ["mine"] * 4


async def run_twice(*headers: tuple[str, str], affinity: AffinitySource | None = None) -> tuple[int, list[str | None]]:
    """Run twice on a thread: how many ids the requests carried, and what they hinted at."""
    async with serve(affinity) as (router, client):
        for _ in range(2):
            await client.post("/agent/run", json={"input": "Which?", "thread_id": "t-1"}, headers=dict(headers))
    return len(set(router.affinity_ids)), [each.headers.get(HINT_HEADER.lower()) for each in router.exchanges]


async def test_the_next_run_on_a_thread_has_an_id_of_its_own_and_names_no_model() -> None:
    ids, hints = await run_twice()
    assert (ids, hints[0], hints[3], hints[4]) == (2, None, "openai/gpt-4o", None)


async def test_where_the_id_is_the_threads_the_next_run_names_the_model_of_the_last() -> None:
    ids, hints = await run_twice(affinity="thread")
    assert (ids, hints[0], hints[4]) == (1, None, "openai/gpt-4o")


async def test_an_id_of_the_clients_outranks_both() -> None:
    ids, hints = await run_twice((AFFINITY_HEADER, "mine"))
    assert (ids, hints[4]) == (1, "openai/gpt-4o")


async def test_concurrent_runs_do_not_cross_on_the_wire() -> None:
    ids = [f"run-{number}" for number in range(50)]
    async with serve() as (router, client):
        await asyncio.gather(
            *(client.post("/agent/run", json={"input": "Which?"}, headers={AFFINITY_HEADER: name}) for name in ids)
        )
    assert sorted(router.affinity_ids, key=str) == sorted(ids * 4)


async def test_a_router_that_is_down_is_a_502_with_the_way_out() -> None:
    async with connect(create_app(build_agent("http://127.0.0.1:9"))) as client:
        response = await client.post("/agent/run", json={"input": "Which?"}, headers={AFFINITY_HEADER: "mine"})
    assert (response.status_code, response.headers[AFFINITY_HEADER]) == (502, "mine")
    assert "http://127.0.0.1:9" in response.json()["error"]["message"]
    assert "Which?" not in response.text
