import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest
from msgspec.structs import replace

from plano_agents.sessions.decide import Route
from plano_agents.sessions.harnesses import Shown
from plano_agents.sessions.lanes import Lane, Origin, build_lane
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Cause, Decision, Detour, Notes, Pin, SessionKey, Switch
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import Held

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


def build(store: MemorySessionStore | None = None) -> Pinning:
    store = MemorySessionStore(max_entries=100) if store is None else store
    ledger = Ledger(max_entries=100, is_shared=False)
    store.on_end = ledger.forget
    return Pinning(store, ledger, wall_clock=lambda: 5.0)


async def ask(
    pinning: Pinning,
    route: Callable[[], Awaitable[Route]],
    *,
    key: SessionKey = KEY,
    hint: str | None = None,
    configured: Callable[[str], str | None] = lambda name: name,
) -> Decision:
    with closing(pinning.turn(key, 600).open()) as turn:
        return await turn.decide(hint=hint, find_model=configured, route=route)


async def find_pin(pinning: Pinning) -> Pin:
    session, _ = await pinning.store.find(KEY)
    assert session is not None
    return session.pin


async def test_of_many_concurrent_first_turns_one_is_routed_and_all_get_its_model() -> None:
    pinning, router = build(), Router()
    asked = [asyncio.create_task(ask(pinning, router)) for _ in range(100)]
    await router.started.wait()
    router.go.set()
    decisions = await asyncio.gather(*asked)
    assert router.calls == 1
    assert {decision.model for decision in decisions} == {"m/1"}
    assert sorted(decision.kind for decision in decisions).count("initialize") == 1


async def test_a_session_begins_at_once_with_the_model_that_it_is_routed_to() -> None:
    pinning = build()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        assert await turn.retain(lambda name: name) is None
        settled = turn.begin(Route(GPT, "r"), lambda _model, _key: "eu")
        assert settled is not None
        assert turn.keep_here(settled)
    assert settled.decision == Decision(GPT, "r", "initialize", "first_turn", deployment="eu")
    assert await find_pin(pinning) == settled.pin
    assert (await ask(pinning, Router())).header == "retain; reason=pinned"


async def test_no_session_begins_at_once_while_another_of_its_requests_is_routed() -> None:
    """That one decides for both."""
    pinning, router = build(), Router()
    first = asyncio.create_task(ask(pinning, router))
    await router.started.wait()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        assert await turn.retain(lambda name: name) is None
        assert turn.begin(Route(GPT, "r"), lambda _model, _key: None) is None
    router.go.set()
    assert (await first).model == "m/1"


async def test_a_session_whose_model_left_the_configuration_does_not_begin_anew() -> None:
    pinning = build()
    router = Router()
    router.go.set()
    await ask(pinning, router)
    with closing(pinning.turn(KEY, 600).open()) as turn:
        assert await turn.retain(lambda _: None) is None
        assert turn.begin(Route(GPT, "r"), lambda _model, _key: None) is None


class FarStore(MemorySessionStore):
    """A store that other replicas share: asking it takes a round trip, so what one request decides is handed on."""

    is_shared = True


async def test_requests_that_wait_take_what_was_decided_meanwhile_without_asking_the_store_again() -> None:
    asked: list[SessionKey] = []

    class Counting(FarStore):
        async def get(self, key: SessionKey) -> Held:
            asked.append(key)
            return await super().get(key)

    pinning, router = build(Counting(max_entries=100)), Router()
    waiting = [asyncio.create_task(ask(pinning, router)) for _ in range(5)]
    await router.started.wait()
    router.go.set()
    decisions = await asyncio.gather(*waiting)
    assert {decision.model for decision in decisions} == {"m/1"}
    # Each looked once before the gate, and the first once more behind it.
    assert len(asked) == len(waiting) + 1


