"""The page in a real browser: what it shows, that it is live, and that everybody can use it."""

import itertools
import re
from collections.abc import AsyncGenerator
from typing import Literal

import httpx
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, FloatRect, Locator, Page, expect
from starlette.responses import JSONResponse

from plano_agents import processes
from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Preference, Routing
from plano_agents.config.options import CostSource, PromptCaching, Retries, SessionCache
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.record import GhostNews
from plano_agents.secret_str import SecretStr
from plano_agents.testing import FakeUpstream
from tests.router.conftest import PROMPT, build_config
from tests.router.watch.inspector.browser import Site, answer, fail_as_gpt, running_browser, running_site
from tests.router.watch.inspector.conftest import build_record

pytestmark = pytest.mark.asyncio(loop_scope="module")

GPT, MINI = "openai/gpt-4o", "openai/gpt-4o-mini"
TALK = Preference("talk", "small talk", (GPT, MINI))
ONCE = Retries(max_per_candidate=0)
UNKNOWN = "\N{EN DASH}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Browser, None]:
    async with running_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def site(browser: Browser) -> AsyncGenerator[Site, None]:
    async with running_site(browser, build_config(GPT, MINI)) as site:
        yield site


def row(page: Page, name: str) -> Locator:
    return page.locator(".row", has=page.get_by_role("link", name=name, exact=True))


async def test_before_the_first_request_the_page_says_how_to_send_one(site: Site) -> None:
    async with site.open() as page:
        await expect(page.get_by_role("heading", name="No requests yet")).to_be_visible()
        await expect(page.locator(".empty pre")).to_contain_text(f"curl {site.url}/v1/chat/completions")


async def test_a_session_is_shown_with_its_turns_models_and_figures(site: Site) -> None:
    await site.ask("run-1", model=MINI)
    await site.ask("run-1")
    async with site.open() as page:
        shown = row(page, "run-1")
        await expect(shown.locator(".cell")).to_have_count(2)
        await expect(shown).to_contain_text(MINI)
        await expect(shown.locator(".numbers")).to_have_text("turns2tokens214cached64 %costprice unknown")
        await expect(page.locator(".t-turns")).to_contain_text("2of 1 session")
        await expect(page.locator(".t-cached")).to_contain_text("64 %")
        await expect(page.locator(".t-violations")).to_contain_text("0no model changed without a listed reason")


async def test_the_lanes_of_a_harness_session_are_told_apart(site: Site) -> None:
    for lane in ("side/claude-haiku-4-5", "agent/a65d/claude-opus-4-7", "main/claude-opus-4-7"):
        site.inspector.keep_record(build_record(f"claude-code·7c9e6679-7425-40de-944b-e07fc1f90ae7·{lane}"))
    async with site.open() as page:
        await expect(page.locator(".badge.lane")).to_have_text(["main", "agent/a65d", "side"])


async def test_a_session_that_made_a_detour_is_shown_with_the_model_that_it_keeps(site: Site) -> None:
    site.inspector.keep_record(build_record("run-1", model=MINI))
    site.inspector.keep_record(build_record("run-1", model=GPT, decision="detour", reason="unsuitable", pinned=MINI))
    async with site.open() as page:
        await expect(row(page, "run-1").locator(".now")).to_contain_text(MINI)


async def test_what_was_adjusted_has_the_cards_whole_width(site: Site) -> None:
    site.inspector.keep_record(build_record("run-1", adjusted=("model=openai/gpt-4o (was claude-opus-4-7)",)))
    async with site.open() as page:
        await page.locator(".cell").hover()
        figures = page.get_by_role("tooltip").locator(".figures")
        whole, adjusted = await figures.bounding_box(), await figures.locator(".wide").bounding_box()
        assert whole is not None
        assert adjusted is not None
        assert adjusted["width"] == whole["width"]


