"""Sums by day: of this process, and of all that share a store."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from plano_agents.router.watch.ghosts.days import WRITE_SECONDS, Days
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.ghosts.sums import Sums
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.store import KEPT_DAYS
from tests.faults.redis_server import RedisServer
from tests.sessions.conftest import Alarm, Clock, share

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
TODAY = date(2026, 11, 25)
DAY = 86_400
GHOST = Ghost("openai/small", 5.0, "openai/big", 1_000, 800, 0.02, 0.03)


def add(days: Days, at: float, turns: int, share: float = 0.5) -> None:
    for _ in range(turns):
        sums = days.change(at, share)
        sums.pinned += 1
        sums.add(GHOST)


async def test_in_memory_a_days_sums_are_this_processs_own() -> None:
    days = Days(MemorySessionStore(max_entries=9), wall_clock=Clock(NOON))
    add(days, NOON - DAY, 2)
    add(days, NOON, 1)
    found = await days.read(TODAY - timedelta(days=1))
    assert (found.is_shared, found.is_degraded) == (False, False)
    assert [(day, shares[0.5].switches) for day, shares in found.days.items()] == [(date(2026, 11, 24), 2), (TODAY, 1)]
    assert list((await days.read(TODAY)).days) == [TODAY]


async def test_old_days_are_dropped_from_memory() -> None:
    clock = Clock(NOON)
    days = Days(MemorySessionStore(max_entries=9), wall_clock=clock)
    for _ in range(KEPT_DAYS + 20):
        add(days, clock.now, 1)
        clock.now += DAY
    assert len((await days.read(date(2020, 1, 1))).days) <= KEPT_DAYS
    assert len(days._own) <= KEPT_DAYS + 1


async def test_two_replicas_sums_add_up_in_redis(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, share(server.url) as one, share(server.url) as two:
        first, second = (Days(store, wall_clock=Clock(NOON)) for store in (one, two))
        add(first, NOON, 3)
        add(second, NOON, 4)
        add(second, NOON - DAY, 2, share=0.1)
        await second.aclose()
        found = await first.read(date(2026, 11, 1))
        assert (found.is_shared, found.is_degraded) == (True, False)
        assert {day: {share: sums.routed for share, sums in shares.items()} for day, shares in found.days.items()} == {
            date(2026, 11, 24): {0.1: 2},
            TODAY: {0.5: 7},
        }
        assert found.days[TODAY][0.5].anew.sum == 7 * 800
        add(first, NOON, 1)
        again = await first.read(TODAY)
        assert again.days[TODAY][0.5].pinned == 8  # what was written before is replaced, not added
        await first.aclose()


async def test_sums_are_written_every_few_seconds_and_kept_for_their_days(tmp_path: Path) -> None:
    alarm = Alarm()
    async with RedisServer(tmp_path) as server, share(server.url) as store:
        days = Days(store, wall_clock=Clock(NOON), sleep=alarm)
        add(days, NOON, 1)
        await alarm.ring(WRITE_SECONDS)
        await alarm.reach(WRITE_SECONDS)
        assert [len(each) for each in await store.read_days(["2026-11-25"])] == [1]
        await days.aclose()
        left = await store._pins._connection.call("TTL", "plano:affinity-day:2026-11-25")
        assert isinstance(left, int)
        assert (KEPT_DAYS - 1) * DAY < left <= KEPT_DAYS * DAY


async def test_in_an_outage_a_processs_own_sums_are_told_and_written_later(tmp_path: Path) -> None:
    alarm = Alarm()
    async with RedisServer(tmp_path) as server, share(server.url, sleep=alarm, timeout_seconds=10) as store:
        days = Days(store, wall_clock=Clock(NOON), sleep=alarm)
        await server.kill()
        add(days, NOON, 2)
        found = await days.read(TODAY)
        assert (found.is_shared, found.is_degraded, found.days[TODAY][0.5].routed) == (True, True, 2)
        await server.start()
        found = await days.read(TODAY)
        assert not found.is_degraded
        assert found.days[TODAY][0.5].routed == 2
        await days.aclose()


async def test_notes_that_are_none_are_passed_over(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, share(server.url) as store:
        days = Days(store, wall_clock=Clock(NOON))
        for number, note in enumerate((b"", b"{}", b"\xff", b'[{"share": "x"}]')):
            await store.write_day("2026-11-25", str(number), note)
        add(days, NOON, 1)
        found = await days.read(TODAY)
        assert found.days[TODAY][0.5].routed == 1
        assert list(found.days[TODAY]) == [0.5]
        await days.aclose()


def test_sums_add_up_in_any_order() -> None:
    one, two, both = Sums(), Sums(), Sums()
    for sums, ghost in ((one, GHOST), (two, Ghost("a/b", 1.0)), (two, GHOST)):
        sums.add(ghost)
        both.add(ghost)
    one.merge(two)
    assert one == both