async def test_a_decision_made_before_a_request_looked_is_not_handed_to_it() -> None:
    """The pin was dropped between: what the one before it decided holds no more."""
    pinning, router = build(FarStore(max_entries=100)), Router()
    router.go.set()
    gate = pinning.gate(KEY)  # somebody holds it, so that it outlives the first decision
    assert (await ask(pinning, router)).model == "m/1"
    assert await pinning.store.drop(KEY)
    assert await ask(pinning, router) == Decision("m/2", "r", "initialize", "first_turn")
    assert pinning.gate(KEY) is gate


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
    assert await ask(pinning, router, configured=left) == Decision("m/2", "r", "switch", "model_removed", (), "m/1")
    assert (await ask(pinning, router, configured=left)).kind == "retain"


async def test_a_pin_made_elsewhere_meanwhile_is_taken_over() -> None:
    store = MemorySessionStore(max_entries=100)
    here, there = build(store), build(store)

    async def route_while_the_other_decides() -> Route:
        await ask(there, lambda: asyncio.sleep(0, Route(CLAUDE, None)))
        return Route(GPT, "r")

    assert await ask(here, route_while_the_other_decides) == Decision(CLAUDE, None, "retain", "pinned")


async def test_a_pin_made_elsewhere_of_a_model_that_is_not_configured_here_is_moved() -> None:
    store = MemorySessionStore(max_entries=100)
    here, there = build(store), build(store)

    async def route_while_the_other_decides() -> Route:
        await ask(there, lambda: asyncio.sleep(0, Route(CLAUDE, None)))
        return Route(GPT, "r")

    known = lambda name: None if name == CLAUDE else name  # noqa: E731 - shorter than a def
    decision = await ask(here, route_while_the_other_decides, configured=known)
    assert decision == Decision(GPT, "r", "switch", "model_removed", (), CLAUDE)
    assert (await find_pin(here)).model == GPT


async def test_a_pin_of_a_removed_model_that_is_dropped_meanwhile_is_made_anew() -> None:
    pinning, router = build(), Router()
    router.go.set()
    await ask(pinning, router)
    old = await find_pin(pinning)

    async def drop_and_route() -> Route:
        await pinning.store.drop(KEY)
        return Route(GPT, "r")

    decision = await ask(pinning, drop_and_route, configured=lambda name: None if name == "m/1" else name)
    assert decision == Decision(GPT, "r", "initialize", "first_turn")
    new = await find_pin(pinning)
    assert (new.model, new.moves) == (GPT, 0)
    assert new.lineage != old.lineage


async def test_a_pin_follows_to_the_model_that_answered() -> None:
    pinning, router = build(), Router()
    router.go.set()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        first = await turn.decide(hint=None, find_model=str, route=router)
        told = await turn.follow(first, CLAUDE, Cause("upstream_failed", "status 503"))
    assert told.header == "switch; reason=upstream_failed; because=status 503"
    assert await ask(pinning, router) == Decision(CLAUDE, "r", "retain", "pinned")


async def test_a_late_failure_does_not_move_a_pin_that_was_moved_meanwhile() -> None:
    pinning, router = build(), Router()
    router.go.set()
    with closing(pinning.turn(KEY, 600).open()) as early, closing(pinning.turn(KEY, 600).open()) as late:
        decisions = [await turn.decide(hint=None, find_model=str, route=router) for turn in (early, late)]
        await early.follow(decisions[0], CLAUDE, Cause("upstream_failed", "status 503"))
        await late.follow(decisions[1], GPT, Cause("upstream_failed", "status 503"))
    assert (await ask(pinning, router)).model == CLAUDE


async def test_the_switch_is_told_with_its_time_and_reason() -> None:
    pinning, router = build(), Router()
    router.go.set()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        await turn.follow(
            await turn.decide(hint=None, find_model=str, route=router), CLAUDE, Cause("unsuitable", "images")
        )
    switch = (await find_pin(pinning)).switches[0]
    assert switch == Switch(5.0, "m/1", CLAUDE, "unsuitable", "images")


