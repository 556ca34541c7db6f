"""A router under a real headless Chromium: pages that note what they should never do."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from plano_agents import processes
from plano_agents.config.model import Config
from plano_agents.http.client.client import HttpUpstream
from plano_agents.router.app import Router
from plano_agents.router.watch.inspector.answers import OwnInspector
from plano_agents.testing import FakeUpstream, UpstreamExchange, give
from tests.faults.redis_server import NEEDED
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import PROMPT, chat

NAMES = ("chromium", "chromium-browser", "google-chrome")
USAGE = (
    b'{"id": "c", "choices": [{}], "usage": {"prompt_tokens": 100, "completion_tokens": 7, '
    b'"prompt_tokens_details": {"cached_tokens": 64}}}'
)


def require_chromium() -> str:
    """Find the system's Chromium; without it the test is skipped, or fails where it must be there."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get(NEEDED):
        pytest.fail(f"Chromium is not installed, and {NEEDED} is set.")
    if found is None:
        pytest.skip("Chromium is not installed. On Debian and Ubuntu: apt-get install chromium")
    return found


@asynccontextmanager
async def running_browser(*arguments: str) -> AsyncGenerator[Browser, None]:
    """A headless Chromium; the arguments are those of its command line."""
    path = require_chromium()
    expect.set_options(timeout=20_000)  # a busy machine's browser takes its time
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True, slots=True)
class Site:
    """A router, a provider behind it, and a browser in front."""

    url: str
    """The router's address."""
    provider: FakeUpstream
    """The provider."""
    browser: Browser
    """The browser."""
    inspector: OwnInspector
    """What the router remembers."""

    async def ask(
        self,
        affinity_id: str | None = None,
        *,
        model: str = "openai/gpt-4o",
        said: str = PROMPT,
        **headers: str,
    ) -> int:
        """Send a request; gives the status."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("content-type", "application/json")
        if affinity_id is not None:
            sent["x-model-affinity"] = affinity_id
        body = chat(model=model, messages=[{"role": "user", "content": said}])
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_SECONDS) as http:
            answer = await http.post("/v1/chat/completions", content=body, headers=sent)
        return answer.status_code

    @asynccontextmanager
    async def open(
        self,
        address: str = "/inspector",
        *,
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
        awaits: str = ".state[data-state=live]",
        tolerated: tuple[str, ...] = (),
        bypass_csp: bool = False,
        is_phone: bool = False,
    ) -> AsyncGenerator[Page, None]:
        """Open a page, wait for what it awaits, and see at the end that it did nothing that it should not."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            bypass_csp=bypass_csp,
            is_mobile=is_phone,
            has_touch=is_phone,
        )
        faults: list[str] = []
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: None if self._is_ours(sent.url) else faults.append(sent.url))
        try:
            await page.goto(self.url + address)
            await page.locator(awaits).first.wait_for()
            yield page
            told = [each for each in faults if not any(known in each for known in tolerated)]
            assert not told, told
        finally:
            await context.close()

    @asynccontextmanager
    async def streams_cut(self) -> AsyncGenerator[None, None]:
        """Break the pages' streams off; those that come back during the context are broken off too."""
        events = self.inspector._events
        events.close()
        while events.watchers:  # noqa: ASYNC110 - that they have left is told to nobody
            await asyncio.sleep(0)
        yield
        events._closed = False

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self.url).netloc


answer = give(USAGE)


async def fail_as_gpt(exchange: UpstreamExchange) -> None:
    """Fail where the model is GPT-4o; answer for others."""
    if b'"gpt-4o"' in exchange.body:
        await exchange.answer(b"{}", status=500)
    else:
        await exchange.answer(USAGE)


@asynccontextmanager
async def running_site(
    browser: Browser, config: Config, provider: FakeUpstream | None = None
) -> AsyncGenerator[Site, None]:
    """A router for a browser."""
    inspector = OwnInspector()
    upstream = HttpUpstream()
    listener = processes.bind("127.0.0.1", 0)
    async with provider or FakeUpstream(answer) as behind:
        models = tuple(replace(model, base_url=behind.url) for model in config.models)
        router = Router(replace(config, models=models), upstream, fetch=upstream.fetch, inspector=inspector)
        async with processes.running([processes.Site(router, listener, on_stop=router.stop)]):
            yield Site(processes.url_of(listener), behind, browser, inspector)
        await router.aclose()
    await upstream.close()