async def test_a_turn_appears_without_a_reload(site: Site) -> None:
    await site.ask("run-1")
    async with site.open() as page:
        await expect(row(page, "run-1").locator(".cell")).to_have_count(1)
        await page.evaluate("window.kept = true")
        await site.ask("run-1")
        await site.ask("run-2")
        await expect(row(page, "run-1").locator(".cell")).to_have_count(2)
        await expect(page.locator(".row .id")).to_have_text(["run-2", "run-1"])
        await expect(page.locator(".t-turns")).to_contain_text("3of 2 sessions")
        assert await page.evaluate("window.kept") is True


async def test_a_paused_page_stands_still_and_catches_up(site: Site) -> None:
    await site.ask("run-1")
    async with site.open() as page:
        await page.get_by_role("button", name="Pause").click()
        await site.ask("run-1")
        resume = page.get_by_role("button", name="Resume, 1 new")
        await expect(resume).to_be_visible()
        await expect(row(page, "run-1").locator(".cell")).to_have_count(1)
        await resume.click()
        await expect(row(page, "run-1").locator(".cell")).to_have_count(2)


async def test_a_connection_that_broke_is_taken_up_where_it_was(site: Site) -> None:
    await site.ask("run-1")
    async with site.open() as page:
        await page.evaluate("window.kept = true")
        async with site.streams_cut():
            site.inspector.keep_record(build_record("run-2"))
        await expect(row(page, "run-2")).to_be_visible()
        await expect(page.locator(".state")).to_have_text("Live")
        assert await page.evaluate("window.kept") is True


async def test_the_card_beside_a_turn_says_why_with_scores_times_and_tokens(browser: Browser) -> None:
    code = Preference("code", "writing code in Python", (MINI,))
    async with running_site(browser, build_config(GPT, MINI, preferences=(code, TALK))) as site:
        await site.ask("run-1")
        async with site.open() as page:
            await page.locator(".cell").hover()
            card = page.get_by_role("tooltip")
            await expect(card).to_contain_text("initialize · first_turn")
            await expect(card).to_contain_text("The session's first turn: routed, and pinned to this model.")
            await expect(card.locator(".scores .name")).to_have_text(["code", "talk"])
            await expect(card.locator(".figures")).to_contain_text("Prompt100Cached64Output7")
            await page.keyboard.press("Escape")
            await expect(card).to_be_hidden()


async def test_a_pinned_turns_card_does_not_claim_that_the_turn_matched_the_preference(browser: Browser) -> None:
    async with running_site(browser, build_config(GPT, preferences=(TALK,))) as site:
        for decision in ("initialize", "retain"):
            site.inspector.keep_record(build_record("run-1", decision=decision, route="talk"))
        async with site.open() as page:
            card = page.get_by_role("tooltip")
            for cell, said in zip(await page.locator(".cell").all(), ("route talk", "pinned for talk"), strict=True):
                await cell.hover()
                await expect(card.locator(".route")).to_have_text(said)


async def test_a_switch_is_marked_and_explained(browser: Browser) -> None:
    config = build_config(GPT, MINI, preferences=(TALK,), retries=ONCE)
    async with running_site(browser, config, FakeUpstream(answer, fail_as_gpt)) as site:
        for _ in range(2):
            await site.ask("run-1", said="small talk")
        async with site.open() as page:
            await expect(page.locator(".t-switches")).to_contain_text("1")
            await expect(row(page, "run-1").locator(".sign.s-switch")).to_have_count(1)
            await page.locator(".cell").last.hover()
            card = page.get_by_role("tooltip")
            await expect(card).to_contain_text("switch · upstream_failed")
            await expect(card.locator(".sendings li")).to_have_text(
                [re.compile("gpt-4o.*500"), re.compile("mini.*200")]
            )


async def test_a_refused_request_is_a_failure_without_a_session(site: Site) -> None:
    assert await site.ask(model="nobody") == 404
    async with site.open() as page:
        shown = row(page, "Requests without a session")
        await expect(shown.get_by_role("button")).to_have_accessible_name(
            "Turn 1: no model, refused, 404 model_not_found"
        )
        await expect(shown).to_contain_text("1 failure")


