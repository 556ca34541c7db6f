"""Pins in Redis beyond every store's promises: values that are not pins, idle times, and what is written when."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.redis import RedisPins, Renewal
from plano_agents.sessions.redis_commands import StoreFailedError
from plano_agents.sessions.redis_connection import RedisConnection
from plano_agents.sessions.redis_encoding import STORE_KEY, USAGE_PREFIX, encode_key
from plano_agents.sessions.store import Wanted
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import CLAUDE, A, B, build_pin

P, Q = build_pin(), build_pin(CLAUDE, lineage="2")
MOVED = P.move(CLAUDE, "r", "upstream_failed", 2.0)
KEY = encode_key(A)


@pytest.fixture
async def pins(server: RedisServer) -> AsyncIterator[RedisPins]:
    pins = RedisPins(RedisConnection(server.url), wall_clock=lambda: 5.0)
    yield pins
    await pins.aclose()


async def count_calls(server: RedisServer) -> dict[str, int]:
    """The number of calls of each command so far."""
    stats = await server.tell("INFO", "commandstats")
    assert isinstance(stats, dict)
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}


async def list_writes(server: RedisServer, before: dict[str, int]) -> set[str]:
    """The commands called since, without the test's own."""
    after = await count_calls(server)
    return {name for name in after if after[name] > before.get(name, 0)} - {"info", "client|setinfo"}


OTHER = msgspec.json.encode(build_pin(lineage="9"))
NO_PINS = {
    "nothing": b"",
    "no JSON": b"\xff\x00{",
    "cut short": OTHER[:-1],
    "another shape": b'{"model": "openai/gpt-4o"}',
    "another type of a field": OTHER.replace(b'"moves":0', b'"moves":"0"'),
    "an unknown reason": OTHER.replace(b"first_turn", b"last_turn"),
    "no object": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "huge": b"x" * 1_000_000,
}


@pytest.mark.parametrize("value", NO_PINS.values(), ids=NO_PINS.keys())
class TestWhatIsNoPin:
    async def test_counts_as_none(self, server: RedisServer, pins: RedisPins, value: bytes) -> None:
        await server.tell("SET", KEY, value)
        assert await pins.get(A, 600) is None
        assert await pins.find([A], lambda _: 0) == []

    async def test_is_replaced_by_the_next_pin(self, server: RedisServer, pins: RedisPins, value: bytes) -> None:
        await server.tell("SET", KEY, value)
        assert await pins.pin(A, P, 600) == P
        assert await pins.get(A, 600) == P

    async def test_is_not_moved(self, server: RedisServer, pins: RedisPins, value: bytes) -> None:
        await server.tell("SET", KEY, value)
        assert await pins.move(A, P, MOVED, 600) is None

    async def test_is_dropped_as_none(self, server: RedisServer, pins: RedisPins, value: bytes) -> None:
        await server.tell("SET", KEY, value)
        assert not await pins.drop(A)
        assert await server.tell("EXISTS", KEY) == 0


@pytest.mark.parametrize("write", [("RPUSH", KEY, "a"), ("HSET", KEY, "a", "b"), ("SADD", KEY, "a")])
async def test_a_value_of_another_type_counts_as_none_and_is_replaced(
    server: RedisServer, pins: RedisPins, write: tuple[str | bytes, ...]
) -> None:
    await server.tell(*write)
    assert await pins.get(A, 600) is None
    assert await pins.move(A, P, MOVED, 600) is None
    assert await pins.pin(A, P, 600) == P
    await server.tell("DEL", KEY)
    await server.tell(*write)
    assert not await pins.drop(A)
    assert await server.tell("EXISTS", KEY) == 0


async def test_of_many_who_replace_what_is_no_pin_one_holds_for_all(server: RedisServer, pins: RedisPins) -> None:
    others = [RedisPins(RedisConnection(server.url)) for _ in range(8)]
    for attempt in range(20):
        await server.tell("SET", KEY, b"no pin %d" % attempt)
        held = await asyncio.gather(
            *(other.pin(A, build_pin(lineage=str(number)), 600) for number, other in enumerate(others))
        )
        assert len({pin.lineage for pin in held}) == 1
        assert await pins.get(A, 600) == held[0]
    for other in others:
        await other.aclose()


async def test_a_pin_expires_after_its_idle_time(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, P, 600)
    await pins.pin(B, Q, 60)
    assert await left(server, KEY) == pytest.approx(600, abs=5)
    assert await left(server, encode_key(B)) == pytest.approx(60, abs=5)


async def left(server: RedisServer, key: bytes | str) -> float:
    """The remaining lifetime of a key, in seconds."""
    milliseconds = await server.tell("PTTL", key)
    assert isinstance(milliseconds, int)
    return milliseconds / 1000


@pytest.mark.parametrize("use", ["get", "move", "renew"])
async def test_every_use_renews_a_pin(server: RedisServer, pins: RedisPins, use: str) -> None:
    await pins.pin(A, P, 600)
    await server.tell("PEXPIRE", KEY, 5_000)
    match use:
        case "get":
            await pins.get(A, 600)
        case "move":
            await pins.move(A, P, MOVED, 600)
        case _:
            await pins.renew([Renewal(A, 600, P.lineage)])
    assert await left(server, KEY) == pytest.approx(600, abs=5)


