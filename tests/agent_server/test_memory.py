"""Threads over HTTP: their history, and that they are their owner's alone."""

import asyncio

import httpx
import pytest
from langchain_core.tools import tool

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.agent_server import schema
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.config.key_hashes import hash_key
from tests.agent_server.conftest import Script, build_graph, call_app, call_transport

ALICE, BOB = "pa-alice-alice-alice-alice", "pa-bob-bob-bob-bob-bob-bob"
KEYS = {"alice": hash_key(ALICE), "bob": hash_key(BOB)}


async def test_a_history_tells_messages_calls_and_results_in_order() -> None:
    async with call_app(build_graph(Script())) as client:
        ran = (await client.post("/agent/run", json={"input": "Which city?", "thread_id": "t/1"})).json()
        thread = (await client.get("/threads/t/1")).json()
    said = [(each["role"], each["content"], each["model"], each["name"]) for each in thread["messages"]]
    assert said == [
        ("user", "Which city?", None, None),
        ("assistant", "I look, says gpt-4o", "gpt-4o", None),
        ("tool", "Oslo is a city", None, "look_up"),
        ("tool", "Rome is a city", None, "look_up"),
        ("assistant", "Oslo, says gpt-4o", "gpt-4o", None),
    ]
    calls = thread["messages"][1]["tool_calls"]
    assert [call["arguments"] for call in calls] == [{"city": "Oslo"}, {"city": "Rome"}]
    assert [each["tool_call_id"] for each in thread["messages"][2:4]] == [call["id"] for call in calls]
    assert (thread["thread_id"], thread["affinity_id"]) == ("t/1", ran["affinity_id"])
    assert set(thread) == set(schema.THREAD_EXAMPLE)


async def test_a_history_names_the_id_that_the_client_chose() -> None:
    async with call_app(build_graph(Script())) as client:
        headers = {AFFINITY_HEADER: "mine"}
        await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"}, headers=headers)
        assert (await client.get("/threads/t-1")).json()["affinity_id"] == "mine"


async def test_a_failed_tool_is_told_as_such() -> None:
    @tool
    async def hang(city: str) -> str:
        """Never answer."""
        await asyncio.Event().wait()
        return city

    graph = build_graph(Script(tool="hang"), hang)
    async with call_app(graph, tool_seconds=0.01) as client:
        await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
        thread = (await client.get("/threads/t-1")).json()
    assert [each["is_error"] for each in thread["messages"] if each["role"] == "tool"] == [True, True]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_thread_that_there_is_not_is_a_404(method: str) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.request(method, "/threads/t-1")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "thread_not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/threads/t-1"), ("DELETE", "/threads/t-1"), ("POST", "/agent/run")]
)
async def test_a_foreign_thread_is_a_404_and_unchanged(method: str, path: str) -> None:
    script = Script(("gpt-4o",))
    transport = httpx.ASGITransport(create_app(build_graph(script), build_settings(api_keys=KEYS)))
    body = {"input": "hi", "thread_id": "t-1"}
    async with call_transport(transport, ALICE) as alice, call_transport(transport, BOB) as bob:
        await alice.post("/agent/run", json=body)
        foreign = await bob.request(method, path, json=body if method == "POST" else None)
        own = (await alice.get("/threads/t-1")).json()
        again = await alice.post("/agent/run", json=body)
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "thread_not_found")
    assert (len(own["messages"]), again.status_code, len(script.asked)) == (2, 200, 2)


async def test_a_key_can_be_replaced_and_keeps_its_threads() -> None:
    graph, newer = build_graph(Script()), "pa-alice-has-a-newer-key-now"
    before = {"alice": hash_key(ALICE)}
    async with call_app(graph, key=ALICE, api_keys=before) as client:
        await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
    async with call_app(graph, key=newer, api_keys={"alice": hash_key(newer)}) as client:
        assert (await client.get("/threads/t-1")).status_code == 200


async def test_a_thread_tells_that_a_run_is_on() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        entered.set()
        await go_on.wait()

    async with call_app(build_graph(Script(wait=pause))) as client:
        run = asyncio.create_task(client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"}))
        await entered.wait()
        running = (await client.get("/threads/t-1")).json()
        deleted = await client.delete("/threads/t-1")
        go_on.set()
        await run
        rested = (await client.get("/threads/t-1")).json()
    assert (running["is_running"], rested["is_running"], deleted.status_code) == (True, False, 409)


@pytest.mark.parametrize("thread_id", ["a\\u0000b", "a\\ud83d"])
async def test_an_id_that_no_store_could_hold_is_refused(thread_id: str) -> None:
    async with call_app(build_graph(Script())) as client:
        body = f'{{"input": "hi", "thread_id": "{thread_id}"}}'
        headers = {"content-type": "application/json"}
        response = await client.post("/agent/run", content=body, headers=headers)
        asked = await client.get("/threads/a%00b")
    assert (response.status_code, response.json()["error"]["param"]) == (400, "thread_id")
    assert asked.status_code == 404
