"""Takes the documentation's pictures of the inspector: a real router, real requests, simulated models, real Chromium.

A model is made to fail half way through a run by the simulator's own controls.
"""

import asyncio
import random
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from openai import AsyncOpenAI, OpenAI
from playwright.async_api import Browser, Page, async_playwright

from plano_agents import processes
from plano_agents.config.load import load_config
from plano_agents.config.options import Retries, SessionCache
from plano_agents.demos.loop import run_turns
from plano_agents.http.client.client import HttpUpstream
from plano_agents.router.app import Router
from plano_agents.router.watch.ghosts.beside import LONGEST_REST_SECONDS
from plano_agents.simulator.app import create_app
from plano_agents.simulator.settings import SimulatorSettings

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PACE = SimulatorSettings(time_to_first_token_ms=30, tokens_per_second=4_000)
HANDBOOK = "You help the engineers of a shop. Answer briefly, name files, and say what you are not sure of. " * 70
"""A prompt long enough for providers' caches."""

CODE = "Write a Python function that parses the exported orders as CSV, with its tests."
DEEP = "Weigh the trade-offs of event sourcing for our order history, step by step, and decide."
TALK = "Hello! Which day is it in Lisbon?"


@dataclass(frozen=True, slots=True)
class World:
    """The running processes."""

    router: str
    """The router's address."""
    simulator: str
    """The simulated models'."""

    async def talk(self, affinity_id: str | None, opening: str, turns: int, **headers: str) -> None:
        """Hold a conversation that grows, as an agent's does."""
        client = AsyncOpenAI(base_url=f"{self.router}/v1", api_key="none", max_retries=0)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if affinity_id is not None:
            sent["x-model-affinity"] = affinity_id
        messages = [{"role": "system", "content": HANDBOOK}, {"role": "user", "content": opening}]
        async with client:
            for number in range(turns):
                answer = await client.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=messages,  # type: ignore[arg-type] # plain dicts are what the wire has
                    extra_headers=sent,
                    max_tokens=60,
                )
                messages.append({"role": "assistant", "content": answer.choices[0].message.content or ""})
                messages.append({"role": "user", "content": f"Go on with point {number + 2}."})

    async def run_agent(self, name: str, affinity_id: str | None) -> None:
        """Run the demo's agent loop, tools and all."""
        client = OpenAI(base_url=f"{self.router}/v1", api_key="none")
        await asyncio.to_thread(
            lambda: list(run_turns(client, name=name, model="gpt-4o-mini", affinity_id=affinity_id))
        )

    async def break_model(self, model: str, fault: str) -> None:
        """Let a model fail from now on."""
        async with httpx.AsyncClient() as http:
            answer = await http.put(f"{self.simulator}/simulator/faults/{model}", json={"fault": fault})
            answer.raise_for_status()

    async def mend_model(self, model: str) -> None:
        """Let it work again."""
        async with httpx.AsyncClient() as http:
            (await http.delete(f"{self.simulator}/simulator/faults/{model}")).raise_for_status()

    async def live(self) -> None:
        """Some sessions: plain ones, one with tenants, a hint, a failover, a refusal, a long one, and none."""
        await self.talk("support-9c41d2", TALK, 4, x_tenant="lisbon")
        await self.talk("nightly-report/2026-11-26", DEEP, 50, x_tenant="berlin")
        await self.run_agent("before", None)
        await self.talk("resumed-after-restart", TALK, 6, x_model_affinity_hint="gpt-4o", x_tenant="berlin")
        await self.talk("checkout-refactor/researcher", DEEP, 5, x_tenant="berlin")
        await self.talk("checkout-refactor", CODE, 9, x_tenant="berlin", x_plano_label="Orders as CSV")
        await self.break_model("claude-sonnet-4-6", "status=503")
        await self.talk("checkout-refactor", CODE, 5, x_tenant="berlin")
        await self.mend_model("claude-sonnet-4-6")
        await self.run_agent("with affinity", "database-selection")
        await self.talk(None, TALK, 2)
        await self.talk("checkout-refactor", CODE, 3, x_tenant="berlin")

    async def settle(self) -> None:
        """Wait until no more turns are routed beside their requests."""
        async with httpx.AsyncClient() as http:
            routed = -1
            while (now := (await http.get(f"{self.router}/report")).json()["basis"]["routed"]) != routed:
                routed = now
                await asyncio.sleep(LONGEST_REST_SECONDS + 1)


@asynccontextmanager
async def running_world() -> AsyncGenerator[World, None]:
    """A router on ``config.yaml``, with simulated models."""
    listeners = [processes.bind("127.0.0.1", 0) for _ in range(2)]
    urls = [processes.url_of(listener) for listener in listeners]
    config = load_config(ROOT / "config.yaml", environ={}, offline=True).offline(urls[1])
    routing = replace(config.routing, session_cache=SessionCache(tenant_header="x-tenant"), observe=0.5)
    config = replace(config, routing=routing, retries=Retries(base_seconds=0.02))
    upstream = HttpUpstream()
    async with processes.running([processes.Site(create_app(PACE), listeners[1])]):
        router = Router(config, upstream, fetch=upstream.fetch, chance=random.Random(18).random)  # noqa: S311 - the same pictures each time
        await router.warm_up()
        async with processes.running([processes.Site(router, listeners[0], on_stop=router.stop)]):
            yield World(urls[0], urls[1])
        await router.aclose()
    await upstream.close()


async def take(browser: Browser, world: World) -> None:
    """Take all pictures."""
    session = "/inspector?session=checkout-refactor&tenant=berlin"
    for theme in ("light", "dark"):
        page = await _open(browser, world.router + "/inspector", theme, 1360, 1180)
        told = 9 if theme == "light" else 0  # the switch; the first turn, which was routed
        await page.locator(".row", has_text="checkout-refactor").first.locator(".cell").nth(told).hover()
        await _keep(page, f"inspector-{theme}")
        page = await _open(browser, world.router + session, theme, 1360, 1180)
        await _keep(page, f"inspector-session-{theme}")
    page = await _open(browser, world.router + "/inspector", "light", 390, 1360)
    await _keep(page, "inspector-phone")


async def _open(browser: Browser, url: str, theme: str, width: int, height: int) -> Page:
    is_phone = width < 500  # noqa: PLR2004 - no desktop's window is so narrow
    page = await browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        is_mobile=is_phone,
        has_touch=is_phone,
    )
    await page.goto(url)
    await page.locator(".state[data-state=live]").wait_for()
    await page.locator(".band .cell").first.wait_for()
    return page


async def _keep(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    await page.screenshot(path=path, animations="disabled")
    await page.close()
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


async def main() -> None:
    """Run the router, ask it, and take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("error: Chromium is not installed. On Debian and Ubuntu: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    async with running_world() as world, async_playwright() as playwright:
        await world.live()
        await world.settle()
        browser = await playwright.chromium.launch(executable_path=chromium)
        await take(browser, world)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
