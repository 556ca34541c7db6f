"""``POST /v1/messages/count_tokens`` and ``POST /v1/responses/input_tokens``."""

import gzip
import json

import pytest
from openai import AsyncOpenAI

from plano_agents.errors import UpstreamUnreachableError
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import ENDPOINTS
from tests.router.conftest import (
    CLAUDE,
    GPT,
    JSON,
    MESSAGE,
    SSE,
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
    run_router,
)

ID = ("x-model-affinity", "run-1")
COUNT = MemoryResponse(pieces=(b'{"input_tokens": 9}',))
INPUT_COUNT = MemoryResponse(pieces=(b'{"object": "response.input_tokens", "input_tokens": 9}',))
ESTIMATED = "input_tokens estimated"


async def count(service: Service, *headers: tuple[str, str], **body: object) -> Seen:
    asked = {"model": CLAUDE, "messages": [{"role": "user", "content": "hello"}], **body}
    return await ask(service, json.dumps(asked).encode(), *headers, endpoint=ENDPOINTS["/v1/messages/count_tokens"])


async def count_input(service: Service, *headers: tuple[str, str], **body: object) -> Seen:
    asked = json.dumps({"input": "hello", **body}).encode()
    return await ask(service, asked, *headers, endpoint=ENDPOINTS["/v1/responses/input_tokens"])


async def test_a_claude_models_count_is_anthropics_own() -> None:
    upstream = MemoryUpstream(COUNT)
    seen = await count(build_service(build_config(CLAUDE), upstream), ("anthropic-beta", "x-1"))
    assert (seen.status, seen.body, seen.headers["x-plano-model"]) == (200, b'{"input_tokens": 9}', CLAUDE)
    assert "x-plano-adjusted" not in seen.headers
    [sent] = upstream.requests
    assert sent.url == "https://api.anthropic.com/v1/messages/count_tokens"
    assert sent.headers["anthropic-beta"] == "x-1"


async def test_anthropic_is_sent_only_what_it_counts() -> None:
    """It refuses the fields that are about the answer: ``max_tokens: Extra inputs are not permitted``."""
    upstream = MemoryUpstream(COUNT)
    await count(build_service(build_config(CLAUDE), upstream), max_tokens=5, stream=True, system="You help.")
    assert json.loads(upstream.requests[0].body).keys() == {"model", "messages", "system"}


async def test_another_models_count_is_an_estimate_that_says_so() -> None:
    upstream = MemoryUpstream()
    seen = await count(build_service(build_config(GPT), upstream), model=GPT, system="word " * 400)
    assert (seen.status, seen.headers["x-plano-adjusted"]) == (200, ESTIMATED)
    assert 500 < json.loads(seen.body)["input_tokens"] < 600
    assert upstream.requests == []


async def test_an_image_is_not_estimated_by_its_bytes() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}
    content = [{"type": "image", "source": source}]
    seen = await count(
        build_service(build_config(GPT), MemoryUpstream()),
        model=GPT,
        messages=[{"role": "user", "content": content}],
    )
    assert json.loads(seen.body)["input_tokens"] < 100


@pytest.mark.parametrize(
    "answer",
    [
        MemoryResponse(404),
        MemoryResponse(400),
        MemoryResponse(501),
        MemoryResponse(headers=SSE, pieces=(b"data: {}\n\n",)),
    ],
    ids=["404", "400", "501", "stream"],
)
async def test_a_compatible_server_that_does_not_count_is_estimated(answer: MemoryResponse) -> None:
    model = build_model("mine/m", interface="anthropic", base_url="https://mine.example.test")
    config = build_config(models=(model,))
    seen = await count(build_service(config, MemoryUpstream(answer)), model="mine/m")
    assert (seen.status, seen.headers["x-plano-adjusted"]) == (200, ESTIMATED)
    assert answer.closed


async def test_a_providers_refusal_of_the_key_is_passed_on() -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    seen = await count(build_service(build_config(CLAUDE), MemoryUpstream(MemoryResponse(401, JSON, (body,)))))
    assert (seen.status, seen.body) == (401, body)