async def test_explaining_renews_nothing(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, P, 600)
    await server.tell("PEXPIRE", KEY, 5_000)
    await pins.find([A], lambda _: 0)
    assert await left(server, KEY) <= 5


async def test_a_renewal_does_not_rewrite_the_pin(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, P, 600)
    value, before = await server.tell("GET", KEY), await count_calls(server)
    await pins.renew([Renewal(A, 600, P.lineage)])
    assert await list_writes(server, before) == {"pexpire"}
    assert await server.tell("GET", KEY) == value


async def test_reading_writes_by_one_command_and_so_does_pinning(server: RedisServer, pins: RedisPins) -> None:
    before = await count_calls(server)
    await pins.pin(A, P, 600)
    assert await list_writes(server, before) == {"set"}
    before = await count_calls(server)
    await pins.get(A, 600)
    assert await list_writes(server, before) - {"get"} == {"getex"}


async def test_a_late_renewal_brings_back_nothing(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, P, 600)
    await pins.drop(A)
    await pins.renew([Renewal(A, 600, P.lineage, turns=1)])
    assert await pins.get(A, 600) is None


async def test_a_late_renewal_of_an_old_pin_leaves_the_new_one(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, P, 600)
    await pins.drop(A)
    await pins.pin(A, Q, 600)
    await pins.renew([Renewal(A, 600, P.lineage, turns=1, tokens=Tokens(9, 9, 9))])
    (session,) = await pins.find([A], lambda _: 0)
    assert (session.pin, session.turns, session.tokens) == (Q, 0, Tokens())


async def test_what_a_pin_has_done_is_kept_for_longer_than_the_pin(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, P, 600)
    await pins.renew([Renewal(A, 600, P.lineage, turns=1)])
    usage = USAGE_PREFIX + P.lineage
    assert await left(server, usage) == pytest.approx(1_200, abs=5)
    await server.tell("PEXPIRE", usage, 5_000)
    await pins.renew([Renewal(A, 600, P.lineage)])
    assert await left(server, usage) == pytest.approx(1_200, abs=5)


@pytest.mark.parametrize(
    "write",
    [("SET", "no hash"), ("HSET", "turns", "x"), ("HSET", "input", "1.5"), ("HSET", "last_used", "now")],
)
async def test_counts_that_are_none_harm_nothing_else(
    server: RedisServer, pins: RedisPins, write: tuple[str, ...]
) -> None:
    await pins.pin(A, P, 600)
    await server.tell(write[0], USAGE_PREFIX + P.lineage, *write[1:])
    await pins.renew([Renewal(A, 600, P.lineage, turns=1, tokens=Tokens(1, 2, 3))])
    (session,) = await pins.find([A], lambda _: 0)
    assert session.pin == P


async def test_all_clients_read_the_same_mark(server: RedisServer, pins: RedisPins) -> None:
    other = RedisPins(RedisConnection(server.url))
    mark = await pins.identify(b"0123456789abcdef")
    assert mark.salt == b"0123456789abcdef"
    assert await other.identify(b"another-salt-16b") == mark == await pins.identify(b"another-salt-16b")
    await other.aclose()


async def test_a_store_that_lost_its_data_bears_another_mark_with_the_salt_it_is_given(
    server: RedisServer, pins: RedisPins
) -> None:
    mark = await pins.identify(b"0123456789abcdef")
    await server.tell("FLUSHALL")
    again = await pins.identify(mark.salt)
    assert again.salt == mark.salt
    assert again.life != mark.life


@pytest.mark.parametrize("write", [("SET", STORE_KEY, "short"), ("RPUSH", STORE_KEY, "a")])
async def test_a_mark_that_is_none_is_replaced(server: RedisServer, pins: RedisPins, write: tuple[str, ...]) -> None:
    await server.tell(*write)
    mark = await pins.identify(b"0123456789abcdef")
    assert mark.salt == b"0123456789abcdef"
    assert await pins.identify(b"another-salt-16b") == mark


@pytest.mark.parametrize("command", ["set", "getex", "eval", "pexpire", "hincrby"])
async def test_a_probe_fails_where_a_right_is_missing(server: RedisServer, pins: RedisPins, command: str) -> None:
    await pins.probe()
    await server.tell("ACL", "SETUSER", "default", f"-{command}")
    with pytest.raises(StoreFailedError, match=command):
        await pins.probe()


async def test_a_probe_leaves_no_session(server: RedisServer, pins: RedisPins) -> None:
    await pins.probe()
    assert await server.tell("KEYS", "plano:affinity:*") == []
    ttl = await server.tell("PTTL", USAGE_PREFIX + "probe")
    assert isinstance(ttl, int)
    assert 0 < ttl <= 1_000


async def test_what_others_keep_in_the_same_redis_is_no_session(server: RedisServer, pins: RedisPins) -> None:
    for name in (
        "plano:affinity:",
        "plano:affinity:x",
        "plano:affinity:9:a:b",
        "plano:affinity:" + "9" * 5_000,
    ):
        await server.tell("SET", name, msgspec.json.encode(P))
    await pins.pin(A, P, 600)
    page = await pins.scan(Wanted(), limit=10, cursor=None, in_flight=lambda _: 0)
    assert [session.key for session in page.sessions] == [A]
