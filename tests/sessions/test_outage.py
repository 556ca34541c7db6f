"""Knowing that the store is out, and finding out when it is back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from plano_agents.sessions.outage import PROBE_SECONDS, Outage
from plano_agents.sessions.redis_commands import StoreFailedError
from tests.sessions.conftest import Alarm, OutageLog


class Probe:
    """Fails until it is told to succeed."""

    def __init__(self) -> None:
        self.works = False
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if not self.works:
            raise StoreFailedError("no")


@pytest.fixture
def alarm() -> Alarm:
    return Alarm()


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def outage(alarm: Alarm, probe: Probe) -> AsyncIterator[Outage]:
    outage = Outage("redis://host:6379", probe, sleep=alarm)
    yield outage
    await outage.aclose()


async def test_at_first_the_store_is_taken_to_answer(outage: Outage, probe: Probe) -> None:
    assert not outage.is_on
    assert probe.calls == 0


async def test_one_failure_begins_an_outage_and_a_probe_that_succeeds_ends_it(
    outage: Outage, alarm: Alarm, probe: Probe, log: OutageLog
) -> None:
    outage.begin(StoreFailedError("connection refused"))
    assert outage.is_on
    for _ in range(5):
        await alarm.ring(PROBE_SECONDS)
    assert outage.is_on
    probe.works = True
    await alarm.ring(PROBE_SECONDS)
    await log.reach(2)
    assert not outage.is_on
    assert log.lines[0].startswith(
        "the session store redis://host:6379 does not answer (connection refused): pins are kept"
    )
    assert log.lines[1:] == ["the session store redis://host:6379 answers again: pins are shared"]


async def test_more_failures_begin_no_more_outages(outage: Outage, alarm: Alarm, log: OutageLog) -> None:
    for _ in range(1_000):
        outage.begin(StoreFailedError("no"))
    await alarm.ring(PROBE_SECONDS)
    assert len(log.lines) == 1


async def test_a_store_can_fail_again(outage: Outage, alarm: Alarm, probe: Probe, log: OutageLog) -> None:
    probe.works = True
    for count in (2, 4):
        outage.begin(StoreFailedError("no"))
        await alarm.ring(PROBE_SECONDS)
        await log.reach(count)
    assert not outage.is_on


async def test_it_is_probed_often_enough_to_be_back_within_two_seconds() -> None:
    assert PROBE_SECONDS + 2 * 0.25 < 2


async def test_closing_ends_the_probing(outage: Outage, alarm: Alarm) -> None:
    outage.begin(StoreFailedError("no"))
    await asyncio.sleep(0)
    assert alarm.is_awaited(PROBE_SECONDS)
    await outage.aclose()
    assert not alarm.is_awaited(PROBE_SECONDS)
