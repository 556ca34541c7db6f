"""The pages beside the proxied endpoints."""

import json

import pytest
from openai import AsyncOpenAI

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Routing
from plano_agents.config.options import SessionCache
from plano_agents.router.app import Router
from plano_agents.secret_str import SecretStr
from tests.router.conftest import CLAUDE, GPT, MemoryUpstream, build_config, build_model, run_router
from tests.router.raw_client import ask, build_request, talk
from tests.router.request.test_endpoints_keys import KEYED


async def test_the_openai_sdk_lists_models_and_aliases() -> None:
    config = build_config(GPT, CLAUDE, "groq/*", aliases={"fast": "groq/llama", "smart": CLAUDE})
    async with run_router(config) as url, AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
        listed = [(model.id, model.owned_by, model.object) async for model in client.models.list()]
    assert listed == [
        (GPT, "openai", "model"),
        (CLAUDE, "anthropic", "model"),
        ("groq/*", "groq", "model"),
        ("fast", "groq", "model"),
        ("smart", "anthropic", "model"),
    ]


async def test_the_default_model_is_listed_first() -> None:
    config = build_config(models=(build_model(GPT), build_model(CLAUDE, default=True)))
    _, _, body = await ask(build_request(method="GET", path="/v1/models"), config)
    assert [model["id"] for model in json.loads(body)["data"]] == [CLAUDE, GPT]


async def test_health_needs_no_key() -> None:
    status, _, body = await ask(build_request(method="GET", path="/healthz"), KEYED)
    assert (status, json.loads(body)) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_load_balancers_may_ask_for_health_by_head(path: str) -> None:
    status, _, body = await ask(build_request(method="HEAD", path=path), KEYED)
    assert (status, body) == (200, b"")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/inspector", "/inspector/api/sessions"])
async def test_what_takes_questions_alone_says_so(path: str) -> None:
    status, headers, body = await ask(build_request(method="DELETE", path=path))
    assert (status, "allow: get, head\r\n" in headers) == (405, True)
    assert json.loads(body)["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v1/models", "/docs", "/openapi.json", "/nothing", "/healthz/x", "//healthz"])
async def test_everything_else_needs_a_key(path: str) -> None:
    async with run_router(KEYED) as url:
        refused, _, _ = await talk(url, build_request(method="GET", path=path))
        served, _, _ = await talk(url, build_request(b"", "x-api-key: k-1", method="GET", path=path))
    assert refused == 401
    assert served in {200, 404}


async def test_a_browser_at_the_root_is_led_to_the_inspector() -> None:
    request = build_request(b"", "accept: text/html,*/*;q=0.8", method="GET", path="/")
    async with run_router(KEYED) as url:
        status, headers, _ = await talk(url, request)
    assert (status, "location: /inspector\r\n" in headers) == (302, True)


async def test_a_program_at_the_root_is_told_what_is_served() -> None:
    status, _, body = await ask(build_request(b"", "accept: application/json", method="GET", path="/"))
    assert (status, json.loads(body)["error"]["code"]) == (404, "endpoint_not_found")


@pytest.mark.parametrize("given", ["run-é", "lauf 7", "x" * 300])
async def test_an_id_that_cannot_be_one_is_shown_as_it_was_sent(given: str) -> None:
    head = f"x-model-affinity: {given}".encode()
    request = build_request(b"{}").replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n\r\n", 1)
    status, _, body = await ask(request)
    told = json.loads(body)["error"]["message"]
    assert status == 400
    assert (repr(given) in told) if len(given) < 300 else ("got 300" in told)


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/chat/completions/x", "/V1/models", "/v1/chat", "/v1/affinity", "//affinity"]
)
async def test_an_unknown_path_is_refused_in_openais_form(path: str) -> None:
    status, headers, body = await ask(build_request(method="GET", path=path))
    assert (status, json.loads(body)["error"]["code"]) == (404, "endpoint_not_found")
    assert "location" not in headers
    assert path in json.loads(body)["error"]["message"]


async def test_an_unknown_path_is_told_with_the_base_address_to_set() -> None:
    _, _, body = await ask(build_request(method="GET", path="/openai/v1/chat/completions"))
    assert "base address to http://localhost/v1 for OpenAI's" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/completions", "/v1/audio/speech", "/v1/files/f-1"])
async def test_an_endpoint_of_openais_that_a_router_has_no_use_for_is_not_blamed_on_the_base_address(path: str) -> None:
    status, _, body = await ask(build_request(b"{}", path=path))
    message = json.loads(body)["error"]["message"]
    assert (status, "base address" in message) == (404, False)
    assert "Send this request to the provider itself." in message


@pytest.mark.parametrize("path", ["//v1/messages?beta=true", "/v1/v1/messages", "/v1/responses/", "/chat/completions"])
async def test_a_mistaken_base_address_is_seen_through(path: str) -> None:
    status, _, _ = await ask(build_request(b"{", path=path))
    assert status == 400


@pytest.mark.parametrize("path", ["//v1/messages", "/v1/v1/messages", "/messages", "/v1/v1/models", "/models/"])
async def test_a_mistaken_base_address_needs_the_same_key(path: str) -> None:
    method = "GET" if "models" in path else "POST"
    status, _, _ = await ask(build_request(b"{}", method=method, path=path), KEYED)
    assert status == 401


async def test_a_percent_encoded_path_is_the_path_it_stands_for() -> None:
    status, _, _ = await ask(build_request(b"{", path="/v1/chat%2Fcompletions"))
    assert status == 400


async def test_another_method_on_a_known_path_is_refused_with_the_one_that_is_served() -> None:
    status, headers, body = await ask(build_request(b"", path="/v1/models"))
    assert (status, json.loads(body)["error"]["code"]) == (405, "method_not_allowed")
    assert "allow: get" in headers


async def test_a_websocket_is_refused_as_one() -> None:
    request = build_request(
        b"",
        "upgrade: websocket",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version: 13",
        "connection: upgrade, close",
        method="GET",
        close=False,
    )
    async with run_router(build_config(client_keys=(build_client_key("k-1"),))) as url:
        status, _, _ = await talk(url, request)
    assert status == 426


async def test_a_store_that_was_configured_anew_waits_for_a_restart_and_that_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = Router(build_config(), MemoryUpstream())
    router.configure(build_config(routing=Routing(session_ttl_seconds=5)))
    assert not caplog.records
    shared = SessionCache("redis", SecretStr("redis://:canary@127.0.0.1:1"))
    router.configure(build_config(routing=Routing(session_cache=shared)))
    [record] = caplog.records
    assert "until the router is restarted" in record.getMessage()
    assert "canary" not in caplog.text
