import asyncio
from collections.abc import Callable

import pytest

from plano_agents.config.model import Breaker
from plano_agents.router.request.breaker import Attempt, CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def build() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    return CircuitBreaker(Breaker(), clock=clock), clock


def send(breaker: CircuitBreaker) -> Attempt:
    attempt = breaker.allow()
    assert attempt is not None
    return attempt


def fail(breaker: CircuitBreaker) -> None:
    send(breaker).fail()


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        fail(breaker)


def test_five_failures_in_a_row_open_it() -> None:
    breaker, _ = build()
    trip(breaker)
    assert breaker.allow() is None


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker, _ = build()
    for _ in range(20):
        for _ in range(4):
            fail(breaker)
        send(breaker).succeed()
    assert not breaker.is_open


def test_it_says_how_long_it_stays_open() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 10
    assert breaker.seconds_left == 20


def test_after_its_time_one_request_probes() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    send(breaker)
    assert [breaker.allow() for _ in range(2)] == [None, None]


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    send(breaker).succeed()
    assert not breaker.is_open
    assert None not in [breaker.allow() for _ in range(3)]


def test_a_probe_that_fails_opens_it_again() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    fail(breaker)
    assert (breaker.allow(), breaker.seconds_left) == (None, 30)


def test_a_probe_that_nobody_waited_for_can_be_tried_again() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    send(breaker).abandon()
    assert breaker.allow() is not None


def test_failures_of_requests_sent_before_it_opened_do_not_prolong_it() -> None:
    breaker, clock = build()
    early = send(breaker)
    trip(breaker)
    clock.now = 29
    early.fail()
    assert breaker.seconds_left == 1


def test_a_success_sent_before_it_opened_does_not_close_it() -> None:
    breaker, _ = build()
    early = send(breaker)
    trip(breaker)
    early.succeed()
    assert breaker.is_open


def test_a_failure_sent_before_it_opened_is_not_the_probes() -> None:
    breaker, clock = build()
    early = send(breaker)
    trip(breaker)
    clock.now = 30
    probe = send(breaker)
    early.fail()
    assert breaker.allow() is None
    probe.succeed()
    assert not breaker.is_open


def test_a_request_sent_before_it_opened_that_nobody_waits_for_lets_no_second_probe_out() -> None:
    breaker, clock = build()
    early = send(breaker)
    trip(breaker)
    clock.now = 30
    send(breaker)
    early.abandon()
    assert breaker.allow() is None


def test_failures_sent_before_it_opened_do_not_count_once_it_has_closed() -> None:
    breaker, clock = build()
    early = [send(breaker) for _ in range(5)]
    trip(breaker)
    clock.now = 30
    send(breaker).succeed()
    for attempt in early:
        attempt.fail()
    assert not breaker.is_open


def test_five_streams_that_break_after_they_began_open_it() -> None:
    breaker, _ = build()
    for _ in range(5):
        stream = send(breaker)
        stream.begin()
        stream.fail()
    assert breaker.is_open


def test_a_probes_stream_lets_others_out_once_it_has_begun_and_its_failure_opens_it_again() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    probe = send(breaker)
    probe.begin()
    assert breaker.allow() is not None
    probe.fail()
    assert (breaker.is_open, breaker.seconds_left) == (True, 30)


class TestInsisting:
    async def test_it_probes_before_its_time_and_only_once(self) -> None:
        breaker, _ = build()
        trip(breaker)
        probe = await breaker.insist()
        assert probe is not None
        assert breaker.allow() is None
        probe.succeed()
        assert not breaker.is_open

    async def test_closed_it_lets_all_out(self) -> None:
        breaker, _ = build()
        assert None not in [await breaker.insist() for _ in range(3)]

    @pytest.mark.parametrize(
        ("end", "goes_on"), [(Attempt.succeed, 3), (Attempt.begin, 3), (Attempt.fail, 0), (Attempt.abandon, 1)]
    )
    async def test_those_who_come_meanwhile_wait_for_the_probe(
        self, end: Callable[[Attempt], None], goes_on: int
    ) -> None:
        """One that nobody waited for is followed by another."""
        breaker, _ = build()
        trip(breaker)
        probe = await breaker.insist()
        assert probe is not None
        waiting = [asyncio.create_task(breaker.insist()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(each.done() for each in waiting)
        end(probe)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        let_out = [each.result() for each in waiting if each.done()]
        assert sum(each is not None for each in let_out) == goes_on
        if end is Attempt.abandon:
            next(each for each in let_out if each is not None).fail()
            assert [each for each in await asyncio.gather(*waiting) if each is not None] == let_out

    async def test_a_probe_that_tells_nothing_is_not_waited_for_without_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("plano_agents.router.request.breaker.PROBE_SECONDS", 0.0)
        breaker, _ = build()
        trip(breaker)
        await breaker.insist()
        assert await breaker.insist() is None
