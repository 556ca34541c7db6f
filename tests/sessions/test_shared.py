"""Pins that replicas share: what each learns from the others, and what an outage leaves behind."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace

import pytest

from plano_agents.errors import StoreUnavailableError
from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.pin import Pin, SessionKey
from plano_agents.sessions.redis_commands import Command, Reply
from plano_agents.sessions.redis_encoding import USAGE_PREFIX, encode_key
from plano_agents.sessions.renewer import RENEWALS_PER_LIFE, WRITE_SECONDS
from plano_agents.sessions.shared import SharedSessionStore
from plano_agents.sessions.store import Held, Wanted
from plano_agents.testing.session_store import in_use, use
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import (
    CLAUDE,
    GPT,
    TTL,
    A,
    Alarm,
    B,
    Clock,
    OutageLog,
    build_pin,
    probe_until,
    share,
)

P, Q = build_pin(), build_pin(CLAUDE, lineage="2", route=None)
MOVED = P.move(CLAUDE, "r", "upstream_failed", 2.0)
DEPLOYED = build_pin(deployment="eu")
BEAT_SECONDS = TTL / RENEWALS_PER_LIFE


class Replicas:
    """Two replicas' stores on one server; time passes when told to."""

    def __init__(
        self, server: RedisServer, alarm: Alarm, clock: Clock, log: OutageLog, *stores: SharedSessionStore
    ) -> None:
        self.server = server
        self.alarm = alarm
        self.clock = clock
        self.log = log
        self.here, self.there = stores

    async def break_off(self, *, data_is_lost: bool = False) -> None:
        """Let the server not be reached; both notice."""
        if data_is_lost:
            await self.server.tell("FLUSHALL")
        self.server.freeze()
        lines = len(self.log.lines)
        for store in (self.here, self.there):
            with in_use(store, B):
                assert (await store.get(B)).degraded
        assert len(self.log.lines) == lines + 2

    async def come_back(self) -> None:
        """Let it be reached again; both notice."""
        self.server.thaw()
        await probe_until(self.log, len(self.log.lines) + 2, self.alarm)


@pytest.fixture
async def replicas(server: RedisServer, log: OutageLog) -> AsyncIterator[Replicas]:
    alarm, clock = Alarm(), Clock()
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(share(server.url, sleep=alarm, clock=clock)) for _ in range(2)]
        yield Replicas(server, alarm, clock, log, *stores)


@contextmanager
def counted(store: SharedSessionStore) -> Iterator[list[str]]:
    """Name the commands that a store sends."""
    connection, names = store._pins._connection, list[str]()
    ask = connection.call_many

    async def call_many(commands: Sequence[Command]) -> list[Reply]:
        names.extend(str(command[0]) for command in commands)
        return await ask(commands)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "call_many", call_many)
        yield names


async def move(store: SharedSessionStore, key: SessionKey, old: Pin, new: Pin) -> Pin | None:
    """Take a turn that moves the pin; give the one that holds then."""
    with in_use(store, key):
        return (await store.move(key, old, new)).pin


async def in_outage(
    store: SharedSessionStore, key: SessionKey, pin: Pin | None = None, *, move: Pin | None = None
) -> Pin | None:
    """Take a turn without the store."""
    with in_use(store, key, turn=Tokens()):
        held = await (store.pin(key, pin) if pin is not None else store.get(key))
        if move is not None and held.pin is not None:
            held = await store.move(key, held.pin, move)
        assert held.degraded
        return held.pin


