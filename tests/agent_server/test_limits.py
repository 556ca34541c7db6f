"""Limits of a run: time, tools' time, steps; the web pages that may call; the answer when a limit is passed."""

import asyncio
import json
import threading

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.agent_server.tools import Graph, limit_tools
from plano_agents.protocol.sse import EventDecoder
from tests.agent_server.conftest import USER, Script, ScriptedModel, build_graph, call_app

EVENTS = {"accept": "text/event-stream"}
ORIGIN = "https://app.example.com"


async def hang() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/agent/run", {"input": "hi"}), ("/v1/chat/completions", {"messages": [USER]})],
    ids=["run", "completion"],
)
async def test_a_run_that_takes_too_long_is_a_504(path: str, body: dict[str, object]) -> None:
    async with call_app(build_graph(Script(wait=hang)), run_seconds=0.05) as client:
        response = await client.post(path, json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "run_timeout")
    assert "0.05 s" in response.json()["error"]["message"]


async def test_events_of_a_run_that_takes_too_long_end_with_an_error() -> None:
    async with call_app(build_graph(Script(wait=hang)), run_seconds=0.05) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers=EVENTS)
    last = EventDecoder().feed(response.content)[-1]
    assert (last.name, json.loads(last.data)["code"]) == ("error", "run_timeout")


async def test_a_run_that_took_too_long_frees_its_thread() -> None:
    script = Script(wait=hang)
    body = {"input": "hi", "thread_id": "t-1"}
    async with call_app(build_graph(script), run_seconds=0.05) as client:
        await client.post("/agent/run", json=body)
        assert (await client.post("/agent/run", json=body)).json()["error"]["code"] == "run_timeout"


async def test_a_place_in_line_is_part_of_a_runs_time() -> None:
    entered = asyncio.Event()

    async def hang_on() -> None:
        entered.set()
        await hang()

    graph = build_graph(Script(wait=hang_on))
    body = {"input": "hi", "thread_id": "t-1"}
    async with call_app(graph, run_seconds=1, busy_threads="queue") as client:
        first = asyncio.create_task(client.post("/agent/run", json=body))
        await entered.wait()
        assert [
            (await each).status_code for each in (first, asyncio.create_task(client.post("/agent/run", json=body)))
        ] == [504, 504]


@tool
async def wait_for_rome(city: str) -> str:
    """Answer for Oslo only."""
    if city == "Rome":
        await hang()
    return city


async def test_a_tool_that_takes_too_long_is_told_to_the_model_and_the_run_goes_on() -> None:
    script = Script(tool="wait_for_rome")
    async with call_app(build_graph(script, wait_for_rome), tool_seconds=0.5) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers=EVENTS)
    events = EventDecoder().feed(response.content)
    said = "The tool took longer than 0.5 s and was stopped."
    assert [message.text for message in script.asked[-1].messages if isinstance(message, ToolMessage)] == [
        "Oslo",
        said,
    ]
    tools = [json.loads(event.data) for event in events if event.name == "tool"]
    assert [(told["arguments"]["city"], told["result"]) for told in tools] == [
        ("Oslo", "Oslo"),
        ("Rome", said),
    ]
    assert events[-1].name == "done"


async def test_a_synchronous_tool_that_takes_too_long_is_left_behind() -> None:
    go_on = threading.Event()

    @tool
    def block(city: str) -> str:
        """Block a thread."""
        go_on.wait()
        return city

    async with call_app(build_graph(Script(tool="block"), block), tool_seconds=0.05) as client:
        response = await client.post("/agent/run", json={"input": "hi"})
    go_on.set()
    assert response.json()["output"] == "Oslo, says gpt-4o"


async def test_tools_of_a_sub_graph_and_of_a_node_of_its_own_have_the_deadline_too() -> None:
    inner = create_agent(ScriptedModel(script=Script(tool="wait_for_rome", cities=("Rome",))), [wait_for_rome])
    builder = StateGraph(MessagesState)
    builder.add_node("agent", inner)
    builder.add_edge(START, "agent")
    graph: Graph = builder.compile()
    state = await limit_tools(graph, 0.05).ainvoke({"messages": [("user", "hi")]})
    assert [message.status for message in state["messages"] if isinstance(message, ToolMessage)] == ["error"]


async def test_a_graph_given_to_a_server_stays_as_it_was() -> None:
    graph = build_graph(Script(tool="wait_for_rome", cities=("Oslo",)), wait_for_rome)
    before = graph.nodes["tools"].bound
    limited = limit_tools(graph, 0.05)
    assert graph.nodes["tools"].bound is before
    assert isinstance(limited.nodes["tools"].bound, ToolNode)
    assert limited.nodes["tools"].bound is not before


async def test_a_tools_own_timeout_is_not_taken_for_the_deadline() -> None:
    @tool
    async def time_out(city: str) -> str:
        """Fail by a timeout of its own."""
        raise TimeoutError(city)

    async with call_app(build_graph(Script(tool="time_out"), time_out)) as client:
        response = await client.post("/agent/run", json={"input": "hi"})
    assert (response.status_code, "TimeoutError" in response.text) == (500, True)


async def test_the_limit_of_steps_is_the_settings() -> None:
    graph = build_graph(Script(("gpt-4o",) * 99))
    async with call_app(graph, recursion_limit=7) as client:
        response = await client.post("/agent/run", json={"input": "hi"})
    assert (response.status_code, "7 steps" in response.text) == (500, True)


async def preflight(client: httpx.AsyncClient) -> httpx.Response:
    headers = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": f"authorization, {AFFINITY_HEADER}, x-stainless-os, anthropic-version",
    }
    return await client.options("/agent/run", headers=headers)


@pytest.mark.parametrize(
    "header",
    [
        "authorization",
        "x-api-key",
        "x-model-affinity",
        "x-stainless-runtime-version",
        "openai-organization",
        "anthropic-dangerous-direct-browser-access",
        "anthropic-version",
    ],
)
async def test_a_browsers_sdk_may_send_its_headers(header: str) -> None:
    async with call_app(build_graph(Script()), cors_origins=[ORIGIN]) as client:
        asked = await client.options(
            "/v1/chat/completions",
            headers={
                "origin": ORIGIN,
                "access-control-request-method": "POST",
                "access-control-request-headers": f"content-type,{header}",
            },
        )
    allowed = {each.strip() for each in asked.headers["access-control-allow-headers"].lower().split(",")}
    assert asked.status_code == 200
    assert header in allowed


async def test_pages_of_a_listed_origin_may_call_and_read_the_id() -> None:
    async with call_app(build_graph(Script()), cors_origins=[ORIGIN]) as client:
        asked = await preflight(client)
        answer = await client.post("/agent/run", json={"input": "hi"}, headers={"origin": ORIGIN})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "x-stainless-os" in asked.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-expose-headers"] == AFFINITY_HEADER


@pytest.mark.parametrize("origins", [[], ["https://other.example.com"]])
async def test_pages_of_no_other_origin_may_call(origins: list[str]) -> None:
    async with call_app(build_graph(Script()), cors_origins=origins) as client:
        assert "access-control-allow-origin" not in (await preflight(client)).headers
        answer = await client.post("/agent/run", json={"input": "hi"}, headers={"origin": ORIGIN})
    assert "access-control-allow-origin" not in answer.headers
