"""``routing.routing_budget``: a new user message leaves a warm cache only where the budget allows it, and hears why."""

import json
from collections.abc import Mapping

import pytest

from plano_agents.config.model import Config, Preference, Routing
from plano_agents.config.options import RoutingBudget
from plano_agents.router.request.surfaces import CHAT, Endpoint
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import Wanted
from tests.router.conftest import Choose, Clock, MemoryResponse, MemoryUpstream, Seen, ask, build_model, build_service

DEAR, CHEAP, NEW = "openai/dear", "openai/cheap", "openai/new"
PRICES = {
    DEAR: ModelMetrics(10.0, 10.0, cached_usd_per_million=1.0),
    CHEAP: ModelMetrics(1.0, 1.0, cached_usd_per_million=0.1),
}
ID = ("x-model-affinity", "run-1")
WORDS = "word " * 4_000
USED = {"prompt_tokens": 5_000, "completion_tokens": 10, "total_tokens": 5_010}
ANSWER = json.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
        "usage": USED,
    }
).encode()


class Router:
    """A service whose routing prefers what the test says, and whose clock the test moves."""

    def __init__(self, percent: float | None = 20.0, prices: Mapping[str, ModelMetrics] = PRICES) -> None:
        self.clock = Clock()
        self.strategy = Choose(CHEAP)
        self.pinning = Pinning(
            MemorySessionStore(max_entries=100, clock=self.clock, wall_clock=self.clock),
            Ledger(max_entries=100, is_shared=False),
            wall_clock=self.clock,
        )
        names = (DEAR, CHEAP, NEW)
        config = Config(
            models=tuple(map(build_model, names)),
            preferences=tuple(Preference(name, name, (name,)) for name in names),
            routing=Routing(
                scope="user_turn",
                routing_budget=None if percent is None else RoutingBudget(percent),
                session_ttl_seconds=6_000,
            ),
        )
        self.service = build_service(
            config,
            MemoryUpstream(MemoryResponse(pieces=(ANSWER,))),
            strategy=self.strategy,
            pinning=self.pinning,
            find_metrics=lambda: prices,
            wall_clock=self.clock,
        )
        self.said = 0

    async def send(self, prefers: str, *headers: tuple[str, str]) -> Seen:
        """Say something more; routing prefers a model."""
        self.said += 1
        self.strategy.name = prefers
        said = [{"role": "user", "content": WORDS}, {"role": "assistant", "content": "Yes."}] * self.said
        body = json.dumps({"messages": said[:-1]}).encode()
        return await ask(self.service, body, ID, *headers, endpoint=Endpoint(CHAT))

    async def ask(self, prefers: str, *headers: tuple[str, str]) -> tuple[str, str]:
        """The same; the model and the decision."""
        seen = await self.send(prefers, *headers)
        assert seen.status == 200, seen.body
        return seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]


async def test_a_dearer_model_than_the_budget_allows_is_not_switched_to_and_the_answer_says_why() -> None:
    router = Router()
    await router.ask(CHEAP)
    model, told = await router.ask(DEAR)
    assert model == CHEAP
    assert told.startswith(f"retain; reason=pinned; because=preference {DEAR}, {DEAR} costs $0.0")
    assert "the budget has $0.00" in told
    assert (await router.ask(CHEAP))[1] == "retain; reason=pinned"


async def test_a_switch_within_the_budget_is_made_and_counted() -> None:
    router = Router(percent=100.0, prices=PRICES | {NEW: ModelMetrics(0.2, 1.0, cached_usd_per_million=0.1)})
    await router.ask(CHEAP)
    model, told = await router.ask(NEW)
    assert model == NEW
    assert told.startswith(f"switch; reason=user_turn; because=preference {NEW}, costs $0.00")
    (session,) = (await router.pinning.store.scan(Wanted(), limit=2, cursor=None)).sessions
    assert session.pin.home == CHEAP
    assert session.pin.switch_usd > 0
    assert [each.model for each in session.pin.left] == [CHEAP]
    assert router.pinning.ledger.violations == 0


async def test_a_switch_that_costs_nothing_is_made_at_0_percent() -> None:
    router = Router(percent=0.0)
    await router.ask(DEAR)
    assert (await router.ask(CHEAP))[1] == f"switch; reason=user_turn; because=preference {CHEAP}, costs nothing"


async def test_a_cold_cache_holds_nothing() -> None:
    router = Router(percent=0.0)
    await router.ask(CHEAP)
    router.clock.now += 301
    model, told = await router.ask(DEAR)
    assert (model, told) == (DEAR, f"switch; reason=user_turn; because=preference {DEAR}, cold cache, idle for 301 s")


async def test_a_model_of_unknown_price_is_switched_to() -> None:
    router = Router(percent=0.0)
    await router.ask(CHEAP)
    assert (await router.ask(NEW))[1].endswith("price unknown")


@pytest.mark.parametrize("header", ["x-routing-max-switch-spend-pct", "x-plano-max-switch-spend-pct"])
async def test_the_header_says_it_of_one_request_with_and_without_a_configured_budget(header: str) -> None:
    for router in (Router(percent=100.0), Router(percent=None)):
        await router.ask(CHEAP)
        assert (await router.ask(DEAR, (header, "0")))[0] == CHEAP
    router = Router(percent=None)
    await router.ask(CHEAP)
    assert await router.ask(DEAR) == (DEAR, f"switch; reason=user_turn; because=preference {DEAR}")


@pytest.mark.parametrize("value", ["", "x", "-1", "100.1", "nan", "20%"])
async def test_a_header_that_is_no_percentage_is_refused(value: str) -> None:
    router = Router()
    await router.ask(CHEAP)
    seen = await router.send(DEAR, ("x-routing-max-switch-spend-pct", value))
    assert (seen.status, seen.error["param"]) == (400, "x-routing-max-switch-spend-pct")


async def test_a_user_turn_that_was_held_back_and_is_sent_again_is_held_back_without_being_weighed_again() -> None:
    router = Router()
    await router.ask(CHEAP)
    await router.ask(DEAR)
    router.clock.now += 1_000
    router.said -= 1
    assert await router.ask(DEAR) == (CHEAP, "retain; reason=pinned")