async def test_sessions_are_filtered_and_the_address_says_how(site: Site) -> None:
    await site.ask("alpha", model=MINI)
    await site.ask("beta")
    site.inspector.keep_record(build_record("gamma", decision="switch", reason="unsuitable", route="talk"))
    site.inspector.keep_record(build_record("delta", failure="upstream_failed", status=502))
    async with site.open() as page:
        names = page.locator(".row .id")
        for act, found in (
            (page.locator("[name=model]").select_option(MINI), ["alpha"]),
            (page.locator("[name=decision]").select_option("switch"), ["gamma"]),
            (page.locator("[name=route]").select_option("talk"), ["gamma"]),
            (page.get_by_label("Find").fill("ET"), ["beta"]),
            (page.get_by_label("Only switches").check(), ["gamma"]),
            (page.get_by_label("Only failures").check(), ["delta"]),
        ):
            await act
            await expect(names).to_have_text(found)
            await page.get_by_role("button", name="Reset").click()
            await expect(names).to_have_count(4)
        await page.get_by_label("Find").fill("alp")
        await expect(page).to_have_url(f"{site.url}/inspector?text=alp")
        await page.reload()
        await expect(names).to_have_text(["alpha"])
        await page.get_by_label("Find").fill("nothing like it")
        await expect(page.get_by_text("No session matches these filters.")).to_be_visible()


async def test_a_sessions_page_has_an_address_and_a_way_back(site: Site) -> None:
    affinity_id = "team/run 1?#&%".replace(" ", "_")
    await site.ask(affinity_id)
    async with site.open() as page:
        await page.get_by_role("link", name=affinity_id).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(affinity_id)
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text(affinity_id)
        await expect(page.get_by_role("region", name="Pin")).to_contain_text(
            "Because the session's first turn matched no preference."
        )
        await page.go_back()
        await expect(page.locator(".row")).to_have_count(1)


async def test_a_sessions_page_is_live_and_tells_each_turn(site: Site) -> None:
    await site.ask("run-1", model=MINI)
    async with site.open("/inspector?session=run-1", awaits=".turn") as page:
        await site.ask("run-1")
        await expect(page.locator(".turn")).to_have_count(2)
        await expect(page.locator(".moment")).to_contain_text(["initialize · first_turn"])
        await expect(page.locator(".moment .kept")).to_have_text("then 1 turn kept on it")
        await page.locator(".turn summary").first.click()
        await expect(page.locator(".turn[open]")).to_contain_text("Kept on the pinned model; routing was skipped.")
        await expect(page.locator(".turn[open]")).to_contain_text("/v1/chat/completions")


async def test_a_turn_chosen_in_the_list_is_unfolded_on_the_sessions_page(site: Site) -> None:
    await site.ask("run-1")
    await site.ask("run-1")
    async with site.open() as page:
        await page.locator(".cell").first.click()
        await expect(page.locator(".turn[open] .number")).to_have_text("Turn 1")


async def test_a_pin_is_dropped_after_a_question(site: Site) -> None:
    await site.ask("run-1", model=MINI)
    async with site.open("/inspector?session=run-1", awaits=".turn", tolerated=("404",)) as page:
        await page.get_by_role("button", name="Drop the pin").click()
        await page.get_by_role("button", name="Keep it").click()
        await page.get_by_role("button", name="Drop the pin").click()
        await page.get_by_role("dialog").get_by_role("button", name="Drop the pin").click()
        await expect(page.get_by_role("region", name="Pin")).to_contain_text(
            "Dropped. The next request is routed anew."
        )
        await expect(page.get_by_role("button", name="Drop the pin")).to_be_disabled()
        await site.ask("run-1", model=GPT)
        await expect(page.locator(".sign.s-initialize")).to_have_count(1)
        await expect(page.get_by_role("button", name="Drop the pin")).to_be_enabled()


