"""Two replicas on one Redis: one decision is used by both, and the ledger finds every broken promise and no other."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace

import msgspec
import pytest

from plano_agents.sessions.decide import Route
from plano_agents.sessions.harnesses import Shown
from plano_agents.sessions.lanes import build_lane
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Cause, Decision, SessionKey
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.redis_encoding import encode_key
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.sessions.shared import SharedSessionStore
from plano_agents.sessions.store import SessionStore
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import CLAUDE, GPT, A, OutageLog, share


class Replica:
    """Serves turns by a store, and notes what it routed and where it sent what."""

    def __init__(self, name: str, store: SessionStore) -> None:
        self.name = name
        self.ledger = Ledger(max_entries=10_000, is_shared=store.is_shared)
        self.pinning = Pinning(store, self.ledger)
        self.routed: list[SessionKey] = []
        self.sent: dict[SessionKey, set[str]] = defaultdict(set)
        self.asked: dict[SessionKey, set[str | None]] = defaultdict(set)

    @property
    def is_cut_off(self) -> bool:
        """True if it goes by its own memory."""
        store = self.pinning.store
        assert isinstance(store, SharedSessionStore)
        return store._outage.is_on

    async def serve(
        self,
        key: SessionKey,
        *,
        fails_over_to: str | None = None,
        detours: bool = False,
        leaves_for: str | None = None,
        user_turn: str | None = None,
    ) -> Decision:
        async def route() -> Route:
            self.routed.append(key)
            await asyncio.sleep(0)
            return Route(f"{self.name}/{len(self.routed)}", "r")

        asked = self.pinning.turn(key, 600)
        if user_turn is not None:
            asked = self.pinning.user_turn(asked, user_turn)
        with closing(asked.open()) as turn:
            decision = await turn.decide(
                hint=None, find_model=str, route=route, choose=lambda _model, _key: f"at-{self.name}"
            )
            if detours:
                return await turn.follow(decision, "other/0", Cause("unsuitable", "logprobs", stays=False))
            turn.note_dispatch(decision.model, decision.deployment)
            self.sent[key].add(decision.model)
            self.asked[key].add(decision.deployment)
            if leaves_for is not None:
                cause = Cause("upstream_failed", "status 429")
                return await turn.follow(decision, decision.model, cause, leaves_for)
            if fails_over_to is not None:
                decision = await turn.follow(decision, fails_over_to, Cause("upstream_failed", "status 503"), "east")
            return decision


@asynccontextmanager
async def start_two(server: RedisServer, *, timeout_seconds: float) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(share(server.url, timeout_seconds=timeout_seconds)) for _ in range(2)]
        yield [Replica(name, store) for name, store in zip(("one", "two"), stores, strict=True)]


@pytest.fixture
async def replicas(server: RedisServer) -> AsyncIterator[list[Replica]]:
    async with start_two(server, timeout_seconds=0.25) as replicas:
        yield replicas


async def test_of_concurrent_first_turns_over_replicas_one_decision_is_used(server: RedisServer) -> None:
    """However long the machine takes for them."""
    keys = [SessionKey("", str(number)) for number in range(200)]
    async with start_two(server, timeout_seconds=30) as replicas:
        turns = [replica.serve(key) for key in keys for replica in replicas for _ in range(16)]
        random.Random(1).shuffle(turns)
        await asyncio.gather(*turns)
    for key in keys:
        assert len(replicas[0].sent[key] | replicas[1].sent[key]) == 1
        assert len(replicas[0].asked[key] | replicas[1].asked[key]) == 1
        assert all(replica.routed.count(key) <= 1 for replica in replicas)
    assert [replica.ledger.violations for replica in replicas] == [0, 0]


async def test_a_detour_on_one_replica_leaves_the_pin_for_both(replicas: list[Replica]) -> None:
    here, there = replicas
    first = await here.serve(A)
    told = await there.serve(A, detours=True)
    assert (told.kind, told.pinned) == ("detour", first.model)
    assert [(await each.serve(A)).model for each in replicas] == [first.model] * 2
    assert [replica.ledger.violations for replica in replicas] == [0, 0]


async def test_a_harness_lane_is_found_on_every_replica(replicas: list[Replica]) -> None:
    here, there = replicas
    main = build_lane(Shown("claude-code", "s-1", None), "claude-opus-9", has_tools=True)
    side = main._replace(has_tools=False)
    assert await there.pinning.find_lane("", side) == side
    first = await here.serve(SessionKey("", main.key))
    assert await there.pinning.find_lane("", side) == main
    assert (await there.serve(SessionKey("", main.key))).model == first.model


async def test_a_response_made_on_one_replica_leads_to_its_session_on_another(replicas: list[Replica]) -> None:
    here, there = replicas
    with closing(here.pinning.turn(SessionKey("acme", "run-1"), 600).open()) as turn:
        await turn.note_response("resp_1")
    assert await there.pinning.store.find_maker(ResponseKey("acme", "resp_1")) == Maker("run-1", 600, None)
    assert await there.pinning.store.find_maker(ResponseKey("", "resp_1")) is None


async def freeze(server: RedisServer) -> None:
    server.freeze()


async def thaw(server: RedisServer) -> None:
    server.thaw()


async def kill(server: RedisServer) -> None:
    await server.kill()


async def start(server: RedisServer) -> None:
    await server.start()


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_promise_is_broken_through_outages(
    server: RedisServer, replicas: list[Replica], log: OutageLog, seed: int
) -> None:
    """Turns, user turns, detours, failing upstreams and deployments, and faults of the store, in any order."""
    chance = random.Random(seed)
    keys = [SessionKey("", str(number)) for number in range(5)]

    async def work(replica: Replica) -> None:
        for _ in range(150):
            other = f"other/{chance.randint(1, 9)}" if chance.random() < 0.1 else None
            detours = other is None and chance.random() < 0.1
            leaves_for = f"d{chance.randint(1, 3)}" if chance.random() < 0.2 else None
            await replica.serve(
                chance.choice(keys),
                fails_over_to=other,
                detours=detours,
                leaves_for=None if detours else leaves_for,
                user_turn=f"u{chance.randint(1, 9)}" if chance.random() < 0.3 else None,
            )

    for begin, end in ((freeze, thaw), (kill, start), (freeze, thaw), (kill, start)):
        working = [asyncio.create_task(work(replica)) for replica in replicas for _ in range(4)]
        await asyncio.sleep(0)
        await begin(server)
        await asyncio.gather(*working)
        assert all(replica.is_cut_off for replica in replicas)
        await end(server)
        await log.until(lambda: not any(replica.is_cut_off for replica in replicas))
        await asyncio.gather(*(work(replica) for replica in replicas))
    assert [replica.ledger.violations for replica in replicas] == [0, 0]
    decisions = [await replica.serve(key) for key in keys for replica in replicas]
    assert [each.kind for each in decisions] == ["retain"] * 10
    for first, second in zip(decisions[::2], decisions[1::2], strict=True):
        assert (first.model, first.deployment) == (second.model, second.deployment)


async def test_a_pin_that_is_overwritten_in_place_breaks_a_promise(
    server: RedisServer, replicas: list[Replica]
) -> None:
    replica = replicas[0]
    await replica.serve(A)
    await replica.serve(A)
    assert replica.ledger.violations == 0
    session, _ = await replica.pinning.store.find(A)
    assert session is not None
    await server.tell("SET", encode_key(A), msgspec.json.encode(replace(session.pin, model=CLAUDE)))
    assert (await replica.serve(A)).header == "retain; reason=pinned"
    assert replica.ledger.violations == 1


async def test_a_memory_that_forgets_a_pin_untold_breaks_a_promise() -> None:
    store = MemorySessionStore(max_entries=100)
    replica = Replica("one", store)
    store.on_end = replica.ledger.forget
    await replica.serve(A)
    del store._served[A]
    await replica.serve(A)
    assert replica.ledger.violations == 1


async def test_a_memory_that_drops_a_pin_and_says_so_breaks_none() -> None:
    store = MemorySessionStore(max_entries=100)
    replica = Replica("one", store)
    store.on_end = replica.ledger.forget
    await replica.serve(A)
    await store.drop(A)
    await replica.serve(A)
    assert replica.ledger.violations == 0


async def test_a_replica_follows_anothers_move_without_breaking_a_promise(replicas: list[Replica]) -> None:
    one, two = replicas
    await one.serve(A)
    await two.serve(A)
    await two.serve(A, fails_over_to=GPT)
    assert (await one.serve(A)).model == GPT
    assert one.ledger.violations == 0


async def test_of_concurrent_moves_to_other_deployments_over_replicas_one_holds(server: RedisServer) -> None:
    """However long the machine takes for them; the model stays, and every caller is told."""
    keys = [SessionKey("", str(number)) for number in range(50)]
    async with start_two(server, timeout_seconds=30) as replicas:
        first = [await replicas[0].serve(key) for key in keys]
        turns = [
            replica.serve(key, leaves_for=f"{replica.name}-{number}")
            for key in keys
            for replica in replicas
            for number in range(4)
        ]
        told = await asyncio.gather(*turns)
        after = [[await replica.serve(key) for replica in replicas] for key in keys]
        pins = [await replica.pinning.store.find(key) for key in keys for replica in replicas[:1]]
    assert {each.header for each in told} == {"retain; reason=deployment; because=status 429"}
    for before, (here, there) in zip(first, after, strict=True):
        assert (here.model, here.header) == (before.model, "retain; reason=pinned")
        assert here.deployment == there.deployment != before.deployment
        assert here.model == there.model
    assert all(session is not None and session.pin.moves == 0 for session, _ in pins)
    assert [replica.ledger.violations for replica in replicas] == [0, 0]
