"""``POST /v1/responses/compact``, and requests that ask for a compaction by their last item."""

import json
from typing import Any

import pytest
from openai import AsyncOpenAI

from plano_agents.protocol.sealed_summary import seal_summary
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import COMPACT, RESPONSES, Endpoint
from plano_agents.testing import FakeUpstream, say
from tests.router.conftest import (
    CLAUDE,
    GPT,
    MESSAGE,
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_service,
    chat,
    run_router,
)

ID = ("x-model-affinity", "run-1")
ASKED: list[dict[str, Any]] = [
    {"role": "developer", "content": "You help."},
    {"role": "user", "content": "Add."},
    {"type": "function_call", "call_id": "t1", "name": "add", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "t1", "output": "3"},
    {"role": "assistant", "content": "Three."},
]
TRIGGER = {"type": "compaction_trigger"}
NATIVE = MemoryResponse(pieces=(b'{"id":"resp_1","object":"response.compaction","created_at":1,"output":[]}',))
"""OpenAI's own answer."""


async def compact(service: Service, *headers: tuple[str, str], **fields: object) -> Seen:
    return await ask(service, json.dumps({"input": ASKED, **fields}).encode(), *headers, endpoint=COMPACT)


async def test_openai_compacts_its_own_models_transcripts() -> None:
    upstream = MemoryUpstream(NATIVE)
    seen = await compact(build_service(build_config(GPT), upstream), model=GPT)
    assert (seen.status, seen.body) == (200, NATIVE.pieces[0])
    [sent] = upstream.requests
    assert sent.url == "https://api.openai.com/v1/responses/compact"
    assert json.loads(sent.body) == {"input": ASKED, "model": "gpt-4o"}


async def test_another_model_is_asked_for_a_summary() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    seen = await compact(build_service(build_config(CLAUDE), upstream), model=CLAUDE, stream=True)
    compacted = json.loads(seen.body)
    assert (seen.status, seen.headers["x-plano-adjusted"]) == (200, "input compacted by a summary")
    assert (compacted["object"], compacted["usage"]["total_tokens"]) == ("response.compaction", 8)
    user, summary = compacted["output"]
    assert (user["role"], user["content"]) == ("user", [{"type": "input_text", "text": "Add."}])
    assert summary["encrypted_content"] == seal_summary("hello")
    assert "stream" not in json.loads(upstream.requests[0].body)


async def test_a_text_is_compacted_too() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    seen = await compact(build_service(build_config(CLAUDE), upstream), model=CLAUDE, input="Add.")
    assert [item["type"] for item in json.loads(seen.body)["output"]] == ["message", "compaction"]


async def test_the_users_oldest_messages_are_left_to_the_summary_where_they_are_too_long() -> None:
    items = [{"role": "user", "content": f"{number}" + "x" * 100_000} for number in range(4)]
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    seen = await compact(build_service(build_config(CLAUDE), upstream), model=CLAUDE, input=items)
    *messages, _summary = json.loads(seen.body)["output"]
    assert [message["content"][0]["text"][0] for message in messages] == ["2", "3"]


async def test_what_leads_to_a_stored_transcript_is_refused() -> None:
    seen = await compact(build_service(build_config(CLAUDE), MemoryUpstream()), model=CLAUDE, previous_response_id="r")
    assert (seen.status, seen.error["param"]) == (400, "previous_response_id")


@pytest.mark.parametrize("nothing", [None, "", []])
async def test_without_a_transcript_nothing_is_asked(nothing: object) -> None:
    seen = await compact(build_service(build_config(CLAUDE), MemoryUpstream()), model=CLAUDE, input=nothing)
    assert (seen.status, seen.error["param"]) == (400, "input")


async def test_a_wrong_stream_is_refused_though_none_is_streamed_in_a_pinned_session_too() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    service = build_service(build_config(CLAUDE), upstream)
    await compact(service, ID, model=CLAUDE)
    seen = await compact(service, ID, model=CLAUDE, stream="yes")
    assert (seen.status, seen.error["param"]) == (400, "stream")


async def test_a_providers_error_stays_an_error() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'
    upstream = MemoryUpstream(MemoryResponse(400, pieces=(body,)))
    seen = await compact(build_service(build_config(CLAUDE), upstream), model=CLAUDE)
    assert (seen.status, seen.error["message"]) == (400, "no")


@pytest.mark.parametrize("first", [CLAUDE, GPT])
async def test_a_compaction_is_a_turn_of_its_session(first: str) -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    service = build_service(build_config(GPT, CLAUDE), upstream, strategy=Choose("code"))
    await ask(service, chat(model=first), ID)
    seen = await compact(service, ID, model=GPT)
    assert (seen.status, seen.headers["x-plano-model"]) == (200, CLAUDE)
    assert seen.headers["x-plano-affinity"] == "retain; reason=pinned"


@pytest.mark.parametrize(
    ("model", "url"),
    [
        (GPT, "https://api.openai.com/v1/responses"),
        ("xai/grok-4", "https://api.x.ai/v1/chat/completions"),
    ],
)
async def test_a_trigger_goes_to_responses_only_where_the_provider_compacts(model: str, url: str) -> None:
    upstream = MemoryUpstream(MemoryResponse(400))
    body = json.dumps({"model": model, "input": [*ASKED, TRIGGER]}).encode()
    await ask(build_service(build_config(model), upstream), body, endpoint=Endpoint(RESPONSES))
    assert upstream.requests[0].url == url


async def test_openais_sdk_goes_on_from_a_compacted_transcript() -> None:
    async with (
        FakeUpstream(say("They added one and two.")) as provider,
        run_router(build_config(base_url=provider.url)) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client,
    ):
        compacted = await client.responses.compact(model=GPT, input="Add.")
        transcript: Any = [item.model_dump(exclude_none=True, warnings=False) for item in compacted.output]
        transcript.append({"role": "user", "content": "Again."})
        await client.responses.create(model=GPT, input=transcript)
    assert compacted.object == "response.compaction"
    texts = [str(message["content"]) for message in provider.exchanges[-1].json["messages"]]
    assert ["Add." in texts[0], "They added one and two." in texts[1], texts[2]] == [True, True, "Again."]