async def test_tenants_and_implicit_sessions_are_told_apart(browser: Browser) -> None:
    config = build_config(
        GPT,
        MINI,
        routing=Routing(session_cache=SessionCache(tenant_header="x-tenant")),
        prompt_caching=PromptCaching(enabled=True),
    )
    async with running_site(browser, config) as site:
        await site.ask("run-1", x_tenant="acme", model=MINI)
        await site.ask("run-1", x_tenant="zeta")
        await site.ask(x_tenant="acme")
        async with site.open() as page:
            await expect(page.locator(".row .badge")).to_have_text(["implicit", "acme", "zeta", "acme"])
            await page.locator(".row", has_text="acme").last.get_by_role("link").click()
            await expect(page.get_by_role("region", name="Pin")).to_contain_text(MINI)
            await page.go_back()
            await page.locator(".row", has_text="implicit").get_by_role("link").click()
            await expect(page.get_by_role("region", name="Pin")).to_contain_text("openai/gpt-4o")


async def test_costs_are_shown_where_prices_are_known(browser: Browser) -> None:
    prices = {"openai": {"models": {"gpt-4o": {"cost": {"input": 2.5, "output": 10, "cache_read": 1.25}}}}}
    listener = processes.bind("127.0.0.1", 0)
    source = CostSource("cost", "models.dev", f"{processes.url_of(listener)}/api.json")
    async with (
        processes.running([processes.Site(JSONResponse(prices), listener)]),
        running_site(browser, build_config(GPT, metrics_sources=(source,))) as site,
        site.open() as page,
    ):
        for turns in itertools.count(1):
            await site.ask(f"run-{turns}")
            await expect(page.locator(".t-turns b")).to_have_text(str(turns))
            if await page.locator(".t-cost b").text_content() != UNKNOWN:
                break
        await expect(page.locator(".row .numbers").first).to_contain_text("$0.00024")


async def test_where_a_token_is_needed_the_page_asks_for_it_and_keeps_it_in_the_tab(browser: Browser) -> None:
    config = build_config(GPT, admin_token=SecretStr("token-canary"), client_keys=(build_client_key("key"),))
    async with running_site(browser, config) as site:
        await site.ask("run-1", authorization="Bearer key")
        async with site.open(awaits="[name=token]", tolerated=("401", "404")) as page:
            await page.get_by_label("Admin token").fill("wrong")
            await page.get_by_role("button", name="Open").click()
            await expect(page.get_by_role("alert")).to_contain_text("what was given is another one")
            await page.get_by_label("Admin token").fill("token-canary")
            await page.get_by_role("button", name="Open").click()
            await expect(row(page, "run-1")).to_be_visible()
            await page.reload()
            await expect(row(page, "run-1")).to_be_visible()
            assert await page.evaluate("JSON.stringify([localStorage, document.cookie, location.href])") == (
                f'[{{}},"","{site.url}/inspector"]'
            )
            await page.get_by_role("link", name="run-1").click()
            await page.get_by_role("button", name="Drop the pin").click()
            await page.get_by_role("dialog").get_by_role("button", name="Drop the pin").click()
            await expect(page.get_by_role("region", name="Pin")).to_contain_text("Dropped.")


async def test_through_a_proxy_without_a_token_the_page_says_what_to_do(site: Site) -> None:
    async with site.open(awaits="h1", tolerated=("403",)) as page:
        await page.set_extra_http_headers({"x-forwarded-for": "1.2.3.4"})
        await page.reload()
        await expect(page.get_by_role("heading", name="For operators only")).to_be_visible()
        await expect(page.get_by_text("Where a token is set, this page asks for it.")).to_be_visible()
        await expect(page.locator("main")).to_contain_text("Set admin_token in plano-agents.yaml")


async def test_nothing_of_a_prompt_is_on_the_page(site: Site) -> None:
    await site.ask("run-1")
    async with site.open("/inspector?session=run-1", awaits=".turn") as page:
        await page.locator(".turn summary").click()
        assert PROMPT not in await page.content()


