import asyncio
from collections.abc import Awaitable, Callable

import pytest

from plano_agents.sessions.decide import Route
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Decision, SessionKey
from plano_agents.sessions.pinning import Pinning

KEY = SessionKey("", "run-1")
GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude"


class Router:
    """Routes to a new model every time, when it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.started = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self) -> Route:
        self.calls += 1
        self.started.set()
        await self.go.wait()
        return Route(f"m/{self.calls}", "r")


def build() -> Pinning:
    return Pinning(MemorySessionStore(ttl_seconds=600, max_entries=100, clock=lambda: 0.0))


async def ask(
    pinning: Pinning,
    route: Callable[[], Awaitable[Route]],
    *,
    key: SessionKey = KEY,
    hint: str | None = None,
    configured: Callable[[str], str | None] = lambda name: name,
) -> Decision:
    async with pinning.in_use(key):
        return await pinning.decide(key, hint=hint, find_model=configured, route=route)


async def test_of_many_concurrent_first_turns_one_is_routed_and_all_get_its_model() -> None:
    pinning, router = build(), Router()
    asked = [asyncio.create_task(ask(pinning, router)) for _ in range(100)]
    await router.started.wait()
    router.go.set()
    decisions = await asyncio.gather(*asked)
    assert router.calls == 1
    assert {decision.model for decision in decisions} == {"m/1"}
    assert sorted(decision.kind for decision in decisions).count("initialize") == 1


async def test_different_sessions_do_not_wait_for_each_other() -> None:
    pinning, slow, quick = build(), Router(), Router()
    quick.go.set()
    waiting = asyncio.create_task(ask(pinning, slow))
    await slow.started.wait()
    assert (await ask(pinning, quick, key=SessionKey("", "other"))).kind == "initialize"
    slow.go.set()
    await waiting


async def test_when_the_leader_is_cancelled_the_next_proceeds() -> None:
    pinning, router = build(), Router()
    leader = asyncio.create_task(ask(pinning, router))
    await router.started.wait()
    followers = [asyncio.create_task(ask(pinning, router)) for _ in range(3)]
    leader.cancel()
    router.go.set()
    decisions = await asyncio.gather(*followers)
    assert {decision.model for decision in decisions} == {"m/2"}


async def test_when_the_leader_fails_the_next_proceeds() -> None:
    pinning, router = build(), Router()
    router.go.set()

    async def fail() -> Route:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the very one raised above
        await ask(pinning, fail)
    assert (await ask(pinning, router)).kind == "initialize"


async def test_a_pinned_turn_is_not_routed() -> None:
    pinning, router = build(), Router()
    router.go.set()
    await ask(pinning, router)
    assert await ask(pinning, router) == Decision("m/1", "r", "retain", "pinned")
    assert router.calls == 1


async def test_a_hint_pins_without_routing() -> None:
    pinning, router = build(), Router()
    assert (await ask(pinning, router, hint=CLAUDE)).reason == "hint"
    assert await ask(pinning, router) == Decision(CLAUDE, None, "retain", "pinned")
    assert router.calls == 0


async def test_a_model_that_left_the_configuration_is_switched_once() -> None:
    pinning, router = build(), Router()
    router.go.set()
    await ask(pinning, router)
    left = lambda name: None if name == "m/1" else name  # noqa: E731 - shorter than a def
    assert await ask(pinning, router, configured=left) == Decision("m/2", "r", "switch", "model_removed")
    assert (await ask(pinning, router, configured=left)).kind == "retain"


async def test_a_pin_made_elsewhere_meanwhile_is_taken_over() -> None:
    store = MemorySessionStore(ttl_seconds=600, max_entries=100, clock=lambda: 0.0)
    here, there = Pinning(store), Pinning(store)

    async def route_while_the_other_decides() -> Route:
        await ask(there, lambda: asyncio.sleep(0, Route(CLAUDE, None)))
        return Route(GPT, "r")

    assert await ask(here, route_while_the_other_decides) == Decision(CLAUDE, None, "retain", "pinned")


async def test_a_pin_follows_to_the_model_that_answered() -> None:
    pinning, router = build(), Router()
    router.go.set()
    first = await ask(pinning, router)
    async with pinning.in_use(KEY):
        assert (
            await pinning.follow(KEY, first, CLAUDE, "upstream_failed")
        ).header == "switch; reason=upstream_failed"
    assert await ask(pinning, router) == Decision(CLAUDE, "r", "retain", "pinned")


async def test_a_late_failure_does_not_move_a_pin_that_was_moved_meanwhile() -> None:
    pinning, router = build(), Router()
    router.go.set()
    first = await ask(pinning, router)
    async with pinning.in_use(KEY):
        await pinning.follow(KEY, first, CLAUDE, "upstream_failed")
        await pinning.follow(KEY, first, GPT, "upstream_failed")
    assert (await ask(pinning, router)).model == CLAUDE
