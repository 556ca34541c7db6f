"""Client keys at the router's door, on a real socket."""

import json

import pytest

from plano_agents.config.client_keys import build_client_key
from plano_agents.testing import FakeUpstream
from tests.router.conftest import build_config, build_model, chat
from tests.router.raw_client import ask, build_request, complete

KEYED = build_config(base_url="http://127.0.0.1:1", client_keys=(build_client_key("k-1"), build_client_key("k-2")))


@pytest.mark.parametrize("headers", [(), ("authorization: Bearer k-3",), ("x-api-key: ",), ("cookie: k-1",)])
async def test_without_a_known_key_nobody_is_served(headers: tuple[str, ...]) -> None:
    status, answered, body = await ask(build_request(chat(), *headers), KEYED)
    assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")
    assert "\r\nwww-authenticate: bearer\r\n" in answered
    assert b"k-3" not in body


@pytest.mark.parametrize(
    "headers",
    [
        ("authorization: Bearer k-1",),
        ("authorization: bearer k-2",),
        ("x-api-key: k-2",),
        ("authorization: Bearer providers", "x-api-key: k-1"),
    ],
)
async def test_with_a_known_key_a_client_is_served(headers: tuple[str, ...]) -> None:
    status, _, _ = await ask(build_request(chat(), *headers), KEYED)
    assert status == 502


async def test_a_client_key_does_not_go_upstream_even_where_passthrough_auth_is_set() -> None:
    async with FakeUpstream(complete) as provider:
        model = build_model("openai/gpt-4o", base_url=provider.url, passthrough_auth=True)
        config = build_config(models=(model,), client_keys=(build_client_key("k-1"),))
        await ask(build_request(chat(), "authorization: Bearer k-1"), config)
        await ask(build_request(chat(), "authorization: Bearer providers", "x-api-key: k-1"), config)
    assert "k-1" not in provider.exchanges[0].head
    assert "authorization: Bearer providers" in provider.exchanges[1].head
    assert "k-1" not in provider.exchanges[1].head