async def test_a_models_initials_are_its_own(site: Site) -> None:
    site.inspector.keep_record(build_record("run-1", model="anthropic/claude-sonnet-4-6"))
    async with site.open() as page:
        await expect(page.locator(".swatch", has_text="CS").first).to_be_visible()
        await site.ask("run-2", model=GPT)
        await site.ask("run-3", model=MINI)
        await expect(page.locator(".legend .swatch")).to_have_text(["CS", "G4", "GM"])


async def test_a_sessions_blocks_fill_the_width_and_stay_on_their_row(site: Site) -> None:
    for turn in range(12):
        failure = {"failure": "upstream_failed", "status": 502} if turn in (3, 4, 5) else {}
        site.inspector.keep_record(build_record("run-1", **failure))
    async with site.open() as page:
        await expect(page.locator(".cell.failed")).to_have_count(3)
        band, run = await box(page.locator(".what")), await box(page.locator(".run"))
        assert band["width"] * 0.97 < run["width"] <= band["width"]
        cells = [await box(cell) for cell in await page.locator(".cell").all()]
        assert all(one["x"] + one["width"] <= other["x"] + 0.01 for one, other in itertools.pairwise(cells))
        assert all(run["y"] <= cell["y"] and cell["height"] <= run["height"] for cell in cells)


async def box(found: Locator) -> FloatRect:
    """Find the place of an element."""
    at = await found.bounding_box()
    assert at is not None
    return at


async def test_the_times_of_first_and_later_turns_are_told_apart_by_their_medians(site: Site) -> None:
    for routing_ms in (60.0, 90.0, 70.0):
        site.inspector.keep_record(build_record("run-1", routing_ms=routing_ms, strategy="embedded"))
    for routing_ms in (0.2, 50.0, 0.4):
        site.inspector.keep_record(build_record("run-1", routing_ms=routing_ms))
    async with site.open(tolerated=("404",)) as page:
        await expect(page.locator(".t-routing")).to_contain_text(
            "0.40 msfor later turns; first turns take 70 ms (medians)"
        )
        await page.get_by_role("link", name="run-1").click()
        total = page.get_by_role("region", name="Total")
        await expect(total).to_contain_text("Routing, first turn70 msRouting, later turns0.40 ms")


async def test_switches_for_listed_reasons_are_no_violations(site: Site) -> None:
    site.inspector.keep_record(build_record("run-1"))
    site.inspector.keep_record(
        build_record("run-1", model=MINI, decision="switch", reason="unsuitable", because="an image")
    )
    async with site.open() as page:
        await expect(page.locator(".t-switches")).to_contain_text("50 % of turns, each for a listed reason")
        await expect(page.locator(".t-violations")).to_contain_text("0no model changed without a listed reason")
        await page.locator(".cell").last.hover()
        await expect(page.get_by_role("tooltip")).to_contain_text("Because: an image.")


async def test_a_sessions_label_is_shown_and_found(site: Site) -> None:
    await site.ask("run-1", x_plano_label="Orders as CSV")
    await site.ask("run-2")
    async with site.open() as page:
        await expect(row(page, "run-1").locator(".badge.label")).to_have_text("Orders as CSV")
        await page.get_by_label("Find").fill("orders")
        await expect(page.locator(".row .id")).to_have_text(["run-1"])


async def test_simulated_models_cost_their_list_prices(browser: Browser) -> None:
    async with running_site(browser, build_config(GPT).offline("http://simulated.test")) as site:
        await site.ask("run-1")
        async with site.open() as page:
            await expect(page.locator(".t-cost")).to_contain_text("$0.00024of 1 turn with known prices")


async def test_a_phone_is_told_to_tap(site: Site) -> None:
    await site.ask("run-1")
    async with site.open(width=390, is_phone=True) as page:
        await expect(page.get_by_text("Tap a block to see why.")).to_be_visible()
        await expect(page.get_by_text("Point at a block")).to_be_hidden()


