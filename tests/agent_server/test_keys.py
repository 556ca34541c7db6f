"""API keys: who is let in, and that no key can be read from what is kept of it."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.connection import KeyMiddleware
from plano_agents.agent_server.keys import find_owner
from plano_agents.agent_server.settings import build_settings
from plano_agents.config.key_hashes import check_hash, hash_key, new_key
from plano_agents.errors import AuthenticationError, ConfigError
from plano_agents.http.origin import KeylessDoor
from tests.agent_server.conftest import Script, build_graph, call_app, call_transport

KEY = "pa-0123456789-0123456789"
HASHES = {"alice": hash_key(KEY)}


def test_a_new_key_is_accepted_by_its_hash_and_by_no_other() -> None:
    one, two = new_key(), new_key()
    assert find_owner({"two": hash_key(two), "one": hash_key(one)}, f"Bearer {one}", None) == "one"
    assert one not in hash_key(one)
    check_hash(hash_key(one))


@pytest.mark.parametrize("key", ["short", "has a space in it, and is long", "ümlaut-ümlaut-ümlaut-ümlaut"])
def test_a_key_that_could_be_guessed_or_not_be_sent_is_not_hashed(key: str) -> None:
    with pytest.raises(ValueError, match="a key has") as caught:
        hash_key(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x-api-key": KEY},
    ],
)
async def test_a_key_lets_in(headers: dict[str, str]) -> None:
    async with call_app(build_graph(Script()), api_keys=HASHES) as client:
        assert (await client.get("/v1/models", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Basic {KEY}"},
        {"x-api-key": "ü"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/agent/run"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/threads/t-1"),
        ("DELETE", "/threads/t-1"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/nowhere"),
        ("GET", "/healthz/"),
        ("OPTIONS", "/agent/run"),
    ],
)
async def test_everything_but_health_needs_a_key(headers: dict[str, str], method: str, path: str) -> None:
    script = Script()
    async with call_app(build_graph(script), api_keys=HASHES) as client:
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await client.request(method, path, headers=sent, json={"input": "hi"})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
    assert (response.headers["www-authenticate"], script.asked) == ("Bearer", [])
    assert KEY not in response.text


async def test_health_needs_no_key() -> None:
    async with call_app(build_graph(Script()), api_keys=HASHES) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/health")).status_code == 200


async def test_health_needs_no_key_where_the_server_is_mounted() -> None:
    app = FastAPI()
    app.mount("/agents", create_app(build_graph(Script()), build_settings(api_keys=HASHES)))
    async with call_transport(httpx.ASGITransport(app)) as client:
        assert (await client.get("/agents/healthz")).status_code == 200
        assert (await client.get("/agents/v1/models")).status_code == 401


async def test_a_request_without_a_key_is_refused_before_its_body_is_read() -> None:
    async def receive() -> Message:
        raise AssertionError("not reached")

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("not reached")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/agent/run", "headers": []}
    await KeyMiddleware(app, hashes=HASHES, door=KeylessDoor())(scope, receive, send)
    assert sent[0]["status"] == 401


def test_every_configured_key_is_tried() -> None:
    keys = [new_key() for _ in range(3)]
    hashes = {str(number): hash_key(key) for number, key in enumerate(keys)}
    assert [find_owner(hashes, None, key) for key in keys] == ["0", "1", "2"]
    with pytest.raises(AuthenticationError, match="is not one of"):
        find_owner(hashes, None, new_key())


def test_a_key_in_the_place_of_its_hash_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match=re.escape("api_keys.alice: this is not a hash of a key")) as caught:
        build_settings(api_keys={"alice": KEY})
    assert KEY not in caught.value.message


def test_a_key_under_two_names_is_refused_with_both(tmp_path: Path) -> None:
    hashes = {"alice": hash_key(KEY), "bob": hash_key(new_key()), "carol": hash_key(KEY)}
    with pytest.raises(ConfigError, match=r"api_keys: .*'alice'.*'carol'.*a key of its own") as caught:
        build_settings(api_keys=hashes)
    assert hashes["alice"] not in caught.value.message


async def test_load_balancers_may_ask_for_health_by_head() -> None:
    async with call_app(build_graph(Script()), api_keys=HASHES) as client:
        answer = await client.head("/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
