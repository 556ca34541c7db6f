"""Replicas of the router over a failover of their store's master: sessions keep their models."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from redis.crc import key_slot

from plano_agents.sessions.redis_encoding import encode_key
from plano_agents.sessions.shared import SharedSessionStore
from plano_agents.testing.session_store import in_use
from tests.faults.redis_groups import ClusterGroup, SentinelGroup, until
from tests.faults.redis_server import RedisServer, certify
from tests.sessions.conftest import CLAUDE, A, OutageLog, build_pin, share

P = build_pin()
MOVED = P.move(CLAUDE, "r", "upstream_failed", 2.0)


Way = Callable[[SentinelGroup, RedisServer], Awaitable[None]]


async def look(store: SharedSessionStore) -> tuple[object, bool]:
    with in_use(store, A):
        held = await store.get(A)
    return held.pin, held.degraded


async def begin(store: SharedSessionStore) -> None:
    """Pin the session, and move its pin, as its requests do."""
    await store.connect()
    with in_use(store, A):
        await store.get(A)
        await store.pin(A, P)
        await store.move(A, P, MOVED)


async def kill(group: SentinelGroup, old: RedisServer) -> None:
    await old.kill()


async def hand_over(group: SentinelGroup, old: RedisServer) -> None:
    await group.sentinels[0].tell("SENTINEL", "FAILOVER", "main")


@pytest.mark.parametrize("lost", ["nothing", "the pin"])
@pytest.mark.parametrize("way", [kill, hand_over])
async def test_a_session_keeps_its_model_where_its_replica_remembers_it(
    tmp_path: Path, log: OutageLog, way: Way, lost: str
) -> None:
    """A pin that the new master lacks is put back by the replica that knows it; another replica reads it there."""
    async with SentinelGroup(tmp_path) as group, share(group.url) as store, share(group.url) as other:
        await begin(store)
        old = await group.find_master()
        await way(group, old)
        await group.replace(old)
        if way is hand_over:  # until it is told, the old master takes writes
            await until(lambda: group.is_role(old, "slave"))
        new = await group.find_master()
        if lost == "the pin":
            await new.tell("DEL", encode_key(A))
        else:
            await until(lambda: new.tell("EXISTS", encode_key(A)))
        await until(lambda: is_whole(store))
        pin, degraded = await look(store)
        assert (getattr(pin, "model", None), getattr(pin, "moves", None), degraded) == (CLAUDE, 1, False)
        await other.connect()
        assert (await look(other))[0] == pin
        assert [*store.find_place().masters] == [f"127.0.0.1:{new.port}"]


async def is_whole(store: SharedSessionStore) -> bool:
    return store.find_place().answers and not (await look(store))[1]


async def test_a_server_that_is_a_replica_by_now_is_left_for_the_one_that_has_its_address(tmp_path: Path) -> None:
    """As where a name follows the master: the connection to the old one is not kept."""
    async with RedisServer(tmp_path / "0") as first, share(first.url, timeout_seconds=10) as store:
        await begin(store)
        async with RedisServer(tmp_path / "1") as second:
            await first.tell("REPLICAOF", "127.0.0.1", second.port)
            assert (await look(store)) == (MOVED, True)
            before = await first.tell("INFO", "stats")
            await first.tell("REPLICAOF", "NO", "ONE")
            await until(lambda: is_whole(store))
            after = await first.tell("INFO", "stats")
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert after["total_connections_received"] > before["total_connections_received"]


async def test_a_clusters_sessions_are_served_while_a_master_is_gone_and_shared_again_after_it(
    tmp_path: Path, log: OutageLog
) -> None:
    async with ClusterGroup(tmp_path) as group, share(group.url) as store:
        await begin(store)
        (slot,) = {first for first, last in group.SLOTS if first <= key_slot(encode_key(A)) <= last}
        old = await group.find_master(slot)
        await old.kill()
        assert (await look(store)) == (MOVED, True)
        await group.replace(old, slot)
        await until(lambda: is_whole(store))
        new = await group.find_master(slot)
        assert f"127.0.0.1:{new.port}" in store.find_place().masters
        assert f"127.0.0.1:{old.port}" not in store.find_place().masters
    assert len([line for line in log.lines if "does not answer" in line]) >= 1


async def test_the_master_that_sentinels_name_is_spoken_to_over_tls_before_and_after_a_failover(tmp_path: Path) -> None:
    async with SentinelGroup(tmp_path, tls=certify(tmp_path / "tls")) as group, share(group.url) as store:
        await begin(store)
        old = await group.find_master()
        await until(lambda: is_whole(store))
        await old.kill()
        await group.replace(old)

        async def is_at_the_new_one() -> bool:
            new = await group.find_master()
            found = await is_whole(store) and [*store.find_place().masters] == [f"127.0.0.1:{new.port}"]
            return found and await new.tell("EXISTS", encode_key(A)) == 1

        await until(is_at_the_new_one)


async def test_a_cluster_is_spoken_to_over_tls(tmp_path: Path) -> None:
    async with ClusterGroup(tmp_path, tls=certify(tmp_path / "tls")) as group, share(group.url) as store:
        await begin(store)
        await until(lambda: is_whole(store))
        master = await group.find_master(key_slot(encode_key(A)))
        assert await master.tell("EXISTS", encode_key(A)) == 1
        assert {f"127.0.0.1:{each.port}" for each in group.servers[:3]} == {*store.find_place().masters}


@pytest.mark.parametrize("kind", [SentinelGroup, ClusterGroup])
async def test_servers_of_an_unknown_authority_are_asked_nothing(
    tmp_path: Path, log: OutageLog, kind: type[SentinelGroup] | type[ClusterGroup]
) -> None:
    tls = certify(tmp_path / "tls")
    async with kind(tmp_path, tls=tls) as group, share(group.url.partition("?")[0], timeout_seconds=10) as store:
        assert (await look(store))[1]
        await log.reach(1)
        for master in await group.find_masters():
            assert await master.tell("DBSIZE") == 0
    assert "CERTIFICATE_VERIFY_FAILED" in log.lines[0]


async def test_a_cluster_that_announces_other_addresses_is_reached_by_those_that_the_url_names(
    tmp_path: Path, log: OutageLog
) -> None:
    """As behind NAT: nodes reach each other, and clients would be sent where nobody listens."""
    async with ClusterGroup(tmp_path) as group:
        for each in group.servers:
            await each.tell("CONFIG", "SET", "cluster-announce-hostname", "127.0.0.9")
            await each.tell("CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname")
        await group.agree_on("127.0.0.9")
        async with share(group.url) as store:
            assert (await look(store))[1]
            await log.reach(1)
        nat = ",".join(f"127.0.0.9:{each.port}=127.0.0.1:{each.port}" for each in group.servers)
        async with share(f"{group.url}?nat={nat}") as store:
            await begin(store)
            assert await look(store) == (MOVED, False)
            masters = [*store.find_place().masters]
    assert sorted(masters) == sorted(f"127.0.0.1:{each.port}" for each in group.servers[:3])
    assert re.search(r"127\.0\.0\.9:\d+: .+ announces this address, .+ add \?nat=announced=reachable", log.lines[0])


async def test_the_master_that_sentinels_name_is_reached_by_the_address_that_the_url_names(tmp_path: Path) -> None:
    async with SentinelGroup(tmp_path) as group, RedisServer(tmp_path / "reached") as reached:
        master = await group.find_master()
        async with share(f"{group.url}?nat=127.0.0.1:{master.port}=127.0.0.1:{reached.port}") as store:
            await begin(store)
        assert await reached.tell("EXISTS", encode_key(A)) == 1