async def test_a_provider_that_cannot_be_reached_is_an_error_in_anthropics_form() -> None:
    seen = await count(build_service(build_config(CLAUDE), MemoryUpstream(UpstreamUnreachableError("gone"))))
    assert (seen.status, json.loads(seen.body)["type"]) == (502, "error")


async def test_a_sessions_count_is_made_for_its_pinned_model() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)), COUNT)
    service = build_service(build_config(GPT, CLAUDE), upstream, strategy=Choose("code"))
    await ask(service, chat(model=GPT), ID)
    seen = await count(service, ID, model="gpt-9")
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-adjusted"]) == (
        CLAUDE,
        f"model={CLAUDE} (was gpt-9)",
    )


async def test_a_count_begins_no_session() -> None:
    service = build_service(build_config(GPT, CLAUDE), MemoryUpstream(COUNT, MemoryResponse()))
    counted = await count(service, ID)
    seen = await ask(service, chat(model=GPT), ID)
    assert (counted.headers["x-plano-affinity"], seen.headers["x-plano-model"]) == ("none", GPT)
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


async def test_an_unknown_models_count_is_refused() -> None:
    seen = await count(build_service(build_config(GPT), MemoryUpstream()), model="zzz")
    assert (seen.status, json.loads(seen.body)["error"]["type"]) == (404, "not_found_error")


async def test_a_count_that_came_compressed_is_passed_on_as_it_was_before() -> None:
    headers = {**JSON, "content-encoding": "gzip"}
    upstream = MemoryUpstream(MemoryResponse(headers=headers, pieces=(gzip.compress(b'{"input_tokens": 9}'),)))
    seen = await count(build_service(build_config(CLAUDE), upstream))
    assert (seen.body, "content-encoding" in seen.headers) == (b'{"input_tokens": 9}', False)


async def test_a_gpt_models_input_is_counted_by_openai() -> None:
    upstream = MemoryUpstream(INPUT_COUNT)
    seen = await count_input(
        build_service(build_config(GPT), upstream), model=GPT, instructions="You help.", stream=True
    )
    assert (seen.status, seen.body, seen.headers["x-plano-model"]) == (200, INPUT_COUNT.pieces[0], GPT)
    assert "x-plano-adjusted" not in seen.headers
    [sent] = upstream.requests
    assert sent.url == "https://api.openai.com/v1/responses/input_tokens"
    assert json.loads(sent.body) == {"input": "hello", "model": "gpt-4o", "instructions": "You help."}


async def test_another_models_input_is_estimated_in_openais_form() -> None:
    upstream = MemoryUpstream()
    seen = await count_input(build_service(build_config(CLAUDE), upstream), model=CLAUDE, instructions="word " * 400)
    counted = json.loads(seen.body)
    assert (seen.status, seen.headers["x-plano-adjusted"]) == (200, ESTIMATED)
    assert 500 < counted["input_tokens"] < 600
    assert counted["object"] == "response.input_tokens"
    assert upstream.requests == []


@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
async def test_what_leads_to_stored_input_is_not_estimated(name: str) -> None:
    seen = await count_input(build_service(build_config(CLAUDE), MemoryUpstream()), model=CLAUDE, **{name: "resp_1"})
    assert (seen.status, seen.error["param"], seen.error["code"]) == (400, name, "unsupported_field")


async def test_a_sessions_input_is_counted_for_its_pinned_model() -> None:
    upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))
    service = build_service(build_config(GPT, CLAUDE), upstream, strategy=Choose("code"))
    await ask(service, chat(model=GPT), ID)
    seen = await count_input(service, ID, model=GPT)
    assert (seen.status, seen.headers["x-plano-model"]) == (200, CLAUDE)


async def test_openais_sdk_reads_an_estimate() -> None:
    async with (
        run_router(build_config(CLAUDE)) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client,
    ):
        counted = await client.responses.input_tokens.count(model=CLAUDE, input="hello")
    assert (counted.input_tokens > 0, counted.object) == (True, "response.input_tokens")
