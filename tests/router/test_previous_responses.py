"""``previous_response_id``: it leads to the session that made the response, and to nothing that is stored here."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from plano_agents.affinity import MAX_ID_LENGTH
from plano_agents.config.model import Preference
from plano_agents.router.request.surfaces import RESPONSES, Endpoint
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.testing import FakeUpstream, say
from tests.faults.redis_server import RedisServer
from tests.router.conftest import (
    CLAUDE,
    GPT,
    MESSAGE,
    MINI,
    SSE,
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_pinning,
    build_service,
    run_router,
)
from tests.sessions.conftest import share

ID = ("x-model-affinity", "run-1")
RETAINED = "retain; reason=pinned"
RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "output": [{}], "usage": {"input_tokens": 3}}
WHOLE = MemoryResponse(pieces=(json.dumps(RESPONSE).encode(),))
STREAM = MemoryResponse(
    headers=SSE,
    pieces=tuple(
        f"event: {kind}\ndata: {json.dumps({'type': kind, 'response': response})}\n\n".encode()
        for kind, response in (
            ("response.created", {**RESPONSE, "status": "in_progress", "output": [], "usage": None}),
            ("response.completed", RESPONSE),
        )
    ),
)
PREFERENCES = (Preference("code", "writing code", (MINI,)), Preference("talk", "small talk", (GPT,)))


class Router:
    """Two models of OpenAI's; code goes to one, all else to the other."""

    def __init__(self, answer: MemoryResponse = WHOLE) -> None:
        self.strategy, self.pinning = Choose("code"), build_pinning()
        config = build_config(GPT, MINI, preferences=PREFERENCES)
        self.upstream = MemoryUpstream(answer)
        self.service = build_service(config, self.upstream, strategy=self.strategy, pinning=self.pinning)

    async def ask(self, *headers: tuple[str, str], about: str = "talk", **fields: object) -> Seen:
        self.strategy.name = about
        body = json.dumps({"input": "hi", **fields}).encode()
        return await ask(self.service, body, *headers, endpoint=Endpoint(RESPONSES))

    async def go_on(self, *headers: tuple[str, str], stream: bool = False) -> tuple[str, str]:
        seen = await self.ask(*headers, previous_response_id="resp_1", stream=stream)
        return seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]


@pytest.mark.parametrize(("answer", "streams"), [(WHOLE, False), (STREAM, True)], ids=["whole", "streamed"])
async def test_a_response_leads_to_the_session_that_made_it(answer: MemoryResponse, *, streams: bool) -> None:
    router = Router(answer)
    await router.ask(ID, about="code", stream=streams)
    assert await router.go_on(stream=streams) == (MINI, RETAINED)
    assert json.loads(router.upstream.requests[-1].body)["previous_response_id"] == "resp_1"


async def test_a_response_leads_to_its_session_on_another_replica(tmp_path: Path) -> None:
    async with (
        RedisServer(tmp_path) as server,
        share(server.url, timeout_seconds=10) as one,
        share(server.url, timeout_seconds=10) as two,
    ):
        here, there = Router(), Router()
        here.pinning.store, there.pinning.store = one, two
        await here.ask(ID, about="code")
        assert await there.go_on() == (MINI, RETAINED)


class SlowStore(MemorySessionStore):
    """Notes responses when it is let."""

    def __init__(self) -> None:
        super().__init__(max_entries=100)
        self.asked, self.release = asyncio.Event(), asyncio.Event()

    async def note_response(self, response: ResponseKey, maker: Maker) -> None:
        self.asked.set()
        await self.release.wait()
        await super().note_response(response, maker)


@pytest.mark.parametrize(("answer", "streams"), [(WHOLE, False), (STREAM, True)], ids=["whole", "streamed"])
async def test_an_answer_ends_once_its_response_is_noted(answer: MemoryResponse, *, streams: bool) -> None:
    """Another replica may be asked to go on from it at once."""
    router, store = Router(answer), SlowStore()
    router.pinning.store = store
    asking = asyncio.create_task(router.ask(ID, about="code", stream=streams))
    await store.asked.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not asking.done()
    store.release.set()
    await asking
    assert await store.find_maker(ResponseKey("", "resp_1")) == Maker(ID[1], 600.0, None)


async def test_a_response_with_too_long_an_id_is_not_noted() -> None:
    answer = {**RESPONSE, "id": "x" * (MAX_ID_LENGTH + 1)}
    router = Router(MemoryResponse(pieces=(json.dumps(answer).encode(),)))
    await router.ask(ID, about="code")
    seen = await router.ask(previous_response_id=answer["id"])
    assert seen.headers["x-plano-affinity"] == "none"


async def test_the_answer_names_the_source_of_the_session() -> None:
    router = Router()
    await router.ask(ID, about="code")
    seen = await router.ask(previous_response_id="resp_1")
    assert seen.headers["x-plano-session"] == "previous_response_id"


async def test_a_response_of_no_session_leads_to_none() -> None:
    router = Router()
    await router.ask(about="code")
    assert await router.go_on() == (GPT, "none")


async def test_a_response_leads_nowhere_once_its_session_has_ended() -> None:
    router = Router()
    await router.ask(ID, about="code")
    await router.pinning.store.drop(SessionKey("", ID[1]))
    assert await router.go_on() == (GPT, "none")


async def test_an_affinity_id_outranks_a_response() -> None:
    router = Router()
    await router.ask(ID, about="code")
    assert await router.go_on(("x-model-affinity", "run-2")) == (GPT, "initialize; reason=first_turn")


async def test_where_nothing_is_stored_the_transcript_is_asked_for() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    service = build_service(build_config(GPT, CLAUDE), upstream, strategy=Choose("code"))
    body: dict[str, Any] = {"input": "hi"}
    made = json.loads((await ask(service, json.dumps(body).encode(), ID, endpoint=Endpoint(RESPONSES))).body)["id"]
    body["previous_response_id"] = made
    seen = await ask(service, json.dumps(body).encode(), endpoint=Endpoint(RESPONSES))
    assert (seen.status, seen.error["param"]) == (400, "previous_response_id")
    assert "Send the whole transcript" in seen.error["message"]
    assert (seen.headers["x-plano-affinity"], len(upstream.requests)) == (RETAINED, 1)


async def test_openais_sdk_is_told_to_send_the_transcript() -> None:
    async with (
        FakeUpstream(say("Hello.")) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client,
    ):
        made = await client.responses.create(model=GPT, input="hi", extra_headers=dict([ID]))
        with pytest.raises(BadRequestError, match="Send the whole transcript"):
            await client.responses.create(model=GPT, input="Again.", previous_response_id=made.id)
