"""Faults of the shared store: no request gets an error, the answer says so, and the store comes back by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from plano_agents.sessions.decide import Route
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.outage import PROBE_SECONDS
from plano_agents.sessions.pin import Decision, SessionKey
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.sessions.shared import SharedSessionStore
from plano_agents.testing.session_store import in_use
from tests.faults.redis_script import answer_by
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import CLAUDE, GPT, A, Alarm, B, C, OutageLog, probe_until, share

PASSWORD = "pass-word"

Step = Callable[[RedisServer], Awaitable[object]]


async def kill(server: RedisServer) -> None:
    await server.kill()


async def start(server: RedisServer) -> None:
    await server.start()


async def freeze(server: RedisServer) -> None:
    server.freeze()


async def thaw(server: RedisServer) -> None:
    server.thaw()


async def want_password(server: RedisServer) -> None:
    await server.tell("CONFIG", "SET", "requirepass", PASSWORD)
    await server.tell("CLIENT", "KILL", "TYPE", "normal", password=PASSWORD)


async def want_no_password(server: RedisServer) -> None:
    await server.tell("CONFIG", "SET", "requirepass", "", password=PASSWORD)


def tell(*command: str) -> Step:
    return lambda server: server.tell(*command)


class Fault(NamedTuple):
    """A fault of a store."""

    begin: Step
    end: Step


FAULTS = {
    "killed": Fault(kill, start),
    "frozen": Fault(freeze, thaw),
    "read-only": Fault(tell("REPLICAOF", "127.0.0.1", "1"), tell("REPLICAOF", "NO", "ONE")),
    "out of memory": Fault(tell("CONFIG", "SET", "maxmemory", "1"), tell("CONFIG", "SET", "maxmemory", "0")),
    "wants a password": Fault(want_password, want_no_password),
    "forbids to read": Fault(
        tell("ACL", "SETUSER", "default", "-getex"),
        tell("ACL", "SETUSER", "default", "+getex"),
    ),
    "forbids to write": Fault(
        tell("ACL", "SETUSER", "default", "-set"),
        tell("ACL", "SETUSER", "default", "+set"),
    ),
    "forbids our keys": Fault(
        tell("ACL", "SETUSER", "default", "resetkeys", "~other:*"),
        tell("ACL", "SETUSER", "default", "allkeys"),
    ),
}

faults = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())


@pytest.fixture
async def alarm() -> Alarm:
    return Alarm()


@pytest.fixture
async def store(server: RedisServer, alarm: Alarm) -> AsyncIterator[SharedSessionStore]:
    async with share(server.url, sleep=alarm) as store:
        yield store


@pytest.fixture
def pinning(store: SharedSessionStore) -> Pinning:
    return Pinning(store, Ledger(max_entries=100, is_shared=True))


async def decide(pinning: Pinning, key: SessionKey, model: str = GPT) -> Decision:
    with closing(pinning.turn(key, 600).open()) as turn:
        decision = await turn.decide(hint=None, find_model=str, route=lambda: asyncio.sleep(0, Route(model, "r")))
        turn.note_dispatch(decision.model)
        return decision


@faults
async def test_no_request_gets_an_error_and_the_decision_says_what_it_was_made_without(
    server: RedisServer, pinning: Pinning, fault: Fault
) -> None:
    await decide(pinning, A)
    await fault.begin(server)
    assert (await decide(pinning, B)).header == "initialize; reason=first_turn; degraded=store"
    assert (await decide(pinning, A, CLAUDE)).header == "retain; reason=pinned; degraded=store"
    assert (await decide(pinning, B, CLAUDE)).header == "retain; reason=pinned; degraded=store"
    assert pinning.ledger.violations == 0


async def test_a_response_leads_to_its_session_on_its_own_replica_while_the_store_is_out(
    server: RedisServer, pinning: Pinning, log: OutageLog
) -> None:
    server.freeze()
    with closing(pinning.turn(A, 600).open()) as turn:
        await turn.note_response("resp_1")
    assert await pinning.store.find_maker(ResponseKey("", "resp_1")) == Maker(A.affinity_id, 600, None)
    assert await pinning.store.find_maker(ResponseKey("", "resp_2")) is None
    assert len(log.lines) == 1


@faults
async def test_it_stays_out_while_the_fault_lasts_and_comes_back_after_it(
    server: RedisServer, pinning: Pinning, alarm: Alarm, log: OutageLog, fault: Fault
) -> None:
    await decide(pinning, A)
    await fault.begin(server)
    await decide(pinning, B)
    for _ in range(2):
        await alarm.ring(PROBE_SECONDS)
        await alarm.reach(PROBE_SECONDS)  # the probe failed
    assert (await decide(pinning, C)).degraded == ("store",)
    await fault.end(server)
    await probe_until(log, 2, alarm)
    for key in (A, B, C):
        assert (await decide(pinning, key, CLAUDE)).header == "retain; reason=pinned"
    assert pinning.ledger.violations == 0


@faults
async def test_each_change_is_one_line_of_the_log_without_a_secret(
    server: RedisServer, pinning: Pinning, alarm: Alarm, log: OutageLog, fault: Fault
) -> None:
    await decide(pinning, A)
    await fault.begin(server)
    for number in range(20):
        await decide(pinning, SessionKey("tenant-of-mine", f"id-of-mine-{number}"))
    await fault.end(server)
    await probe_until(log, 2, alarm)
    await decide(pinning, A)
    assert [f"127.0.0.1:{server.port} does not answer (" in line for line in log.lines] == [True, False]
    assert log.lines[1].endswith("answers again: pins are shared")
    assert not [line for line in log.lines if PASSWORD in line or "of-mine" in line]


async def test_a_frozen_store_costs_a_request_its_timeout_once(server: RedisServer, pinning: Pinning) -> None:
    loop = asyncio.get_running_loop()
    await decide(pinning, A)
    server.freeze()
    began = loop.time()
    for number in range(100):
        await decide(pinning, SessionKey("", str(number)))
    assert 0.25 <= loop.time() - began < 2


async def test_a_frozen_store_costs_concurrent_requests_its_timeout_once(server: RedisServer, pinning: Pinning) -> None:
    loop = asyncio.get_running_loop()
    await decide(pinning, A)
    server.freeze()
    began = loop.time()
    await asyncio.gather(*(decide(pinning, SessionKey("", str(number))) for number in range(100)))
    assert loop.time() - began < 2


async def test_a_frozen_store_costs_a_request_of_an_implicit_session_its_timeout_once(
    server: RedisServer, store: SharedSessionStore
) -> None:
    server.freeze()
    await store.salt()
    with in_use(store, A), pytest.raises(StopIteration):  # it comes to its end without having waited
        store.get(A).send(None)


async def test_a_store_comes_back_by_itself_within_two_seconds(server: RedisServer, log: OutageLog) -> None:
    """The one test of it in real time."""
    loop = asyncio.get_running_loop()
    async with share(server.url) as store:
        pinning = Pinning(store, Ledger(max_entries=100, is_shared=True))
        server.freeze()
        await decide(pinning, A)
        server.thaw()
        began = loop.time()
        await log.reach(2)
        assert loop.time() - began < 2
        assert (await decide(pinning, A)).header == "retain; reason=pinned"


async def test_a_store_that_is_down_at_the_start_is_shared_once_it_is_there(
    tmp_path: Path, alarm: Alarm, log: OutageLog
) -> None:
    server = RedisServer(tmp_path)
    async with share(server.url, sleep=alarm) as store:
        pinning = Pinning(store, Ledger(max_entries=100, is_shared=True))
        salt = await store.salt()
        assert (await decide(pinning, A)).header == "initialize; reason=first_turn; degraded=store"
        async with server:
            await probe_until(log, 2, alarm)
            assert (await decide(pinning, A, CLAUDE)).header == "retain; reason=pinned"
            assert await store.salt() == salt
            async with share(server.url) as other:
                replica = Pinning(other, Ledger(max_entries=100, is_shared=True))
                assert (await decide(replica, A, CLAUDE)).header == "retain; reason=pinned"
                assert await other.salt() == salt


@pytest.mark.parametrize("credentials", ["default:wrong-one@", "nobody:wrong-one@", ""])
async def test_wrong_credentials_are_told_without_them(tmp_path: Path, log: OutageLog, credentials: str) -> None:
    async with (
        RedisServer(tmp_path, "--requirepass", PASSWORD) as server,
        share(server.url.replace("//", f"//{credentials}"), sleep=Alarm()) as store,
    ):
        pinning = Pinning(store, Ledger(max_entries=100, is_shared=True))
        assert (await decide(pinning, A)).degraded == ("store",)
    assert len(log.lines) == 1
    assert not [secret for secret in (PASSWORD, "wrong-one") if secret in log.lines[0]]


async def test_an_old_server_is_told_to_be_too_old_once(log: OutageLog) -> None:
    """The answer of Redis 6.2."""

    def answer(command: list[bytes]) -> bytes:
        return b"-ERR syntax error\r\n" if command[0] == b"SET" else b"$-1\r\n"

    alarm = Alarm()
    async with answer_by(answer) as url, share(url, sleep=alarm) as store:
        pinning = Pinning(store, Ledger(max_entries=100, is_shared=True))
        assert (await decide(pinning, A)).degraded == ("store",)
        await alarm.ring(PROBE_SECONDS)
        await alarm.reach(PROBE_SECONDS)
        assert len(log.lines) == 1
        assert "Redis 7.0 or newer is needed" in log.lines[0]


async def test_closing_in_an_outage_takes_no_time(server: RedisServer) -> None:
    loop = asyncio.get_running_loop()
    async with share(server.url) as store:
        pinning = Pinning(store, Ledger(max_entries=100, is_shared=True))
        await decide(pinning, A)
        server.freeze()
        await decide(pinning, B)
        began = loop.time()
    assert loop.time() - began < 2
