from plano_agents.config.model import Breaker
from plano_agents.router.breaker import CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def build() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    return CircuitBreaker(Breaker(), clock=clock), clock


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        assert breaker.allow()
        breaker.fail()


def test_five_failures_in_a_row_open_it() -> None:
    breaker, _ = build()
    trip(breaker)
    assert not breaker.allow()


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker, _ = build()
    for _ in range(20):
        for outcome in (breaker.fail, breaker.fail, breaker.fail, breaker.fail, breaker.succeed):
            assert breaker.allow()
            outcome()


def test_it_says_how_long_it_stays_open() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 10
    assert breaker.seconds_left == 20


def test_after_its_time_one_request_probes() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    assert [breaker.allow() for _ in range(3)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    breaker.allow()
    breaker.succeed()
    assert [breaker.allow() for _ in range(3)] == [True, True, True]


def test_a_probe_that_fails_opens_it_again() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    breaker.allow()
    breaker.fail()
    assert (breaker.allow(), breaker.seconds_left) == (False, 30)


def test_a_probe_that_nobody_waited_for_can_be_tried_again() -> None:
    breaker, clock = build()
    trip(breaker)
    clock.now = 30
    breaker.allow()
    breaker.abandon()
    assert breaker.allow()


def test_failures_of_requests_sent_before_it_opened_do_not_prolong_it() -> None:
    breaker, clock = build()
    for _ in range(6):
        assert breaker.allow()
    for _ in range(5):
        breaker.fail()
    clock.now = 29
    breaker.fail()
    clock.now = 30
    assert breaker.allow()
