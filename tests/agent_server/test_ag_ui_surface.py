"""AG-UI by itself: what its client cannot show. Its own client's tests stand in ``tests/clients``."""

import asyncio
import json
import sys
from typing import Any

import httpx
import pytest
from langchain_core.tools import tool
from langgraph.types import interrupt

from plano_agents import processes
from plano_agents.affinity import AFFINITY_HEADER, derive_affinity_id
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.run import build_site, describe
from plano_agents.agent_server.settings import build_settings
from plano_agents.config.key_hashes import hash_key
from tests.agent_server.conftest import Connect, Script, build_graph, call_app, call_transport
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.filterwarnings("ignore::langgraph.warnings.LangGraphDeprecatedSinceV10")

ALICE, BOB = "pa-alice-alice-alice-alice", "pa-bob-bob-bob-bob-bob-bob"


def build_body(*said: str, thread_id: str = "t-1", **more: object) -> dict[str, object]:
    messages = [{"id": f"m-{number}", "role": "user", "content": text} for number, text in enumerate(said)]
    body = {"threadId": thread_id, "runId": "r-1", "messages": messages}
    return {**body, "tools": [], "context": [], "state": {}, "forwardedProps": {}, **more}


def read_events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(part.removeprefix("data: ")) for part in response.text.split("\n\n") if part]


async def test_the_id_is_the_clients_or_the_threads_on_every_call_and_echoed() -> None:
    script = Script()
    async with call_app(build_graph(script), affinity="thread") as client:
        own = await client.post("/ag-ui", json=build_body("hi"), headers={AFFINITY_HEADER: "mine"})
        derived = await client.post("/ag-ui", json=build_body("hi", thread_id="t-2"))
    assert (own.headers[AFFINITY_HEADER], derived.headers[AFFINITY_HEADER]) == (
        "mine",
        derive_affinity_id("t-2"),
    )
    ids = [(asked.affinity_id, asked.scope_id) for asked in script.asked]
    assert ids == [("mine", "mine")] * 2 + [(derive_affinity_id("t-2"),) * 2] * 2


async def test_results_have_the_ids_that_the_conversation_has() -> None:
    async with call_app(build_graph(Script())) as client:
        events = read_events(await client.post("/ag-ui", json=build_body("hi")))
    results = {event["messageId"] for event in events if event["type"] == "TOOL_CALL_RESULT"}
    snapshot = next(event["messages"] for event in events if event["type"] == "MESSAGES_SNAPSHOT")
    assert {message["id"] for message in snapshot if message["role"] == "tool"} == results


async def test_a_call_that_comes_in_one_piece_begins_has_arguments_and_ends() -> None:
    """Gemini, Mistral and vLLM send a call whole; the adapter reads its name alone from such a piece."""
    async with call_app(build_graph(Script(cities=("Oslo",)))) as client:
        events = read_events(await client.post("/ag-ui", json=build_body("hi")))
    call = [event for event in events if event.get("toolCallId") and event["type"] != "TOOL_CALL_RESULT"]
    assert [event["type"] for event in call] == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
    assert json.loads(call[1]["delta"]) == {"city": "Oslo"}


