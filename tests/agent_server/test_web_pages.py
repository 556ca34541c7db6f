"""Web pages at an agent server without keys: every kind of header at every endpoint."""

import httpx
import pytest

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.config.key_hashes import hash_key
from tests.agent_server.conftest import USER, Script, build_graph, call_app

JSON = {"content-type": "application/json"}
FOREIGN: dict[str, tuple[int, str, dict[str, str]]] = {
    "a name pointed here": (403, "foreign_host", {**JSON, "host": "evil.example:8000"}),
    "a page's origin": (403, "foreign_page", {**JSON, "origin": "https://evil.example"}),
    "no origin": (403, "foreign_page", {**JSON, "origin": "null"}),
    "another site": (403, "foreign_page", {**JSON, "sec-fetch-site": "cross-site"}),
    "a neighbour": (403, "foreign_page", {**JSON, "sec-fetch-site": "same-site"}),
}
UNTYPED: dict[str, tuple[int, str, dict[str, str]]] = {
    "text": (415, "unsupported_media_type", {"content-type": "text/plain;charset=UTF-8"}),
    "a form": (415, "unsupported_media_type", {"content-type": "application/x-www-form-urlencoded"}),
    "nothing": (415, "unsupported_media_type", {}),
}
POSTS = ("/agent/run", "/v1/chat/completions", "/ag-ui")
OTHERS = (
    ("GET", "/threads/t-1"),
    ("DELETE", "/threads/t-1"),
    ("GET", "/v1/models"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/nowhere"),
)
RUN = b'{"input": "hi", "thread_id": "t-1"}'


def read(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("case", FOREIGN | UNTYPED)
@pytest.mark.parametrize("path", POSTS)
async def test_no_run_is_begun(case: str, path: str) -> None:
    status, code, headers = (FOREIGN | UNTYPED)[case]
    script = Script()
    async with call_app(build_graph(script)) as client:
        answer = await client.post(path, content=RUN, headers=headers)
    assert (read(answer), script.asked) == ((status, code), [])


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_nothing_is_told_or_deleted(case: str, method: str, path: str) -> None:
    status, code, headers = FOREIGN[case]
    async with call_app(build_graph(Script())) as client:
        await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
        answer = await client.request(method, path, headers=headers)
        kept = await client.get("/threads/t-1")
    assert (read(answer), kept.status_code) == ((status, code), 200)


@pytest.mark.parametrize("case", FOREIGN)
async def test_health_is_told_to_everybody(case: str) -> None:
    async with call_app(build_graph(Script())) as client:
        assert (await client.get("/healthz", headers=FOREIGN[case][2])).status_code == 200


async def test_pages_of_the_configured_origins_are_answered_and_no_others() -> None:
    def page(origin: str) -> dict[str, str]:
        return {**JSON, "origin": origin, "sec-fetch-site": "cross-site"}

    async with call_app(build_graph(Script()), cors_origins=["https://app.example"]) as client:
        own = await client.post("/agent/run", content=RUN, headers=page("https://app.example"))
        other = await client.post("/agent/run", content=RUN, headers=page("https://evil.example"))
        rebound = await client.get("/threads/t-1", headers={"host": "evil.example", **page("https://app.example")})
    assert (own.status_code, own.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert [read(other), read(rebound)] == [(403, "foreign_page"), (403, "foreign_host")]


async def test_an_allowed_host_is_answered_whoever_asks() -> None:
    app = create_app(build_graph(Script()), build_settings(allowed_hosts=["Agents.example.test"]))
    statuses = {}
    for peer in ("127.0.0.1", "172.17.0.1"):
        transport = httpx.ASGITransport(app, client=(peer, 1))
        for host in ("agents.example.test", "evil.example"):
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                statuses[peer, host] = (await client.get("/v1/models")).status_code
    assert statuses == {
        ("127.0.0.1", "agents.example.test"): 200,
        ("127.0.0.1", "evil.example"): 403,
        ("172.17.0.1", "agents.example.test"): 200,
        ("172.17.0.1", "evil.example"): 403,
    }


async def test_a_containers_name_is_answered_where_no_host_is_named() -> None:
    transport = httpx.ASGITransport(create_app(build_graph(Script())), client=("172.17.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://agents:8000") as client:
        answer = await client.post("/v1/chat/completions", json={"model": "agent", "messages": [USER]})
    assert answer.status_code == 200


@pytest.mark.parametrize("case", FOREIGN | UNTYPED)
async def test_where_keys_are_set_they_alone_decide(case: str) -> None:
    key = "pa-0123456789-0123456789"
    headers = {**(FOREIGN | UNTYPED)[case][2], "x-api-key": key}
    async with call_app(build_graph(Script()), api_keys={"alice": hash_key(key)}) as client:
        assert (await client.get("/v1/models", headers=headers)).status_code == 200
