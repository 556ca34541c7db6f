"""``/v1/models``, in both APIs' forms."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from plano_agents.config.model import Config
from tests.router.conftest import CLAUDE, GPT, build_config, run_router
from tests.router.raw_client import ask, build_request
from tests.router.request.test_endpoints_keys import KEYED

CONFIG = build_config(GPT, CLAUDE, "groq/*", aliases={"fast": "groq/llama"})
VERSION = "anthropic-version: 2023-06-01"


async def get(path: str, *headers: str, config: Config = CONFIG) -> tuple[int, dict[str, Any]]:
    status, _, body = await ask(build_request(b"", *headers, method="GET", path=path), config)
    return status, json.loads(body)


async def test_anthropics_sdk_lists_models_and_aliases() -> None:
    async with run_router(CONFIG) as url, AsyncAnthropic(base_url=url, api_key="any") as client:
        listed = [(model.id, model.type, model.display_name) async for model in client.models.list(limit=1000)]
    assert listed == [(name, "model", name) for name in (GPT, CLAUDE, "groq/*", "fast")]


async def test_a_list_in_anthropics_form_is_one_page() -> None:
    _, listed = await get("/v1/models?limit=1000", VERSION)
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, GPT, "fast")


async def test_both_sdks_retrieve_a_model_whose_id_has_a_slash() -> None:
    async with (
        run_router(CONFIG) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as openai,
        AsyncAnthropic(base_url=url, api_key="any") as anthropic,
    ):
        found = [(await client.models.retrieve(CLAUDE)).id for client in (openai, anthropic)]
    assert found == [CLAUDE, CLAUDE]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (CLAUDE, CLAUDE),
        ("claude-sonnet-4-6", CLAUDE),
        ("groq/any/thing", "groq/any/thing"),
        ("groq/*", "groq/*"),
        ("fast", "fast"),
    ],
)
@pytest.mark.parametrize("safe", ["/", ""], ids=["plain", "encoded"])
async def test_what_may_be_asked_for_is_found(name: str, found: str, safe: str) -> None:
    status, model = await get(f"/v1/models/{quote(name, safe=safe)}")
    assert (status, model["id"], model["object"]) == (200, found, "model")


async def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    status, answer = await get("/v1/models/gpt-4oo")
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert "did you mean 'gpt-4o'?" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("path", "config", "status", "kind"),
    [
        ("/v1/models/no-such", CONFIG, 404, "not_found_error"),
        ("/no/messages", CONFIG, 404, "not_found_error"),
        ("/v1/models", KEYED, 401, "authentication_error"),
    ],
)
async def test_an_anthropic_client_is_refused_in_anthropics_form(
    path: str, config: Config, status: int, kind: str
) -> None:
    refused, answer = await get(path, VERSION, config=config)
    assert (refused, answer["type"], answer["error"]["type"]) == (status, "error", kind)
