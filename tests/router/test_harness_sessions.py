"""The session of a request: an id of its client's, a recognised harness', or none."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from openai import AsyncOpenAI

from plano_agents.config.model import Routing
from plano_agents.config.options import PromptCaching, SessionCache
from plano_agents.router.request.surfaces import CHAT, ENDPOINTS, MESSAGES, RESPONSES, Endpoint, Surface
from plano_agents.sessions.harnesses import HARNESSES
from plano_agents.sessions.store import Wanted
from plano_agents.testing import FakeUpstream
from tests.harnesses.recorded import FOLDER, read_recorded
from tests.router.conftest import (
    Choose,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_pinning,
    build_service,
    run_router,
)
from tests.router.harness import (
    AGENT,
    CONFIG,
    FIRST,
    MAIN_MODEL,
    ONE,
    RETAINED,
    SDK,
    SESSION,
    TOOL,
    TWO,
    WITH_CLAUDE,
    Harness,
)
from tests.router.raw_client import COMPLETION, complete

GENERIC_HEADERS = (
    "session-id",
    "session_id",
    "thread-id",
    "x-session-id",
    "x-session-affinity",
    "x-affinity",
)
GENERIC_FIELDS: Mapping[str, object] = {
    "prompt_cache_key": "s-1",
    "user": "s-1",
    "metadata": {"user_id": "user_0a_account_1_session_6666"},
}
PLAIN: Mapping[Surface, dict[str, object]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    RESPONSES: {"input": "Hi"},
}


@pytest.mark.parametrize("surface", PLAIN, ids=lambda surface: surface.path)
@pytest.mark.parametrize("name", [*GENERIC_HEADERS, *GENERIC_FIELDS])
async def test_a_generic_name_from_a_plain_sdk_is_no_session(surface: Surface, name: str) -> None:
    service = build_service(CONFIG, MemoryUpstream(MemoryResponse(pieces=(COMPLETION,))), strategy=Choose("one"))
    headers = [SDK, (name, "s-1")] if name in GENERIC_HEADERS else [SDK]
    body = PLAIN[surface] | ({name: GENERIC_FIELDS[name]} if name in GENERIC_FIELDS else {})
    for _ in range(2):
        seen = await ask(service, json.dumps(body).encode(), *headers, endpoint=Endpoint(surface))
        assert (seen.headers["x-plano-affinity"], seen.headers.get("x-plano-session")) == ("none", None)


@pytest.mark.parametrize("name", [*GENERIC_HEADERS, *GENERIC_FIELDS])
async def test_the_openai_sdk_itself_shows_no_harness_by_a_generic_name(name: str) -> None:
    headers = {name: "s-1"} if name in GENERIC_HEADERS else {}
    fields = {name: GENERIC_FIELDS[name]} if name in GENERIC_FIELDS else {}
    async with (
        FakeUpstream(complete) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none", default_headers=headers, max_retries=0) as client,
    ):
        for _ in range(2):
            answer = await client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], extra_body=fields
            )
            assert (answer.headers["x-plano-affinity"], "x-plano-session" in answer.headers) == ("none", False)


async def test_a_harness_is_not_recognised_where_that_is_turned_off() -> None:
    harness = Harness(replace(CONFIG, routing=Routing(harness_sessions=False)))
    assert await harness.ask_main() == (ONE, "none")
    assert await harness.ask_main() == (TWO, "none")


async def test_an_affinity_id_outranks_a_harness_id_and_has_no_lanes() -> None:
    harness, run = Harness(), ("x-model-affinity", "run-1")
    assert await harness.ask_main(SESSION, run) == (ONE, FIRST)
    assert await harness.ask(SESSION, AGENT, run, model="small") == (ONE, RETAINED)


async def test_a_configured_header_outranks_a_harness_and_keeps_the_lanes_that_its_client_names() -> None:
    harness = Harness(replace(CONFIG, routing=Routing(affinity_headers=("x-claude-code-session-id",))))
    assert await harness.ask(model="one") == (ONE, FIRST)
    assert await harness.ask(SESSION, AGENT, model="two") == (TWO, FIRST)
    assert await harness.ask(SESSION, AGENT, model="one") == (TWO, RETAINED)
    assert await harness.ask_main(model="two") == (ONE, RETAINED)


@pytest.mark.parametrize("path", ["user", "metadata.user_id"])
async def test_a_configured_field_is_taken_as_the_affinity_id(path: str) -> None:
    harness = Harness(replace(CONFIG, routing=Routing(affinity_fields=("absent", "metadata.user_id", "user"))))
    fields: dict[str, Any] = {"user": "run-1"} if path == "user" else {"metadata": {"user_id": "run-1"}}
    seen = [await harness.send(SDK, **fields) for _ in range(2)]
    assert [each.headers["x-plano-affinity"] for each in seen] == [FIRST, RETAINED]
    assert {(each.headers["x-model-affinity"], each.headers["x-plano-session"]) for each in seen} == {
        ("run-1", f"field={path}")
    }
    assert await harness.ask(("x-model-affinity", "run-1")) == (ONE, RETAINED)


@pytest.mark.parametrize("value", ["", "a b", 7, ["x"]])
async def test_a_configured_field_that_holds_no_id_is_refused(value: object) -> None:
    harness = Harness(replace(CONFIG, routing=Routing(affinity_fields=("user",))))
    seen = await harness.send(SDK, user=value)
    assert (seen.status, seen.error["type"]) == (400, "invalid_request_error")


async def test_no_client_can_claim_a_harness_session() -> None:
    harness = Harness()
    await harness.ask_main()
    page = await harness.pinning.store.scan(Wanted(), limit=100, cursor=None)
    (key,) = [session.key.affinity_id for session in page.sessions]
    seen = await harness.send(("x-model-affinity", key))
    assert seen.status == 400
    assert await harness.ask_main(("x-model-affinity", key.replace("·", "-"))) == (ONE, FIRST)


async def test_a_harness_session_is_a_tenants_own() -> None:
    harness = Harness(replace(CONFIG, routing=Routing(session_cache=SessionCache(tenant_header="x-tenant"))))
    assert await harness.ask_main(SESSION, ("x-tenant", "a")) == (ONE, FIRST)
    assert await harness.ask_main(SESSION, ("x-tenant", "b")) == (TWO, FIRST)
    assert await harness.ask_main(SESSION, ("x-tenant", "a")) == (ONE, RETAINED)


async def test_the_answer_names_the_source_of_the_session() -> None:
    harness = Harness(replace(CONFIG, prompt_caching=PromptCaching(enabled=True)))
    told = [
        (await harness.send(*headers, tools=tools)).headers.get("x-plano-session")
        for headers, tools in [
            ((SESSION,), [TOOL]),
            ((SESSION, AGENT), None),
            ((("x-model-affinity", "run-1"),), [TOOL]),
            ((SDK,), [TOOL]),
        ]
    ]
    assert told == [
        f"harness=claude-code; lane=main/{MAIN_MODEL}",
        f"harness=claude-code; lane=agent-side/a-1/{MAIN_MODEL}",
        None,
        "implicit",
    ]


RECORDED = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("recording", RECORDED)
async def test_what_real_clients_were_seen_to_send_is_recognised(recording: str) -> None:
    harness = next(row.name for row in HARNESSES if recording.startswith(row.name))
    pinning = build_pinning()
    service = build_service(
        replace(WITH_CLAUDE, preferences=()),
        MemoryUpstream(MemoryResponse(pieces=(COMPLETION,))),
        pinning=pinning,
    )
    for request in read_recorded(recording):
        endpoint = ENDPOINTS.get(request.path.partition("?")[0])
        if endpoint is None:
            continue
        seen = await ask(service, json.dumps(request.body).encode(), *request.headers.items(), endpoint=endpoint)
        assert seen.headers["x-plano-session"].startswith(f"harness={harness}; lane="), request.path
