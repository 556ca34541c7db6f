"""Keeping shared pins alive, without a store: what is written when."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.redis import Renewal
from plano_agents.sessions.renewer import RENEWALS_AT_ONCE, WRITE_SECONDS, Renewer
from tests.sessions.conftest import A, Alarm, B, C


class Pen:
    """Notes what is written, and which pin is whose."""

    def __init__(self) -> None:
        self.written: list[Sequence[Renewal]] = []
        self.lineages: dict[SessionKey, str] = {A: "1", B: "2", C: "3"}

    async def write(self, renewals: Sequence[Renewal]) -> None:
        self.written.append(renewals)

    @property
    def renewals(self) -> list[Renewal]:
        return [renewal for each in self.written for renewal in each]


@pytest.fixture
def alarm() -> Alarm:
    return Alarm()


@pytest.fixture
def pen() -> Pen:
    return Pen()


@pytest.fixture
async def renewer(alarm: Alarm, pen: Pen) -> AsyncIterator[Renewer]:
    renewer = Renewer(pen.write, pen.lineages.get, sleep=alarm)
    yield renewer
    await renewer.aclose()


async def test_a_session_in_flight_is_renewed_three_times_within_its_idle_time_for_as_long_as_it_runs(
    renewer: Renewer, alarm: Alarm, pen: Pen
) -> None:
    renewer.open(A, 600)
    for count in range(1, 10):
        await alarm.ring(200)
        await alarm.ring(WRITE_SECONDS)
        await alarm.reach(200)
        assert pen.renewals == [Renewal(A, 600, "1")] * count


async def test_a_session_that_is_not_in_flight_any_more_is_not_renewed(
    renewer: Renewer, alarm: Alarm, pen: Pen
) -> None:
    renewer.open(A, 600)
    renewer.open(B, 600)
    renewer.close(A)
    await alarm.ring(200)
    await alarm.ring(WRITE_SECONDS)
    await alarm.reach(200)
    assert pen.renewals == [Renewal(B, 600, "2")]


async def test_where_nothing_is_in_flight_nothing_happens_until_something_is_again(
    renewer: Renewer, alarm: Alarm, pen: Pen
) -> None:
    renewer.open(A, 600)
    renewer.close(A)
    await alarm.ring(200)
    await renewer.flush()
    assert not alarm.is_awaited(200)
    assert pen.written == []
    renewer.open(A, 600)
    await alarm.ring(200)
    await alarm.ring(WRITE_SECONDS)
    await alarm.reach(200)
    assert pen.renewals == [Renewal(A, 600, "1")]


async def test_a_session_without_a_pin_is_not_renewed(renewer: Renewer, alarm: Alarm, pen: Pen) -> None:
    del pen.lineages[A]
    renewer.open(A, 600)
    renewer.open(B, 600)
    await alarm.ring(200)
    await alarm.ring(WRITE_SECONDS)
    await alarm.reach(200)
    assert pen.renewals == [Renewal(B, 600, "2")]


async def test_a_session_with_a_shorter_idle_time_is_renewed_in_its_own_time(
    renewer: Renewer, alarm: Alarm, pen: Pen
) -> None:
    renewer.open(A, 600)
    renewer.open(B, 6)
    await alarm.ring(2)
    await alarm.ring(WRITE_SECONDS)
    await alarm.reach(2)
    assert not alarm.is_awaited(200)
    assert pen.renewals == [Renewal(A, 600, "1"), Renewal(B, 6, "2")]


async def test_requests_of_a_session_are_counted(renewer: Renewer) -> None:
    assert renewer.count(A) == 0
    renewer.open(A, 600)
    renewer.open(A, 60)
    assert (renewer.count(A), renewer.ttl_seconds(A)) == (2, 60)
    renewer.close(A)
    assert renewer.count(A) == 1
    renewer.close(A)
    assert renewer.count(A) == 0


async def test_what_is_added_within_a_moment_is_written_at_once(renewer: Renewer, alarm: Alarm, pen: Pen) -> None:
    renewals = [Renewal(A, 600, str(number), 1, Tokens(number)) for number in range(RENEWALS_AT_ONCE + 1)]
    for renewal in renewals:
        renewer.add(renewal)
    await alarm.ring(WRITE_SECONDS)
    await renewer.flush()
    assert [len(each) for each in pen.written] == [RENEWALS_AT_ONCE, 1]
    assert pen.renewals == renewals


async def test_turns_of_one_pin_are_written_as_one_and_those_of_another_apart(
    renewer: Renewer, alarm: Alarm, pen: Pen
) -> None:
    renewer.add(Renewal(A, 600, "1", 1, Tokens(3, 5, 1)))
    renewer.add(Renewal(A, 600, "other", 1, Tokens(1, 1)))
    renewer.add(Renewal(B, 600, "1", 1))
    renewer.add(Renewal(A, 300, "1", 1, Tokens(10, 20, 2)))
    await alarm.ring(WRITE_SECONDS)
    assert pen.written == [
        [Renewal(A, 300, "1", 2, Tokens(13, 25, 3)), Renewal(A, 600, "other", 1, Tokens(1, 1)), Renewal(B, 600, "1", 1)]
    ]


async def test_what_is_added_while_others_are_written_is_written_too(alarm: Alarm, pen: Pen) -> None:
    async def write_and_add(renewals: Sequence[Renewal]) -> None:
        await pen.write(renewals)
        if len(pen.written) == 1:
            busy.add(Renewal(B, 600, "2"))

    busy = Renewer(write_and_add, pen.lineages.get, sleep=alarm)
    busy.add(Renewal(A, 600, "1"))
    await alarm.ring(WRITE_SECONDS)
    await busy.flush()
    assert pen.renewals == [Renewal(A, 600, "1"), Renewal(B, 600, "2")]
    await busy.aclose()


async def test_closing_writes_what_was_collected(renewer: Renewer, pen: Pen) -> None:
    renewer.open(A, 600)
    renewer.add(Renewal(A, 600, "1", 1))
    await renewer.aclose()
    assert pen.renewals == [Renewal(A, 600, "1", 1)]


async def test_closing_waits_for_what_is_being_written(alarm: Alarm) -> None:
    begun, may_end, written = asyncio.Event(), asyncio.Event(), list[Renewal]()

    async def write(renewals: Sequence[Renewal]) -> None:
        begun.set()
        await may_end.wait()
        written.extend(renewals)

    renewer = Renewer(write, {A: "1"}.get, sleep=alarm)
    renewer.add(Renewal(A, 600, "1", 1))
    await alarm.ring(WRITE_SECONDS)
    await begun.wait()
    closing = asyncio.create_task(renewer.aclose())
    await asyncio.wait({closing}, timeout=0)
    may_end.set()
    await closing
    assert written == [Renewal(A, 600, "1", 1)]