async def test_models_differ_in_colour_and_in_initials_and_keep_both(site: Site) -> None:
    names = [f"openai/model-{number}" for number in range(10)]
    for number, name in enumerate(names):
        site.inspector.keep_record(build_record(f"run-{number}", model=name))
    seen = []
    for _ in range(2):
        async with site.open() as page:
            swatches = page.locator(".legend .swatch")
            await expect(swatches).to_have_count(10)
            seen.append(await swatches.evaluate_all("all => all.map(each => [each.className, each.textContent])"))
    assert seen[0] == seen[1]
    assert len({each[0] for each in seen[0]}) == 10
    assert len({each[1] for each in seen[0]}) == 10


async def test_a_long_session_shows_its_latest_turns_and_how_many_came_before(site: Site) -> None:
    for number in range(250):
        site.inspector.keep_record(build_record("long", at=float(number)))
    async with site.open(tolerated=("404",)) as page:
        earlier = await page.locator(".earlier").text_content()
        cells = await page.locator(".cell").count()
        assert earlier == f"+{250 - cells} earlier turns"
        await page.get_by_role("link", name="long").click()
        await expect(page.locator(".turn")).to_have_count(200)
        await expect(page.get_by_text("The 50 turns before are counted and no longer kept.")).to_be_visible()


async def test_a_thousand_sessions_are_listed_as_they_are_scrolled_to(site: Site) -> None:
    for number in range(1_000):
        site.inspector.keep_record(build_record(f"run-{number}", at=float(number)))
    async with site.open() as page:
        await page.get_by_label("Find").fill("run-0")
        await expect(row(page, "run-0")).to_be_visible()
        await page.get_by_label("Find").fill("")
        rows = page.locator(".row")
        await expect(rows.first).to_contain_text("run-999")
        drawn = await rows.count()
        assert drawn <= 120
        await page.keyboard.press("End")
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await expect(rows.nth(drawn)).to_be_attached()  # a function that is waited for may meet the page's policy


async def test_the_keyboard_reaches_a_sessions_turns_and_tells_of_them(site: Site) -> None:
    await site.ask("run-1", model=MINI)
    await site.ask("run-1")
    async with site.open() as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the sessions")).to_be_focused()
        link = page.get_by_role("link", name="run-1")
        for _ in range(20):
            if await link.evaluate("each => each === document.activeElement"):
                break
            await page.keyboard.press("Tab")
        await expect(link).to_be_focused()
        await page.keyboard.press("Tab")
        cells = page.locator(".cell")
        await expect(cells.last).to_be_focused()
        await expect(page.get_by_role("tooltip")).to_contain_text("retain · pinned")
        await page.keyboard.press("ArrowLeft")
        await expect(cells.first).to_be_focused()
        await expect(page.get_by_role("tooltip")).to_contain_text("initialize · first_turn")
        await site.ask("run-1")
        await expect(cells).to_have_count(3)
        await expect(cells.first).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".turn[open] summary")).to_be_focused()


async def test_a_switch_is_read_out(site: Site) -> None:
    async with site.open() as page:
        site.inspector.keep_record(build_record("run-1", decision="switch", reason="unsuitable"))
        await expect(page.locator("#said")).to_have_text("run-1 switched to openai/gpt-4o: unsuitable")


async def test_the_theme_is_the_systems_until_one_is_chosen(site: Site) -> None:
    async with site.open(scheme="dark") as page:
        assert await page.evaluate(BACKGROUND) == "rgb(15, 18, 23)"
        await page.get_by_role("button", name="Use the light theme").click()
        assert await page.evaluate(BACKGROUND) == "rgb(246, 247, 249)"
        await page.reload()
        assert await page.evaluate(BACKGROUND) == "rgb(246, 247, 249)"