class TestWhileTheStoreAnswers:
    async def test_a_replica_finds_what_the_other_pinned(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        assert await use(replicas.there, A) == P
        assert await use(replicas.there, A, Q) == P

    async def test_a_replica_follows_the_others_move(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await use(replicas.there, A)
        with in_use(replicas.there, A):
            await replicas.there.move(A, P, MOVED)
        assert await use(replicas.here, A) == MOVED

    async def test_a_pin_that_the_other_dropped_is_gone(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.there.drop(A)
        assert await use(replicas.here, A) is None

    async def test_a_pin_that_expired_is_gone(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.server.tell("DEL", encode_key(A))
        assert await use(replicas.here, A) is None

    async def test_replicas_salt_alike(self, replicas: Replicas) -> None:
        assert await replicas.here.salt() == await replicas.there.salt()

    async def test_a_session_at_rest_lives_on_for_its_idle_time(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P, ttl_seconds=60)
        await replicas.server.tell("PEXPIRE", encode_key(A), 5_000)
        await replicas.alarm.ring(WRITE_SECONDS)
        await replicas.here.find(A)  # whatever was asked before is answered
        assert await self._left(replicas, encode_key(A)) == pytest.approx(60, abs=5)

    async def test_turns_that_end_together_ask_for_the_pin_each_and_are_written_once(self, replicas: Replicas) -> None:
        spent = Tokens(100, 7, 64, 9)
        await use(replicas.here, A, P)
        await replicas.here.find(A)
        with counted(replicas.here) as commands:
            for _ in range(3):
                await use(replicas.here, A, turn=spent)
            await replicas.alarm.ring(WRITE_SECONDS)
            session, _ = await replicas.here.find(A)
        assert commands[:6] == ["GET", "GETEX"] * 3
        assert commands[6:8] == ["PEXPIRE", "EVAL"]
        assert session is not None
        assert (session.turns, session.tokens) == (3, Tokens(300, 21, 192, 27))

    async def test_what_is_counted_where_somebody_else_wrote_is_lost_alone(self, replicas: Replicas) -> None:
        usage = USAGE_PREFIX + P.lineage
        await use(replicas.here, A, P)
        await replicas.server.tell("HSET", usage, "turns", "many")
        await use(replicas.here, A, turn=Tokens(100, 7))
        session, degraded = await replicas.here.find(A)
        assert session is not None
        assert not degraded
        assert (session.turns, session.tokens) == (0, Tokens(100, 7))

    async def test_a_session_in_flight_lives_on_for_as_long_as_it_runs(self, replicas: Replicas) -> None:
        with in_use(replicas.here, A, turn=Tokens(1, 2, 3)):
            await replicas.here.pin(A, P)
            for _ in range(5):
                await replicas.server.tell("PEXPIRE", encode_key(A), 5_000)
                await replicas.alarm.ring(BEAT_SECONDS)
                await replicas.here.find(A)
                assert await self._left(replicas, encode_key(A)) == pytest.approx(TTL, abs=5)

    async def test_what_a_long_session_has_done_is_kept_while_it_runs(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P, turn=Tokens(1, 2, 3))
        await replicas.here.find(A)
        with in_use(replicas.here, A, turn=Tokens(1, 2, 3)):
            await replicas.here.get(A)
            await replicas.server.tell("PEXPIRE", USAGE_PREFIX + P.lineage, 5_000)
            await replicas.alarm.ring(BEAT_SECONDS)
            await replicas.here.find(A)
            assert await self._left(replicas, USAGE_PREFIX + P.lineage) > TTL

    async def test_turns_of_all_replicas_are_counted(self, replicas: Replicas) -> None:
        for store in (replicas.here, replicas.there, replicas.here):
            await use(store, A, P, turn=Tokens(1, 2, 3))
            await store.find(A)
        session, degraded = await replicas.there.find(A)
        assert session is not None
        assert (session.turns, session.tokens, degraded) == (3, Tokens(3, 6, 9), False)

    async def _left(self, replicas: Replicas, key: bytes | str) -> float:
        milliseconds = await replicas.server.tell("PTTL", key)
        assert isinstance(milliseconds, int)
        return milliseconds / 1000


class TestInAnOutage:
    async def test_a_replica_goes_on_by_what_it_remembers(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.break_off()
        assert await in_outage(replicas.here, A) == P
        assert await in_outage(replicas.there, A) is None

    async def test_a_known_outage_costs_a_request_nothing(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.break_off()
        with in_use(replicas.here, A):
            for coroutine in (
                replicas.here.get(A),
                replicas.here.pin(A, Q),
                replicas.here.move(A, P, MOVED),
                replicas.here.salt(),
            ):
                with pytest.raises(StopIteration):  # it comes to its end without having waited
                    coroutine.send(None)

    async def test_first_decisions_hold(self, replicas: Replicas) -> None:
        await replicas.break_off()
        assert await in_outage(replicas.here, A, P) == P
        assert await in_outage(replicas.here, A, Q) == P

    async def test_nothing_is_dropped_and_that_is_said(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.break_off()
        with pytest.raises(StoreUnavailableError, match="Try again"):
            await replicas.here.drop(A)
        assert await in_outage(replicas.here, A) == P

    async def test_sessions_are_explained_by_what_the_replica_knows(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.break_off()
        session, degraded = await replicas.here.find(A)
        assert session is not None
        assert (session.pin, degraded) == (P, True)
        assert await replicas.there.find(A) == (None, True)
        page = await replicas.here.scan(Wanted(), limit=10, cursor=None)
        assert ([each.key for each in page.sessions], page.degraded) == ([A], True)

    async def test_the_salt_stays_the_same(self, replicas: Replicas) -> None:
        salt = await replicas.here.salt()
        await replicas.break_off()
        assert await replicas.here.salt() == salt

    async def test_nothing_is_collected_to_be_written_later(self, replicas: Replicas) -> None:
        with in_use(replicas.here, A):
            await replicas.here.pin(A, P)
            await replicas.break_off()
            for _ in range(3):
                await replicas.alarm.ring(BEAT_SECONDS)
                await replicas.alarm.ring(WRITE_SECONDS)
            assert replicas.here._renewer._waiting == {}


class TestAfterAnOutage:
    async def test_a_pin_made_in_it_is_shared(self, replicas: Replicas) -> None:
        await replicas.break_off()
        await in_outage(replicas.here, A, P)
        await replicas.come_back()
        assert await use(replicas.here, A) == P
        assert await use(replicas.there, A) == P

    async def test_a_move_made_in_it_is_shared(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await use(replicas.there, A)
        await replicas.break_off()
        assert await in_outage(replicas.here, A, move=MOVED) == MOVED
        await replicas.come_back()
        assert await use(replicas.here, A) == MOVED
        assert await use(replicas.there, A) == MOVED

    async def test_of_two_moves_made_in_it_one_holds_for_both(self, replicas: Replicas) -> None:
        other = P.move("openai/o3", "r", "unsuitable", 3.0)
        await use(replicas.here, A, P)
        await use(replicas.there, A)
        await replicas.break_off()
        await in_outage(replicas.here, A, move=MOVED)
        await in_outage(replicas.there, A, move=other)
        await replicas.come_back()
        assert await use(replicas.there, A) == other
        assert await use(replicas.here, A) == other

    async def test_a_move_to_another_deployment_made_in_it_is_shared(self, replicas: Replicas) -> None:
        there = DEPLOYED.move_deployment("us", 2.0, "status 429")
        await use(replicas.here, A, DEPLOYED)
        await use(replicas.there, A)
        await replicas.break_off()
        assert await in_outage(replicas.here, A, move=there) == there
        await replicas.come_back()
        assert await use(replicas.here, A) == there
        assert await use(replicas.there, A) == there

    async def test_of_two_moves_to_deployments_made_in_it_one_holds_for_both(self, replicas: Replicas) -> None:
        there, elsewhere = (DEPLOYED.move_deployment(name, 2.0, None) for name in ("us", "asia"))
        await use(replicas.here, A, DEPLOYED)
        await use(replicas.there, A)
        await replicas.break_off()
        await in_outage(replicas.here, A, move=there)
        await in_outage(replicas.there, A, move=elsewhere)
        await replicas.come_back()
        assert await use(replicas.there, A) == elsewhere
        assert await use(replicas.here, A) == elsewhere

    async def test_however_often_it_was_moved_here_one_that_was_moved_elsewhere_holds(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await use(replicas.there, A)
        await replicas.break_off()
        once = P.move("openai/o3", "r", "unsuitable", 3.0)
        await in_outage(replicas.here, A, move=once)
        await in_outage(replicas.here, A, move=once.move(GPT, "r", "unsuitable", 4.0))
        await in_outage(replicas.there, A, move=MOVED)
        await replicas.come_back()
        assert await use(replicas.there, A) == MOVED
        assert await use(replicas.here, A) == MOVED

    async def test_a_pin_that_the_store_has_by_then_holds(self, replicas: Replicas) -> None:
        await replicas.break_off()
        await in_outage(replicas.here, A, P)
        await in_outage(replicas.there, A, Q)
        await replicas.come_back()
        assert await use(replicas.there, A) == Q
        assert await use(replicas.here, A) == Q

    async def test_a_pin_made_in_it_is_explained_and_dropped_before_it_is_shared(self, replicas: Replicas) -> None:
        await replicas.break_off()
        await in_outage(replicas.here, A, P)
        await replicas.come_back()
        session, degraded = await replicas.here.find(A)
        assert session is not None
        assert (session.pin, degraded) == (P, True)
        assert await replicas.here.drop(A)
        assert await use(replicas.here, A) is None

    async def test_a_pin_that_was_dropped_meanwhile_stays_dropped(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.break_off()
        assert await in_outage(replicas.here, A) == P
        await replicas.come_back()
        await replicas.there.drop(A)
        assert await use(replicas.here, A) is None

    async def test_what_is_dropped_after_a_loss_that_nobody_noticed_stays_dropped(self, replicas: Replicas) -> None:
        for store in (replicas.here, replicas.there):
            await use(store, A, P)
        await replicas.server.tell("FLUSHALL")
        for store in (replicas.there, replicas.here):
            await use(store, A)
        await replicas.there.drop(A)
        assert await use(replicas.here, A) is None

    async def test_a_pin_that_was_dropped_before_stays_dropped(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await replicas.there.drop(A)
        await replicas.break_off()
        assert await in_outage(replicas.here, A) == P
        await replicas.come_back()
        assert await use(replicas.here, A) is None

    async def test_a_pin_that_was_used_in_it_beyond_its_idle_time_in_the_store_lives_on(
        self, replicas: Replicas
    ) -> None:
        await use(replicas.here, A, P)
        await replicas.break_off()
        for _ in range(3):
            replicas.clock.now += TTL / 2
            assert await in_outage(replicas.here, A) == P
        await replicas.come_back()
        await replicas.server.tell("DEL", encode_key(A))  # its idle time is over
        assert await use(replicas.here, A) == P

    async def test_a_store_that_lost_its_data_is_told_what_a_replica_remembers(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await use(replicas.there, A)
        await replicas.break_off(data_is_lost=True)
        await replicas.come_back()
        again = await use(replicas.here, A)
        assert again is not None
        assert replace(again, lineage=P.lineage) == P
        assert await use(replicas.there, A) == again

    async def test_what_is_dropped_after_a_loss_stays_dropped(self, replicas: Replicas) -> None:
        await use(replicas.here, A, P)
        await use(replicas.there, A)
        await replicas.break_off(data_is_lost=True)
        await replicas.come_back()
        await use(replicas.here, A)
        await use(replicas.there, A)
        await replicas.there.drop(A)
        assert await use(replicas.here, A) is None

    async def test_a_store_that_lost_its_data_is_salted_as_before(self, replicas: Replicas) -> None:
        salt = await replicas.here.salt()
        await replicas.there.salt()
        await replicas.break_off(data_is_lost=True)
        await replicas.come_back()
        await use(replicas.here, B)
        async with share(replicas.server.url) as newcomer:
            assert await newcomer.salt() == salt
        assert await replicas.here.salt() == await replicas.there.salt() == salt


async def test_a_loss_that_nobody_noticed_is_noticed_where_a_pin_is_missing(replicas: Replicas) -> None:
    await use(replicas.here, A, P)
    await use(replicas.there, A)
    await replicas.server.tell("FLUSHALL")
    again = await use(replicas.here, A)
    assert again is not None
    assert replace(again, lineage=P.lineage) == P
    assert await use(replicas.there, A) == again


async def test_after_a_loss_the_first_replica_to_tell_is_right_whatever_another_remembers(
    replicas: Replicas,
) -> None:
    """The pin begins anew: one that is moved, and one that is not, are not taken for one pin's past and future."""
    await use(replicas.here, A, P)
    await use(replicas.there, A)
    await move(replicas.here, A, P, MOVED)
    await replicas.server.tell("FLUSHALL")
    told = await use(replicas.there, A)
    assert told is not None
    assert (told.model, told.lineage != P.lineage) == (P.model, True)
    assert await use(replicas.here, A) == told
    assert await use(replicas.there, A) == told


async def test_a_move_of_a_pin_that_was_dropped_elsewhere_brings_nothing_back(replicas: Replicas) -> None:
    await use(replicas.here, A, P)
    await replicas.there.drop(A)
    assert await move(replicas.here, A, P, MOVED) is None
    assert await use(replicas.there, A) is None


async def test_a_pin_whose_write_went_unanswered_is_the_one_that_holds(replicas: Replicas) -> None:
    """The store carries it out after it was given up, and the replica that made it goes on by it."""
    await use(replicas.here, B)
    replicas.server.freeze()
    with in_use(replicas.here, A):
        assert await replicas.here.pin(A, P) == Held(P, degraded=True)
    replicas.server.thaw()
    await probe_until(replicas.log, 2, replicas.alarm)
    assert await use(replicas.there, A, Q) == P
    assert await use(replicas.here, A) == P