async def test_a_detour_leaves_the_pin_where_it_is() -> None:
    pinning, router = build(), Router()
    router.go.set()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        first = await turn.decide(hint=None, find_model=str, route=router)
        before = await find_pin(pinning)
        told = await turn.follow(first, CLAUDE, Cause("unsuitable", "logprobs", stays=False))
    assert (told.model, told.pinned) == (CLAUDE, "m/1")
    assert await find_pin(pinning) == before
    session, _ = await pinning.store.find(KEY)
    assert session is not None
    assert session.notes == Notes(detours=1, detour=Detour(5.0, CLAUDE, "logprobs"))
    assert await ask(pinning, router) == Decision("m/1", "r", "retain", "pinned")
    assert pinning.ledger.violations == 0


async def test_a_detour_counts_against_the_pin_that_it_names() -> None:
    pinning, router = build(), Router()
    router.go.set()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        first = await turn.decide(hint=None, find_model=str, route=router)
        turn.note_dispatch("m/1")
        await turn.follow(replace(first, model=GPT), CLAUDE, Cause("unsuitable", "logprobs", stays=False))
    assert pinning.ledger.violations == 1


async def test_a_hint_whose_model_cannot_go_on_is_not_pinned() -> None:
    pinning = build()
    with closing(pinning.turn(KEY, 600).open()) as turn:
        told = await turn.decide(hint=GPT, find_model=str, route=Router(), resume=lambda _: CLAUDE)
    assert told == Decision(CLAUDE, None, "initialize", "hint")
    assert (await find_pin(pinning)).model == CLAUDE


MAIN = build_lane(Shown("claude-code", "s-1", None), "m", has_tools=True)
SIDE = MAIN._replace(has_tools=False)


async def pin_lane(pinning: Pinning, lane: Lane) -> None:
    router = Router()
    router.go.set()
    await ask(pinning, router, key=SessionKey("", lane.key))


async def test_a_lane_without_tools_looks_for_its_own_pin_first() -> None:
    pinning = build()
    await pin_lane(pinning, MAIN)
    await pin_lane(pinning, SIDE)
    assert await pinning.find_lane("", SIDE) == SIDE


async def test_a_lane_without_tools_and_pin_has_that_of_the_lane_with_tools() -> None:
    pinning = build()
    assert await pinning.find_lane("", SIDE) == SIDE
    await pin_lane(pinning, MAIN)
    assert await pinning.find_lane("", SIDE) == MAIN
    assert await pinning.find_lane("other", SIDE) == SIDE
    assert await pinning.find_lane("", SIDE._replace(model="other")) == SIDE._replace(model="other")
    assert await pinning.find_lane("", SIDE._replace(agent="a")) == SIDE._replace(agent="a")


async def test_a_lane_with_tools_has_no_pin_but_its_own() -> None:
    pinning = build()
    await pin_lane(pinning, SIDE)
    assert await pinning.find_lane("", MAIN) == MAIN


@pytest.mark.parametrize(
    ("lane", "named", "main_asks", "gets"),
    [
        (MAIN, "m/1", False, None),
        (SIDE, "m/1", False, "m/1"),
        (SIDE, None, False, None),
        (MAIN._replace(agent="a"), "m/1", False, "m/1"),
        (MAIN._replace(agent="a"), "m/1", True, None),
        (SIDE._replace(agent="a"), "m/1", True, None),
    ],
)
async def test_a_lane_begins_with_the_model_that_it_names_unless_the_main_lane_does(
    lane: Lane,
    named: str | None,
    main_asks: bool,  # noqa: FBT001 - parametrized
    gets: str | None,
) -> None:
    pinning = build()
    if main_asks:
        await pin_lane(pinning, MAIN)
    turn = pinning.turn(SessionKey("", lane.key), 600, Origin(lane.source, lane))
    assert await turn.find_named(named) == gets