async def test_what_affinity_saved_is_told_with_what_it_rests_on_and_the_turns_bear_their_ghosts(
    browser: Browser,
) -> None:
    preferences = (
        Preference("code", "writing code: functions, scripts, tests", (GPT,)),
        Preference("talk", "greetings and small talk about the weather", (MINI,)),
    )
    config = build_config(GPT, MINI, preferences=preferences, routing=Routing(observe=1.0))
    said = [{"role": "user", "content": "Write a Python function that parses CSV, with its tests."}]
    async with running_site(browser, config) as site, site.open() as page:
        async with httpx.AsyncClient(base_url=site.url) as http:
            for more in ("And write one that prints JSON.", "Now write a script that calls both."):
                answer = await http.post(
                    "/v1/chat/completions", json={"messages": said}, headers={"x-model-affinity": "run-1"}
                )
                assert answer.headers["x-plano-model"] == GPT
                said += [{"role": "assistant", "content": "Here it is."}, {"role": "user", "content": more}]
        shown = row(page, "run-1")
        await expect(shown.locator(".ghost")).to_have_count(1)
        await expect(shown.locator(".cell").last).to_have_accessible_name(re.compile(f"without affinity {GPT}"))
        await shown.locator(".cell").last.hover()
        await expect(page.locator("#tip .ghosted")).to_contain_text("The same model as for the turn before: no switch.")
        await expect(page.locator("#tip .ghosted")).to_contain_text("0 of 100 prompt tokens read anew")
        await page.goto(f"{site.url}/inspector")
        card = page.get_by_role("region", name="What affinity saved")
        await expect(card).to_contain_text("Rests on 1 of 1 pinned turn, routed beside")
        await expect(card).to_contain_text("Would-be switches0.0 %exact; 0 of 1 turn")
        await page.goto(f"{site.url}/inspector?session=run-1")
        await expect(page.get_by_role("region", name="Without affinity")).to_contain_text("Read anew0 of 100")


async def test_a_ghost_that_comes_after_its_turn_is_shown_without_a_reload(site: Site) -> None:
    await site.ask("run-1")
    await site.ask("run-1")
    async with site.open() as page:
        shown = row(page, "run-1")
        await expect(shown.locator(".cell")).to_have_count(2)
        await expect(page.get_by_role("region", name="What affinity saved")).to_have_count(0)
        found = site.inspector._history.find(("", "run-1"))
        assert found is not None
        turn = found.turns[-1]
        site.inspector.keep_ghost(GhostNews("", "run-1", turn.at, turn.trace_id, Ghost(MINI, 3.0, GPT, 100, 64)))
        await expect(shown.locator(".ghost.switches")).to_have_count(1)
        name = re.compile(f"without affinity {MINI}, a switch")
        await expect(shown.locator(".cell").last).to_have_accessible_name(name)
        await expect(page.locator(".legend")).to_contain_text(MINI)


BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("address", ["/inspector", "/inspector?session=run-1", "/inspector?session=nobody"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    site: Site, scheme: Literal["light", "dark"], width: int, address: str
) -> None:
    for number, model in enumerate(
        ["openai/gpt-4o", "a/x", "b/y", "c/z", "d/u", "e/v", "f/w", "g/a-model-with-a-long-name"]
    ):
        for turn in range(3):
            decision = {"decision": "switch", "reason": "unsuitable"} if turn == 0 else {}
            failure = {"failure": "upstream_failed", "status": 502} if turn == 2 and number % 2 else {}
            ghost = Ghost("b/y" if turn else model, 3.0, "openai/gpt-4o", 100, 64, 0.01, 0.02) if turn < 2 else None
            site.inspector.keep_record(
                build_record(
                    "run-1", model=model, scores=(("code", 0.7),), strategy="told", ghost=ghost, **decision, **failure
                )
            )
            site.inspector.keep_record(build_record("x" * 256, model=model, tenant="t" * 100))
    awaits = {"/inspector": ".cell", "/inspector?session=run-1": ".turn"}.get(address, ".notice")
    async with site.open(
        address, scheme=scheme, width=width, awaits=awaits, tolerated=("404",), bypass_csp=True
    ) as page:
        if awaits == ".cell":
            await page.locator(".cell").first.focus()
        if awaits == ".turn":
            await page.locator(".turn summary").first.click()
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