async def test_calls_that_come_in_one_piece_all_keep_their_arguments() -> None:
    async with call_app(build_graph(Script(cities=("Oslo", "Rome", "Bern")))) as client:
        events = read_events(await client.post("/ag-ui", json=build_body("hi")))
    calls: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.get("toolCallId") and event["type"] != "TOOL_CALL_RESULT":
            calls.setdefault(event["toolCallId"], []).append(event)
    told = [[event["type"] for event in call] for call in calls.values()]
    assert told == [["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]] * 3
    assert {json.loads(call[1]["delta"])["city"] for call in calls.values()} == {"Oslo", "Rome", "Bern"}


async def test_a_thread_is_one_with_the_agents_own_surface() -> None:
    script = Script(("gpt-4o",))
    async with call_app(build_graph(script)) as client:
        await client.post("/agent/run", json={"input": "first", "thread_id": "t-1"})
        await client.post("/ag-ui", json=build_body("second"))
    assert [message.text for message in script.asked[-1].messages] == ["first", "Oslo, says gpt-4o", "second"]


async def test_an_agent_that_remembers_nothing_goes_by_the_messages() -> None:
    script = Script(("gpt-4o",))
    async with call_app(build_graph(script, remember=False)) as client:
        for said in (["one"], ["one", "two"]):
            events = read_events(await client.post("/ag-ui", json=build_body(*said)))
            assert events[-1]["type"] == "RUN_FINISHED"
    assert [message.text for message in script.asked[-1].messages] == ["one", "two"]


async def test_a_foreign_thread_is_a_404() -> None:
    keys = {"alice": hash_key(ALICE), "bob": hash_key(BOB)}
    transport = httpx.ASGITransport(create_app(build_graph(Script()), build_settings(api_keys=keys)))
    async with call_transport(transport, ALICE) as alice, call_transport(transport, BOB) as bob:
        read_events(await alice.post("/ag-ui", json=build_body("hi")))
        assert (await bob.post("/ag-ui", json=build_body("hi"))).status_code == 404


async def test_a_failure_tells_neither_client_nor_log_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise KeyError("the secret prompt")

    async with call_app(build_graph(Script(wait=fail))) as client:
        response = await client.post("/ag-ui", json=build_body("hi"))
    last = read_events(response)[-1]
    assert (last["type"], last["code"], "KeyError" in last["message"]) == (
        "RUN_ERROR",
        "internal_error",
        True,
    )
    assert "secret" not in response.text + caplog.text


async def hang() -> None:
    await asyncio.Event().wait()


async def test_a_run_that_takes_too_long_ends_with_an_error() -> None:
    async with call_app(build_graph(Script(wait=hang)), run_seconds=0.2) as client:
        events = read_events(await client.post("/ag-ui", json=build_body("hi")))
    assert (events[-1]["type"], events[-1]["code"]) == ("RUN_ERROR", "run_timeout")


async def test_a_client_that_leaves_cancels_the_model_and_frees_the_thread(connect_to_each: Connect) -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def hang_on() -> None:
        entered.set()
        try:
            await hang()
        finally:
            cancelled.set()

    script = Script(wait=hang_on)
    async with connect_to_each(create_app(build_graph(script))) as client:
        left = asyncio.create_task(client.post("/ag-ui", json=build_body("hi")))
        await entered.wait()
        left.cancel()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await cancelled.wait()
            while (await client.get("/threads/t-1")).json()["is_running"]:
                pass


async def test_a_run_that_waits_for_a_human_is_resumed() -> None:
    @tool
    def ask_human(city: str) -> str:
        """Ask."""
        return str(interrupt(f"May I look {city} up?"))

    script = Script(tool="ask_human", cities=("Oslo",))
    async with call_app(build_graph(script, ask_human)) as client:
        asked = read_events(await client.post("/ag-ui", json=build_body("hi")))
        props = {"command": {"resume": "You may."}}
        resumed = read_events(await client.post("/ag-ui", json=build_body("hi", forwardedProps=props)))
    assert "May I look Oslo up?" in [event.get("value") for event in asked]
    assert [event["content"] for event in resumed if event["type"] == "TOOL_CALL_RESULT"] == ["You may."]
    assert resumed[-1]["type"] == "RUN_FINISHED"


async def test_what_a_client_sends_to_resume_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with call_app(build_graph(Script())) as client:
        props = {"command": {"resume": "the secret answer"}}
        await client.post("/ag-ui", json=build_body("hi", forwardedProps=props))
    assert "secret" not in caplog.text


@pytest.mark.parametrize("thread_id", ["", "x" * 257])
async def test_a_threads_id_has_a_length(thread_id: str) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/ag-ui", json=build_body("hi", thread_id=thread_id))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "threadId")


@pytest.mark.parametrize("state", [[1], "text", 5])
async def test_a_state_that_is_no_object_is_the_clients_fault(state: object) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/ag-ui", json=build_body("hi", state=state))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "state")


async def test_without_the_package_the_endpoint_says_which_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ag_ui_langgraph", None)
    monkeypatch.delitem(sys.modules, "plano_agents.agent_server.ag_ui_surface", raising=False)
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/ag-ui", json=build_body("hi"))
    assert (response.status_code, "--extra ag-ui" in response.text) == (404, True)


@pytest.mark.parametrize("is_installed", [True, False])
def test_the_start_names_the_endpoint_where_its_package_is_installed(
    monkeypatch: pytest.MonkeyPatch, *, is_installed: bool
) -> None:
    if not is_installed:
        monkeypatch.setitem(sys.modules, "ag_ui_langgraph", None)
        monkeypatch.delitem(sys.modules, "plano_agents.agent_server.ag_ui_surface", raising=False)
    settings = build_settings()
    with processes.bind("127.0.0.1", 0) as listener:
        said = describe(build_site(build_graph(Script()), settings, listener), settings, "nowhere")
    assert ("/ag-ui" in said) == is_installed
