"""Other sites' pages in a real browser, on the machine of servers without keys: they ask, and nothing is done."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser, Page
from starlette.responses import HTMLResponse

from plano_agents import processes
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.testing import FakeUpstream
from tests.agent_server.conftest import Script, build_graph
from tests.router.conftest import build_config, run_router
from tests.router.watch.inspector.browser import answer, running_browser

NAME = "evil.example"
"""Whose owner has pointed it at this machine."""
CHAT = {"messages": [{"role": "user", "content": "hi"}], "thread_id": "t-1", "input": "hi"}
ASK = """async ([url, body, type]) => {
    const text = JSON.stringify(body);
    const content = type === null ? new Blob([text]) : text;
    const headers = type === null ? {} : {"content-type": type};
    const mode = type === "application/json" ? "cors" : "no-cors";
    try { return (await fetch(url, {method: "POST", mode, headers, body: content})).status; }
    catch { return "failed"; }
}"""
READ = """async (url) => (await fetch(url, {mode: "no-cors"})).status"""
SEND_FORM = """async ([url, body]) => {
    const frame = Object.assign(document.createElement("iframe"), {name: "answer"});
    const form = Object.assign(document.createElement("form"), {
        method: "POST", action: url, target: "answer", enctype: "text/plain",
    });
    form.append(Object.assign(document.createElement("textarea"), {name: "x", value: JSON.stringify(body)}));
    document.body.append(frame, form);
    await new Promise((done) => { frame.onload = done; form.submit(); });
}"""


@pytest_asyncio.fixture
async def browser() -> AsyncGenerator[Browser, None]:
    async with running_browser(f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as browser:
        yield browser


@asynccontextmanager
async def run_attackers_site() -> AsyncGenerator[str, None]:
    """A site of its own, under its own name; gives its address."""
    listener = processes.bind("127.0.0.1", 0)
    page = HTMLResponse("<!doctype html><title>Win a prize</title>")
    async with processes.running([processes.Site(page, listener)]):
        yield rename(processes.url_of(listener))


@asynccontextmanager
async def run_agent_server(script: Script) -> AsyncGenerator[str, None]:
    listener = processes.bind("127.0.0.1", 0)
    app = create_app(build_graph(script), build_settings())
    async with app.router.lifespan_context(app), processes.running([processes.Site(app, listener)]):
        yield processes.url_of(listener)


def rename(url: str) -> str:
    """The same place under the name that was pointed at it."""
    return f"http://{NAME}:{urlsplit(url).port}"


@asynccontextmanager
async def visit(browser: Browser, url: str) -> AsyncGenerator[tuple[Page, list[int]], None]:
    """A page, and the statuses of all that its scripts ask for afterwards."""
    page = await browser.new_page()
    page.set_default_timeout(20_000)
    statuses: list[int] = []
    try:
        await page.goto(url)
        page.on("response", lambda response: statuses.append(response.status))
        yield page, statuses
    finally:
        await page.close()


async def attack(page: Page, post: str, read: str) -> None:
    """Ask in every way that a page may without being asked first."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        await page.evaluate(ASK, [post, CHAT, kind])
    await page.evaluate(READ, read)
    await page.evaluate(SEND_FORM, [post, CHAT])


async def ask(page: Page, path: str) -> int | Literal["failed"]:
    """Ask the page's own server in JSON."""
    status: int | Literal["failed"] = await page.evaluate(ASK, [path, CHAT, "application/json"])
    return status


async def test_a_page_of_another_site_gets_nothing_done_by_the_router(browser: Browser) -> None:
    async with (
        FakeUpstream(answer) as provider,
        run_router(build_config(base_url=provider.url)) as router,
        run_attackers_site() as site,
        visit(browser, site) as (page, statuses),
    ):
        await attack(page, f"{router}/v1/chat/completions", f"{router}/v1/models")
        assert (statuses, provider.exchanges) == ([403] * 5, [])


async def test_a_page_whose_name_was_pointed_at_the_router_gets_nothing_done(browser: Browser) -> None:
    async with (
        FakeUpstream(answer) as provider,
        run_router(build_config(base_url=provider.url)) as router,
        visit(browser, f"{rename(router)}/healthz") as (page, statuses),
    ):
        asked = await ask(page, "/v1/chat/completions")
        await attack(page, "/v1/chat/completions", "/v1/models")
        assert (asked, statuses, provider.exchanges) == (403, [403] * 6, [])


async def test_the_routers_own_pages_may_ask(browser: Browser) -> None:
    async with (
        FakeUpstream(answer) as provider,
        run_router(build_config(base_url=provider.url)) as router,
        visit(browser, f"{router}/healthz") as (page, _),
    ):
        assert (await ask(page, "/v1/chat/completions"), len(provider.exchanges)) == (200, 1)


async def test_a_link_on_another_site_opens_the_documentation(browser: Browser) -> None:
    async with (
        run_router(build_config(base_url="http://127.0.0.1:1")) as router,
        run_attackers_site() as site,
        visit(browser, site) as (page, _),
    ):
        await page.evaluate("url => { location.href = url }", f"{router}/docs")
        await page.wait_for_url(f"{router}/docs")
        assert "plano-agents" in await page.title()


async def test_a_page_of_another_site_gets_nothing_done_by_the_agent_server(browser: Browser) -> None:
    script = Script()
    async with (
        run_agent_server(script) as agent,
        run_attackers_site() as site,
        visit(browser, site) as (page, statuses),
    ):
        await attack(page, f"{agent}/agent/run", f"{agent}/threads/t-1")
        assert (statuses, script.asked) == ([403] * 5, [])


async def test_a_page_whose_name_was_pointed_at_the_agent_server_gets_nothing_done(browser: Browser) -> None:
    script = Script()
    async with (
        run_agent_server(script) as agent,
        visit(browser, f"{rename(agent)}/healthz") as (page, statuses),
    ):
        asked = await ask(page, "/agent/run")
        await attack(page, "/agent/run", "/threads/t-1")
        assert (asked, statuses, script.asked) == (403, [403] * 6, [])
