"""``GET /report`` on a real router: what affinity saved, of the turns that it has routed beside."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from plano_agents.config.model import Routing
from plano_agents.config.options import CostSource, SessionCache
from plano_agents.secret_str import SecretStr
from plano_agents.testing import FakeUpstream, give
from tests.faults.redis_server import RedisServer
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import build_model, run_router
from tests.router.watch.ghosts.conftest import BIG, CONFIG, ByLastWord

DAY = 86_400
START = 1_790_000_000.0
CANARY = "prompt-canary"
USAGE = (
    b'{"id": "c", "model": "m", "choices": [{"message": {}}], "usage": {"prompt_tokens": 1000, "completion_tokens": 100, '
    b'"prompt_tokens_details": {"cached_tokens": 800}}}'
)

CATALOG = {
    "openai": {
        "models": {
            "big": {"cost": {"input": 10, "output": 40, "cache_read": 1}},
            "small": {"cost": {"input": 1, "output": 4, "cache_read": 0.5}},
        }
    }
}


async def list_prices(_: str) -> bytes:
    return json.dumps(CATALOG).encode()


class Operator:
    """A client and an operator of one router."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def talk(self, session: str, *kinds: str) -> None:
        messages: list[dict[str, str]] = []
        for kind in kinds:
            messages.append({"role": "user", "content": f"{CANARY} {kind}"})
            answer = await self.http.post(
                "/v1/chat/completions", json={"messages": messages}, headers={"x-model-affinity": session}
            )
            assert answer.headers["x-plano-model"] == BIG
            messages.append({"role": "assistant", "content": "It is done."})

    async def report(self, turns: int, **query: str) -> Any:  # noqa: ANN401 - JSON
        """Ask for the report until it rests on so many turns: they are routed in a moment."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self.http.get("/report", params=query)
                assert answer.status_code == 200, answer.text
                assert CANARY not in answer.text
                if answer.json()["basis"]["routed"] >= turns:
                    return answer.json()


@asynccontextmanager
async def run(observe: float = 1.0, redis: str | None = None, **options: Any) -> AsyncGenerator[Operator, None]:  # noqa: ANN401 - the router's own
    cache = SessionCache("redis", SecretStr(redis)) if redis is not None else SessionCache()
    async with FakeUpstream(give(USAGE)) as provider:
        config = replace(
            CONFIG,
            models=tuple(build_model(each.name, base_url=provider.url) for each in CONFIG.models),
            routing=Routing(observe=observe, session_cache=cache),
            metrics_sources=(CostSource("cost", "models.dev"),),
        )
        async with (
            run_router(config, strategy=ByLastWord(), fetch=list_prices, **options) as url,
            httpx.AsyncClient(base_url=url) as http,
        ):
            yield Operator(http)


@pytest.mark.parametrize("takes_fast_path", [False, True])
async def test_the_report_says_what_was_saved_and_what_it_rests_on(*, takes_fast_path: bool) -> None:
    async with run(wall_clock=lambda: START, takes_fast_path=takes_fast_path) as operator:
        await operator.talk("a", "code", "talk", "talk", "code")
        report = await operator.report(3)
    assert report["basis"] == {
        "pinned_turns": 3,
        "shares": [1.0],
        "routed": 3,
        "compared": 3,
        "metered": 3,
        "priced": 3,
        "dropped": 0,
        "failed": 0,
    }
    assert report["sampled"]["would_be_switches"] == 2
    assert (report["sampled"]["prompt_tokens"], report["sampled"]["tokens_read_anew"]) == (3_000, 1_600)
    assert report["estimated"]["tokens_read_anew"] == {
        "estimate": 1_600.0,
        "low": 1_600.0,
        "high": 1_600.0,
        "is_rough": False,
    }
    assert round(report["sampled"]["usd_with_affinity"], 6) == round(3 * (200 * 10 + 800 + 100 * 40) / 1e6, 6)
    assert (report["observe"], report["confidence"], report["degraded"]) == (1.0, 0.95, None)
    assert report["began_at"] == "2026-09-21T14:13:20Z"
    assert [day["day"] for day in report["days"]] == ["2026-09-21"]


async def test_days_before_since_are_left_out() -> None:
    now = [START]
    async with run(wall_clock=lambda: now[0]) as operator:
        await operator.talk("a", "code", "talk")
        await operator.report(1)
        now[0] += DAY
        await operator.talk("b", "code", "code", "code")
        report = await operator.report(2, since="2026-09-22")
        assert report["basis"]["routed"] == 2
        assert (await operator.report(3))["since"] < "2026-09-21"
        refused = await operator.http.get("/report", params={"since": "2026-09-23"})
        assert refused.status_code == 400
        assert "today is 2026-09-22" in refused.json()["error"]["message"]
        assert (await operator.http.get("/report", params={"since": "soon"})).status_code == 400


async def test_without_observe_nothing_is_routed_beside_and_the_report_says_so() -> None:
    async with run(observe=0.0) as operator:
        await operator.talk("a", "code", "talk")
        report = await operator.report(0)
    assert (report["observe"], report["basis"]["pinned_turns"], report["estimated"]) == (0.0, 0, None)


async def test_replicas_that_share_redis_add_up_and_keep_nothing_of_a_prompt(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server:
        async with run(redis=server.url) as one, run(redis=server.url) as two:
            await one.talk("a", "code", "talk")
            await two.talk("b", "code", "talk", "code")
            for operator in (one, two):
                report = await operator.report(3)
                assert (report["basis"]["pinned_turns"], report["sampled"]["would_be_switches"]) == (3, 3)
                assert report["began_at"] is None
        async with server.client() as client:
            keys = [key async for key in client.scan_iter("plano:affinity-day:*")]
            kept = [await client.hgetall(key) for key in keys]
    assert len(kept) == 1
    assert CANARY not in str(kept)
    assert len(kept[0]) == 2


async def test_the_report_is_for_operators_alone() -> None:
    async with run() as operator:
        answer = await operator.http.get("/report", headers={"x-forwarded-for": "203.0.113.7"})
    assert answer.status_code == 403
