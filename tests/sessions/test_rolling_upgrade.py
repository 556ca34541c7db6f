"""Two releases on one Redis, as a rolling upgrade has them: each reads, and moves, the other's pins."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from plano_agents.sessions.pin import Pin
from plano_agents.sessions.redis import RedisPins
from plano_agents.sessions.redis_connection import RedisConnection
from plano_agents.sessions.redis_encoding import decode_pin, encode_key, encode_pin
from tests.faults.redis_server import RedisServer
from tests.sessions import release_before
from tests.sessions.conftest import CLAUDE, A, build_pin

KEY = encode_key(A)
P = build_pin()
DEPLOYED = build_pin(deployment="eu")
ELSEWHERE = DEPLOYED.move_deployment("us", 1.0, "status 429")
SWITCHED = ELSEWHERE.move(CLAUDE, "r", "upstream_failed", 2.0, "status 503", deployment="east")


@pytest.fixture
async def pins(server: RedisServer) -> AsyncIterator[RedisPins]:
    pins = RedisPins(RedisConnection(server.url, timeout_seconds=10))
    yield pins
    await pins.aclose()


async def move_by_release_before(server: RedisServer, old: release_before.Pin, new: release_before.Pin) -> object:
    value = msgspec.json.encode(new)
    return await server.tell(*("EVAL", release_before.MOVE, 1, KEY, old.lineage, old.moves, old.model, value, 600_000))


def test_pins_of_the_release_before_are_read() -> None:
    assert decode_pin(release_before.WRITTEN) == P
    moved = decode_pin(release_before.WRITTEN_MOVED)
    assert moved is not None
    assert (moved.model, moved.deployment, moved.moves) == (CLAUDE, None, 1)
    assert moved.is_at(P.move(CLAUDE, "r", "unsuitable", 1.0, "images"))


@pytest.mark.parametrize("pin", [P, DEPLOYED, ELSEWHERE, SWITCHED], ids=["plain", "deployed", "elsewhere", "switched"])
def test_the_release_before_reads_pins_with_deployments(pin: Pin) -> None:
    read = release_before.PIN.decode(encode_pin(pin))
    assert (read.model, read.route, read.reason, read.lineage) == (pin.model, pin.route, pin.reason, pin.lineage)
    assert (read.moves, [each.reason for each in read.switches]) == (pin.moves, [each.reason for each in pin.switches])


async def test_a_pin_of_the_release_before_moves_to_a_deployment(server: RedisServer, pins: RedisPins) -> None:
    await server.tell("SET", KEY, release_before.WRITTEN)
    there = P.move_deployment("eu", 1.0, None)
    assert await pins.move(A, P, there, 600) == there


async def test_the_release_before_moves_a_pin_that_has_a_deployment(server: RedisServer, pins: RedisPins) -> None:
    """A pin that it has moved knows of no deployment; the next request that this release serves names one."""
    await pins.pin(A, DEPLOYED, 600)
    read = release_before.PIN.decode(encode_pin(DEPLOYED))
    await move_by_release_before(server, read, read.move(CLAUDE, "r", "upstream_failed", 2.0, "status 503"))
    found = await pins.get(A, 600)
    assert found is not None
    assert (found.model, found.deployment, found.moves) == (CLAUDE, None, 1)
    named = found.move_deployment("eu", 3.0, None)
    assert await pins.move(A, found, named, 600) == named


async def test_the_release_before_knows_no_deployment_and_its_switch_stands_above_one(
    server: RedisServer, pins: RedisPins
) -> None:
    await pins.pin(A, DEPLOYED, 600)
    read = release_before.PIN.decode(encode_pin(DEPLOYED))
    assert await pins.move(A, DEPLOYED, ELSEWHERE, 600) == ELSEWHERE
    await move_by_release_before(server, read, read.move(CLAUDE, "r", "upstream_failed", 2.0))
    left = await pins.move(A, ELSEWHERE, ELSEWHERE.move_deployment("eu", 3.0, None), 600)
    assert left is not None
    assert (left.model, left.moves, left.deployment) == (CLAUDE, 1, None)


async def test_what_the_release_before_knew_before_a_switch_moves_nothing(server: RedisServer, pins: RedisPins) -> None:
    await pins.pin(A, DEPLOYED, 600)
    read = release_before.PIN.decode(encode_pin(DEPLOYED))
    assert await pins.move(A, DEPLOYED, ELSEWHERE, 600) == ELSEWHERE
    assert await pins.move(A, ELSEWHERE, SWITCHED, 600) == SWITCHED
    await move_by_release_before(server, read, read.move("openai/o3", "r", "upstream_failed", 3.0))
    assert await pins.get(A, 600) == SWITCHED
