"""The page's files and answers on a real router: who may have them, and what stands in them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from plano_agents.config.client_keys import build_client_key
from plano_agents.router.watch.inspector.site import POLICY
from plano_agents.secret_str import SecretStr
from plano_agents.testing import FakeUpstream
from tests.router.conftest import COMPLETE, build_config, chat, run_router

GPT = "openai/gpt-4o"
TOKEN = {"authorization": "Bearer token"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        FakeUpstream(COMPLETE) as provider,
        run_router(build_config(GPT, base_url=provider.url)) as url,
        httpx.AsyncClient(base_url=url, headers={"content-type": "application/json"}) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/inspector", "text/html"),
        ("/inspector/main.js", "text/javascript"),
        ("/inspector/style.css", "text/css"),
        ("/inspector/icon.svg", "image/svg+xml"),
    ],
)
async def test_a_file_comes_with_its_type_and_a_strict_policy(http: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert answer.headers["content-security-policy"] == POLICY
    assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == (
        "nosniff",
        "no-referrer",
    )
    again = await http.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/inspector/nothing.js", "/inspector/../app.py", "/inspector/%2e%2e/site.py", "/inspector/api/x"]
)
async def test_what_is_not_the_pages_is_not_served(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "endpoint_not_found")


async def test_a_slash_at_the_end_leads_to_the_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/inspector/", follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/inspector")


async def test_nothing_is_changed_here(http: httpx.AsyncClient) -> None:
    answer = await http.post("/inspector/api/sessions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_the_head_of_the_events_alone_ends(http: httpx.AsyncClient) -> None:
    answer = await http.head("/inspector/api/events")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_sessions_are_told_in_pages(http: httpx.AsyncClient) -> None:
    for number in range(3):
        await http.post("/v1/chat/completions", content=chat(), headers={"x-model-affinity": f"run-{number}"})
    page = (await http.get("/inspector/api/sessions")).json()
    assert [session["session"] for session in page["sessions"]] == ["run-2", "run-1", "run-0"]
    assert (page["totals"]["counts"]["turns"], page["next"]) == (3, None)
    older = (await http.get("/inspector/api/sessions", params={"before": 2})).json()
    assert [session["session"] for session in older["sessions"]] == ["run-0"]


async def test_a_page_of_sessions_is_bounded(http: httpx.AsyncClient) -> None:
    for number in range(101):
        await http.post("/v1/chat/completions", content=chat(), headers={"x-model-affinity": f"run-{number}"})
    page = (await http.get("/inspector/api/sessions")).json()
    assert (len(page["sessions"]), page["next"]) == (100, 2)


@pytest.mark.parametrize("before", ["x", "-1", "1.5", "9" * 40])
async def test_a_wrong_cursor_is_refused(http: httpx.AsyncClient, before: str) -> None:
    answer = await http.get("/inspector/api/sessions", params={"before": before})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "before")


@pytest.mark.parametrize("name", ["router", "sessions", "session?id=x", "events"])
@pytest.mark.parametrize(
    "header", [("x-forwarded-for", "1.2.3.4"), ("host", "router.example"), ("sec-fetch-site", "cross-site")]
)
async def test_without_a_token_answers_are_for_this_machine_alone(
    http: httpx.AsyncClient, name: str, header: tuple[str, str]
) -> None:
    answer = await http.get(f"/inspector/api/{name}", headers=[header])
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "admin_only")


async def test_with_a_token_the_page_is_open_and_its_answers_are_not() -> None:
    config = replace(build_config(GPT), admin_token=SecretStr("token"), client_keys=(build_client_key("key"),))
    async with (
        run_router(config) as url,
        httpx.AsyncClient(base_url=url, headers={"content-type": "application/json"}) as http,
    ):
        assert (await http.get("/inspector")).status_code == 200
        for headers, status in (({}, 401), ({"authorization": "Bearer key"}, 401), (TOKEN, 200)):
            answer = await http.get("/inspector/api/sessions", headers=headers)
            assert answer.status_code == status
