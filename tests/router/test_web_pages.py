"""Web pages at a router without client keys, on a real socket: every kind of header at every kind of endpoint."""

import json
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.options import Limits
from plano_agents.router.request.surfaces import ENDPOINTS
from plano_agents.testing import FakeUpstream
from tests.router.conftest import build_config, chat, run_router
from tests.router.raw_client import complete, talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST, JSON = "host: localhost:12000", "content-type: application/json"
FOREIGN = {
    "a name pointed here": (403, "foreign_host", ["host: evil.example:12000", JSON]),
    "a page's origin": (403, "foreign_page", [HOST, JSON, "origin: https://evil.example"]),
    "no origin": (403, "foreign_page", [HOST, JSON, "origin: null"]),
    "another site": (403, "foreign_page", [HOST, JSON, "sec-fetch-site: cross-site"]),
    "a neighbour": (403, "foreign_page", [HOST, JSON, "sec-fetch-site: same-site"]),
}
UNTYPED = {
    "text": (415, "unsupported_media_type", [HOST, "content-type: text/plain;charset=UTF-8"]),
    "a form": (415, "unsupported_media_type", [HOST, "content-type: application/x-www-form-urlencoded"]),
    "nothing": (415, "unsupported_media_type", [HOST]),
}
PAGES = ("/v1/models", "/docs", "/openapi.json", "/nowhere")
OPERATORS = ("/affinity", "/affinity/run-1", "/metrics", "/inspector/api/router", "/inspector/api/sessions")


def write(method: str, path: str, headers: list[str], body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_code(body: bytes) -> str:
    code: str = json.loads(body)["error"]["code"]
    return code


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncGenerator[FakeUpstream, None]:
    async with FakeUpstream(*[complete] * 1_000) as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(provider: FakeUpstream) -> AsyncGenerator[str, None]:
    async with run_router(build_config(base_url=provider.url)) as url:
        yield url


@pytest.mark.parametrize("case", FOREIGN | UNTYPED)
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_proxied_endpoint_refuses_and_no_provider_is_asked(
    url: str, provider: FakeUpstream, case: str, path: str
) -> None:
    status, code, headers = (FOREIGN | UNTYPED)[case]
    before = len(provider.exchanges)
    answered, _, body = await talk(url, write("POST", path, headers, chat()))
    told = json.loads(body)["error"]
    assert (answered, told.get("code", code), len(provider.exchanges)) == (status, code, before)


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_not_shown(url: str, case: str, path: str) -> None:
    status, code, headers = FOREIGN[case]
    answered, _, body = await talk(url, write("GET", path, headers))
    assert (answered, read_code(body)) == (status, code)


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("path", OPERATORS)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_operators_endpoints_refuse_too(url: str, case: str, path: str, method: str) -> None:
    _, _, headers = FOREIGN[case]
    answered, _, body = await talk(url, write(method, path, headers))
    assert (answered, read_code(body)) in {(403, "admin_only"), (405, "method_not_allowed")}


@pytest.mark.parametrize("case", FOREIGN)
async def test_health_is_told_to_everybody(url: str, case: str) -> None:
    _, _, headers = FOREIGN[case]
    assert [(await talk(url, write("GET", path, headers)))[0] for path in ("/healthz", "/readyz")] == [
        200,
        200,
    ]


@pytest.mark.parametrize("headers", [[HOST, JSON], [HOST, JSON, "origin: http://127.0.0.1:3000"]])
async def test_programs_and_pages_of_this_machine_are_served(url: str, headers: list[str]) -> None:
    answered, _, _ = await talk(url, write("POST", "/v1/chat/completions", headers, chat()))
    assert answered == 200


@pytest.mark.parametrize("host", ["router.example.test", "localhost"])
async def test_an_allowed_host_is_served_and_its_pages_are(provider: FakeUpstream, host: str) -> None:
    config = build_config(base_url=provider.url, limits=Limits(allowed_hosts=("*.example.test",)))
    headers = [f"host: {host}", JSON, "origin: https://app.example.test", "sec-fetch-site: same-site"]
    async with run_router(config) as url:
        answered, _, _ = await talk(url, write("POST", "/v1/chat/completions", headers, chat()))
        shown, _, _ = await talk(url, write("GET", "/v1/models", headers))
    assert (answered, shown) == (200, 200)


@pytest.mark.parametrize("case", FOREIGN | UNTYPED)
async def test_where_keys_are_set_they_alone_decide(provider: FakeUpstream, case: str) -> None:
    _, _, headers = (FOREIGN | UNTYPED)[case]
    config = build_config(base_url=provider.url, client_keys=(build_client_key("k-1"),))
    request = write("POST", "/v1/chat/completions", [*headers, "x-api-key: k-1"], chat())
    async with run_router(config) as url:
        answered, _, _ = await talk(url, request)
    assert answered == 200
