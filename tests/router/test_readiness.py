"""Readiness: ``/readyz`` answers 200 once what routing needs is loaded, at the start and after a reload."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from plano_agents import processes
from plano_agents.config.model import Config, Preference, Routing
from plano_agents.config.options import SessionCache
from plano_agents.router.app import Router
from plano_agents.secret_str import SecretStr
from tests.faults.redis_server import RedisServer
from tests.router.conftest import CLAUDE, GPT, Choose, MemoryUpstream, build_config
from tests.router.raw_client import build_request, talk

POLL = build_request(method="GET", path="/readyz")
BARE, ROUTED = build_config(GPT), build_config(GPT, CLAUDE)


class Loading(Choose):
    """A strategy that loads until it is told to be done, or fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.done = asyncio.Event()
        self.failures = failures

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no such file: encoder.npz")
        await self.done.wait()


async def poll(router: Router, request: bytes = POLL) -> tuple[int, object]:
    """Ask once whether requests may be sent."""
    listener = processes.bind("127.0.0.1", 0)
    async with processes.running([processes.Site(router, listener)]):
        status, _, body = await talk(processes.url_of(listener), request)
    return status, json.loads(body)


def build_router(config: Config, strategy: Loading) -> Router:
    return Router(config, MemoryUpstream(), strategy=strategy)


async def test_a_router_is_ready_once_its_encoder_is_loaded() -> None:
    strategy = Loading()
    router = build_router(ROUTED, strategy)
    assert await poll(router) == (503, {"status": "loading"})
    strategy.done.set()
    await router.warm_up()
    assert await poll(router) == (200, {"status": "ready"})
    await router.aclose()


async def test_a_router_without_preferences_is_ready_at_once() -> None:
    router = build_router(BARE, Loading())
    assert await poll(router) == (200, {"status": "ready"})


async def test_a_reload_that_brings_the_first_preferences_is_waited_for() -> None:
    strategy = Loading()
    router = build_router(BARE, strategy)
    router.configure(ROUTED)
    assert await poll(router) == (503, {"status": "loading"})
    strategy.done.set()
    await router.warm_up()
    assert await poll(router) == (200, {"status": "ready"})
    await router.aclose()


async def test_what_cannot_be_loaded_is_told_and_tried_again_at_the_next_poll(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strategy = Loading(failures=1)
    router = build_router(ROUTED, strategy)
    with caplog.at_level(logging.ERROR):
        await router.warm_up()
    assert "encoder.npz" in caplog.text
    assert (await poll(router))[0] == 503
    strategy.done.set()
    await router.warm_up()
    assert (await poll(router))[0] == 200
    await router.aclose()


async def test_operators_are_told_which_server_keeps_the_pins_and_whether_it_answers(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server:
        cache = SessionCache("redis", SecretStr(server.url))
        router = Router(replace(BARE, routing=Routing(session_cache=cache)), MemoryUpstream())
        await router.warm_up()
        place = {"name": server.url, "masters": [f"127.0.0.1:{server.port}"], "answers": True}
        assert await poll(router) == (200, {"status": "ready", "store": place})
        proxied = build_request(b"", "x-forwarded-for: 203.0.113.9", method="GET", path="/readyz")
        assert await poll(router, proxied) == (200, {"status": "ready"})
        await router.aclose()
