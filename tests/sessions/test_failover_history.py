"""Pins over the failover of a master, on real Sentinels and a real Cluster, of Redis and of Valkey.

Clients work as in ``test_redis_history`` while the master is killed, frozen, or told to hand over, or while the slot
that a pin stands in moves to another master. What a failover permits beside a single pin's history is this and no more:
a key has a value again that it had since all was last known to have reached the replicas. A slot that moves permits
nothing. Clients go on when a frozen master knows that it is none any more: before, it takes what nobody will ever see.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.crc import key_slot

from plano_agents.config.store_url import parse_store_url
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_cluster import build_connection
from plano_agents.sessions.redis_encoding import encode_key
from tests.faults.redis_groups import ClusterGroup, SentinelGroup, until
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import A, B, build_pin
from tests.sessions.history import CLIENTS, STEPS, Failover, Get, History, Reach, Step, Write
from tests.sessions.linearizability import Operation

TIMEOUT_SECONDS = 0.2
PROGRAMS = ("redis-server", "valkey-server")
SLOT = key_slot(encode_key(A))

Way = Callable[[RedisServer], Awaitable[None]]


@asynccontextmanager
async def work(url: str, history: History) -> AsyncIterator[None]:
    """Let clients work; the context's end waits for theirs."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(CLIENTS):
            clients.append(RedisPins(build_connection(parse_store_url(url), timeout_seconds=TIMEOUT_SECONDS)))
            stack.push_async_callback(clients[-1].aclose)
        working = asyncio.create_task(history.run(clients))
        yield
        await working


async def kill(master: RedisServer) -> None:
    await master.kill()


async def freeze(master: RedisServer) -> None:
    master.freeze()


async def reach_replicas(master: RedisServer, replicas: int, history: History, keys: list[SessionKey]) -> None:
    """See that all that was written by now has reached the replicas; clients wait meanwhile."""
    with history.held():
        began = history.now()
        async with master.client() as client:
            await client.set(f"written-last:{{{encode_key(A).decode()}}}", "1")
            assert await client.wait(replicas, 0) == replicas
        history.note(Reach(), began, keys)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("way", [kill, freeze, None])
async def test_sentinels_lose_what_had_not_reached_a_replica_and_nothing_more(
    tmp_path: Path, program: str, way: Way | None
) -> None:
    """None: an operator has the Sentinels hand over."""
    history = History(1)
    async with SentinelGroup(tmp_path, program=program) as group:
        old = await group.find_master()

        async def hand_over(_: RedisServer) -> None:
            await group.sentinels[0].tell("SENTINEL", "FAILOVER", "main")

        async with work(group.url, history):
            await history.reach(lambda: history.count["begun"] >= CLIENTS * STEPS // 4)
            await reach_replicas(old, 2, history, [A, B])
            await history.reach(lambda: history.count["begun"] >= CLIENTS * STEPS // 2)
            history.pause()
            began = history.now()
            await (way or hand_over)(old)
            await group.replace(old)
            if way is freeze:
                old.thaw()
                await until(lambda: group.is_role(old, "slave"))
            history.note(Failover(), began)
            history.resume()
    assert history.is_linearizable()
    assert history.count["failed"] > 0 or way is None


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("way", [kill, freeze])
async def test_a_cluster_loses_what_had_not_reached_a_replica_and_nothing_more(
    tmp_path: Path, program: str, way: Way
) -> None:
    history = History(2)
    async with ClusterGroup(tmp_path, program=program) as group:
        old = await group.find_master(SLOT)
        keys = [key for key in (A, B) if await group.find_master(key_slot(encode_key(key))) is old]
        async with work(group.url, history):
            await history.reach(lambda: history.count["begun"] >= CLIENTS * STEPS // 4)
            await reach_replicas(old, 1, history, keys)
            await history.reach(lambda: history.count["begun"] >= CLIENTS * STEPS // 2)
            history.pause()
            began = history.now()
            await way(old)
            await group.replace(old, SLOT)
            if way is freeze:
                old.thaw()
                assert await group.find_master(SLOT) is not old
            history.note(Failover(), began, keys)
            history.resume()
    assert history.is_linearizable()
    assert history.count["failed"] > 0


@pytest.mark.parametrize("program", PROGRAMS)
async def test_while_a_slot_moves_to_another_master_pins_are_linearizable(tmp_path: Path, program: str) -> None:
    """Some answers are ASK while it is on its way, and MOVED when it has arrived."""
    history = History(3)
    async with ClusterGroup(tmp_path, program=program) as group, work(group.url, history):
        while not history.is_over:
            begun = history.count["begun"]
            source, target = await group.move_slot(SLOT)
            await history.reach(lambda: history.count["begun"] >= begun + CLIENTS)  # noqa: B023 - awaited here
            await group.move_keys(SLOT, source, target)
            await group.end_move(SLOT, target)
    assert history.is_linearizable()
    assert history.count["failed"] == 0


P, Q = build_pin("m/1"), build_pin("m/2", lineage="2")


@pytest.mark.parametrize(
    "steps",
    [
        [Write(P, P), Reach(), Failover(), Get(None)],
        [Write(P, P), Failover(), Get(Q)],
        [Write(P, P), Failover(), Get(None), Get(P)],
    ],
    ids=lambda steps: ", ".join(type(step).__name__ for step in steps),
)
def test_what_no_failover_may_do_is_found(steps: list[Step]) -> None:
    assert not _happens(steps)


@pytest.mark.parametrize(
    "steps",
    [
        [Write(P, P), Failover(), Get(None)],
        [Write(P, P), Failover(), Get(P)],
        [Write(P, P), Reach(), Failover(), Get(P)],
    ],
    ids=lambda steps: ", ".join(type(step).__name__ for step in steps),
)
def test_what_a_failover_may_do_is_allowed(steps: list[Step]) -> None:
    assert _happens(steps)


def _happens(steps: list[Step]) -> bool:
    history = History(0)
    for step in steps:
        history.operations[A].append(Operation((step, True), history.now(), history.now()))
    return history.is_linearizable()
