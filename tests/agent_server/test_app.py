"""``POST /agent/run`` and what surrounds it: ids, errors, events, leaving clients, two hundred at once."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from langchain_core.tools import tool
from pydantic import TypeAdapter

from plano_agents.affinity import AFFINITY_HEADER, derive_affinity_id
from plano_agents.agent_server import schema
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.events import Answer
from plano_agents.protocol.sse import Event, EventDecoder
from plano_agents.protocol.values import MAX_VALUES
from tests.agent_server.conftest import USER, Connect, Script, build_graph, call_app

EVENTS = {"accept": "text/event-stream"}


def read_error(response: httpx.Response) -> dict[str, str | None]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


def read_events(response: httpx.Response) -> list[Event]:
    return EventDecoder().feed(response.content)


async def test_an_input_is_answered_in_the_documented_form() -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json={"input": "Which city?", "thread_id": "t-42"})
    answer = TypeAdapter(Answer).validate_json(response.content)
    assert response.status_code == 200
    assert set(response.json()) == set(schema.ANSWER_EXAMPLE)
    assert (answer.thread_id, answer.output) == ("t-42", "Oslo, says gpt-4o")
    assert answer.run_id.startswith("run_")


async def test_messages_reach_the_graph_in_order_and_by_role() -> None:
    script = Script(("gpt-4o",))
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": [{"type": "text", "text": "Which city?"}]},
    ]
    async with call_app(build_graph(script)) as client:
        await client.post("/agent/run", json={"messages": messages})
    assert [(message.type, str(message.text)) for message in script.asked[0].messages] == [
        ("system", "Be brief."),
        ("human", "Hello"),
        ("ai", "Hi"),
        ("human", "Which city?"),
    ]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_the_clients_id_is_sent_on_every_call_and_echoed(accept: str) -> None:
    script = Script()
    async with call_app(build_graph(script)) as client:
        response = await client.post(
            "/agent/run", json={"input": "hi"}, headers={AFFINITY_HEADER: "mine", "accept": accept}
        )
    assert response.headers[AFFINITY_HEADER] == "mine"
    assert [(asked.affinity_id, asked.scope_id) for asked in script.asked] == [("mine", "mine")] * 2


async def test_a_thread_has_the_id_that_it_has_everywhere_where_that_is_asked_for() -> None:
    async with call_app(build_graph(Script()), affinity="thread") as client:
        response = await client.post("/agent/run", json={"input": "hi", "thread_id": "t-42"})
    assert response.json()["affinity_id"] == response.headers[AFFINITY_HEADER] == derive_affinity_id("t-42")


@pytest.mark.parametrize(("options", "ids"), [({}, 2), ({"affinity": "run"}, 2), ({"affinity": "thread"}, 1)], ids=str)
async def test_going_on_with_a_thread_keeps_the_id_where_that_is_asked_for(options: dict[str, Any], ids: int) -> None:
    async with call_app(build_graph(Script()), **options) as client:
        first = (await client.post("/agent/run", json={"input": "hi", "keep_thread": True})).json()
        second = (await client.post("/agent/run", json={"input": "hi", "thread_id": first["thread_id"]})).json()
    assert len({first["affinity_id"], second["affinity_id"]}) == ids


def test_an_affinity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'run' or 'thread'; got 'x'"):
        create_app(build_graph(Script()), affinity="x")  # type: ignore[arg-type] # what is tested


async def test_runs_without_id_or_thread_have_ids_of_their_own() -> None:
    async with call_app(build_graph(Script())) as client:
        ids = {(await client.post("/agent/run", json={"input": "hi"})).json()["affinity_id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "headers",
    [
        [(AFFINITY_HEADER, "one"), (AFFINITY_HEADER, "two")],
        [(AFFINITY_HEADER, "has space")],
        [(AFFINITY_HEADER, "x" * 257)],
        [(AFFINITY_HEADER, "")],
    ],
    ids=["twice", "space", "long", "empty"],
)
async def test_an_id_that_breaks_the_rules_is_refused(headers: list[tuple[str, str]]) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers=headers)
    assert (response.status_code, read_error(response)["code"]) == (400, "invalid_affinity_id")


@pytest.mark.parametrize(
    ("body", "says", "param"),
    [
        ({}, "neither", None),
        ({"input": "hi", "messages": [USER]}, "both", None),
        ({"input": ""}, "at least 1 character", "input"),
        ({"messages": []}, "at least 1 item", "messages"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "'user'", "messages[0].role"),
        ({"messages": "hi"}, "valid list", "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "valid string", "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "'text'", "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": []}]}, "at least 1 item", "messages[0].content"),
        ({"input": "hi", "thread": "t"}, "There is no field", "thread"),
        ({"input": "hi", "stream": True}, "'Accept: text/event-stream'", None),
        ({"input": "hi", "thread_id": "x" * 257}, "256", "thread_id"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_its_field(
    body: dict[str, object], says: str, param: str | None
) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json=body, headers={AFFINITY_HEADER: "mine"})
    error = read_error(response)
    assert (response.status_code, error["param"]) == (400, param)
    assert says in str(error["message"])
    assert response.headers[AFFINITY_HEADER] == "mine"


async def test_a_refusal_does_not_repeat_what_was_said() -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json={"input": {"text": "the secret prompt"}})
    assert "secret" not in response.text


@pytest.mark.parametrize("content", [b'{"input": "hi"', b"\xff\xfe", b"[" * 100_000, b'"hi"', b""])
async def test_a_body_that_is_no_json_object_is_refused(content: bytes) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    read_error(response)


async def test_a_body_of_another_type_is_told_which_to_send() -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", content=b'{"input": "hi"}')
    assert "application/json" in str(read_error(response)["message"])


async def test_a_body_over_the_limit_is_refused() -> None:
    async with call_app(build_graph(Script()), max_body_bytes=1024) as client:
        response = await client.post("/agent/run", json={"input": "x" * 1024})
    assert (response.status_code, read_error(response)["code"]) == (413, "body_too_large")
    assert "raise max_body_bytes in the agent server's settings" in str(read_error(response)["message"])


async def test_a_body_of_too_many_values_is_refused() -> None:
    messages = [{"role": "user", "content": "x"}] * (MAX_VALUES // 3 + 1)
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json={"messages": messages})
    assert (response.status_code, read_error(response)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/v1/v1/chat/completions", "//v1/chat/completions", "/chat/completions"])
async def test_a_mistaken_base_address_is_told_with_the_one_to_set(path: str) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post(httpx.URL(str(client.base_url)).copy_with(raw_path=path.encode()), json={})
    assert response.status_code == 404
    assert f"to {str(client.base_url).rstrip('/')}/v1." in str(read_error(response)["message"])


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/agent/run", 405)])
async def test_what_there_is_not_is_told_in_the_same_form(method: str, path: str, status: int) -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert str(read_error(response)["message"]).startswith(f"{method} {path} is not served here. ")


async def test_an_unknown_field_is_named() -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json={"inputs": "hi"})
    assert (response.status_code, read_error(response)["param"]) == (400, "inputs")
    assert str(read_error(response)["message"]).startswith("There is no field 'inputs' here.")


async def test_health_needs_no_router() -> None:
    async with call_app(build_graph(Script())) as client:
        for path in ("/healthz", "/health"):
            assert (await client.get(path)).json() == {"status": "ok"}


async def test_the_examples_in_the_documentation_are_valid() -> None:
    async with call_app(build_graph(Script())) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        run, chat = paths["/agent/run"]["post"], paths["/v1/chat/completions"]["post"]
        for path, described in (("/agent/run", run), ("/v1/chat/completions", chat)):
            (example,) = described["requestBody"]["content"]["application/json"]["schema"]["examples"]
            assert (await client.post(path, json=example)).status_code == 200
    ok = run["responses"]["200"]["content"]
    TypeAdapter(Answer).validate_python(ok["application/json"]["example"])
    assert [event.name for event in EventDecoder().feed(ok["text/event-stream"]["example"].encode())] == [
        "token",
        "turn",
        "tool",
        "done",
    ]


async def test_the_documentation_describes_every_field_of_an_answer() -> None:
    async with call_app(build_graph(Script())) as client:
        described = (await client.get("/openapi.json")).json()["components"]["schemas"]
    for name in (
        "Answer",
        "ModelCall",
        "Usage",
        "RunBody",
        "ChatBody",
        "UserInput",
        "DeveloperInput",
        "AssistantInput",
        "ToolInput",
        "CallInput",
        "CalledFunction",
        "ErrorDetail",
    ):
        for field, about in described[name]["properties"].items():
            assert about.get("description"), f"{name}.{field}"


async def test_events_end_with_the_whole_answer() -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers=EVENTS)
    events = read_events(response)
    done = TypeAdapter(Answer).validate_json(events[-1].data)
    assert [event.name for event in events if event.name != "token"] == [
        "turn",
        "tool",
        "tool",
        "turn",
        "done",
    ]
    assert [turn.turn for turn in done.turns] == [1, 2]
    assert json.loads(events[0].data) == {"turn": 1, "text": "I "}
    assert response.headers["content-type"] == "text/event-stream"


async def test_a_failure_on_a_stream_is_one_error_event_and_the_last() -> None:
    async def fail() -> None:
        if script.asked:
            raise RuntimeError

    script = Script(wait=fail)
    async with call_app(build_graph(script)) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers=EVENTS)
    last = read_events(response)[-1]
    assert (response.status_code, last.name) == (200, "error")
    assert set(json.loads(last.data)) == {"message", "type", "code"}


async def test_events_arrive_while_the_run_is_on(connect_to_each: Connect) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        if script.asked:
            entered.set()
            await go_on.wait()

    script = Script(wait=pause)
    decoder = EventDecoder()
    async with (
        connect_to_each(create_app(build_graph(script))) as client,
        client.stream("POST", "/agent/run", json={"input": "hi"}, headers=EVENTS) as response,
    ):
        chunks = response.aiter_raw()
        seen: list[str] = []
        while "tool" not in seen:
            seen += [event.name for event in decoder.feed(await anext(chunks))]
        go_on.set()
        async for chunk in chunks:
            seen += [event.name for event in decoder.feed(chunk)]
    assert seen[-1] == "done"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_client_that_leaves_cancels_the_run_and_frees_its_thread(accept: str, connect_to_each: Connect) -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    script = Script(wait=hang)
    body = {"input": "hi", "thread_id": "t-1"}
    async with connect_to_each(create_app(build_graph(script))) as client:
        left = asyncio.create_task(client.post("/agent/run", json=body, headers={"accept": accept}))
        await entered.wait()
        left.cancel()
        await cancelled.wait()
        script.wait = _go_on
        # The model hears of it a little before the thread is free.
        while (again := await client.post("/agent/run", json=body)).status_code == 409:
            pass
        assert again.status_code == 200


async def _go_on() -> None:
    """Wait for nothing."""


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_second_run_on_a_busy_thread_is_a_409(accept: str) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        entered.set()
        await go_on.wait()

    body = {"input": "hi", "thread_id": "t-1"}
    async with call_app(build_graph(Script(wait=pause))) as client:
        first = asyncio.create_task(client.post("/agent/run", json=body))
        await entered.wait()
        second = await client.post("/agent/run", json=body, headers={"accept": accept})
        go_on.set()
        assert (await first).status_code == 200
    assert (second.status_code, read_error(second)["code"]) == (409, "thread_busy")
    assert "'t-1'" in str(read_error(second)["message"])


async def test_two_hundred_runs_at_once_do_not_cross(connect_to_each: Connect) -> None:
    script = Script()
    ids = [f"run-{number}" for number in range(200)]
    async with connect_to_each(create_app(build_graph(script))) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    "/agent/run",
                    json={"input": affinity_id, "thread_id": f"t-{affinity_id}"},
                    headers={
                        AFFINITY_HEADER: affinity_id,
                        "accept": EVENTS["accept"] if number % 2 else "*/*",
                    },
                )
                for number, affinity_id in enumerate(ids)
            )
        )
    assert len(script.asked) == 400
    assert all(asked.affinity_id == asked.scope_id == asked.messages[0].text for asked in script.asked)
    assert [answer.headers[AFFINITY_HEADER] for answer in answers] == ids


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_half_a_character_from_a_model_or_tool_is_replaced(accept: str) -> None:
    script = Script(("gpt-\ud83d", "gpt-\ud83d"), cities=("Os\udc00lo",))
    async with call_app(build_graph(script)) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers={"accept": accept})
    events = read_events(response)
    answer = TypeAdapter(Answer).validate_json(events[-1].data if events else response.content)
    assert (answer.output.strip(), answer.turns[0].model) == ("Oslo, says gpt-\ufffd", "gpt-\ufffd")
    tools = [json.loads(event.data) for event in events if event.name == "tool"]
    assert [(tool["arguments"], tool["result"]) for tool in tools] == [
        ({"city": "Os\ufffdlo"}, "Os\ufffdlo is a city")
    ] * len(tools)


async def test_half_a_character_in_a_fields_name_is_refused() -> None:
    async with call_app(build_graph(Script())) as client:
        response = await client.post(
            "/agent/run",
            content=rb'{"input": "hi", "\ud83d": 1}',
            headers={"content-type": "application/json"},
        )
    assert response.status_code == 400
    read_error(response)


async def test_a_thread_is_refused_by_an_agent_that_remembers_none() -> None:
    async with call_app(build_graph(Script(), remember=False)) as client:
        response = await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
    assert (response.status_code, read_error(response)["param"]) == (400, "thread_id")
    assert "'checkpoints'" in str(read_error(response)["message"])


async def test_an_agent_that_remembers_no_threads_names_none() -> None:
    async with call_app(build_graph(Script(), remember=False)) as client:
        response = await client.post("/agent/run", json={"input": "hi"})
    assert (response.status_code, response.json()["thread_id"]) == (200, None)


async def test_an_argument_that_json_cannot_say_is_named_by_its_type() -> None:
    @tool
    def inspect_state(city: str, state: object) -> str:
        """Look at the state."""
        return city

    @tool
    def delegate(city: str) -> str:
        """Call another tool, which no model asked for."""
        return str(inspect_state.invoke({"city": city, "state": object()}))

    graph = build_graph(Script(tool="delegate"), delegate)
    async with call_app(graph) as client:
        response = await client.post("/agent/run", json={"input": "hi"}, headers=EVENTS)
    tools = [json.loads(event.data) for event in read_events(response) if event.name == "tool"]
    inner = [told["arguments"] for told in tools if told["name"] == "inspect_state"]
    assert {"city": "Oslo", "state": "<object>"} in inner
