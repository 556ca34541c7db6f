import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Retries
from plano_agents.router.request.retry import (
    WINDOW_SECONDS,
    RetryBudget,
    choose_delay,
    is_retryable,
    parse_retry_after,
)

POLICY = Retries()
NOW = 1_700_000_000.0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_retried(status: int) -> None:
    assert is_retryable(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 405, 409, 413, 422, 501])
def test_what_the_request_caused_is_not_retried(status: int) -> None:
    assert not is_retryable(status)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
        ({"retry-after": "1_0"}, None),
        ({"retry-after-ms": "1_0", "retry-after": "2"}, 2.0),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "+3"}, None),
        ({"retry-after": "\u0663"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Tue, 1_4 Nov 2023 22:13:30 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 99999999999999999999 22:13:30 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 +99999999999999999999"}, None),
        ({"retry-after": "Tue Nov 14 22:13:30 2023"}, 10.0),
    ],
)
def test_retry_after_is_read_in_its_three_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, now=NOW) == seconds


NUMBERS = st.integers(0, 10**30).map(str) | st.sampled_from(["", "-1", "1_0", "2023", "14"])
DATES = st.builds(
    "Tue, {} Nov {} {}:{}:{} {}".format,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS.map("+{}".format) | st.just("GMT"),
)


@given(
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text() | NUMBERS | DATES),
)
def test_any_retry_after_is_read_or_passed_over(headers: dict[str, str]) -> None:
    seconds = parse_retry_after(headers, now=NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0)])
def test_the_wait_is_random_up_to_a_range_that_doubles(attempt: int, longest: float) -> None:
    chances = iter((0.0, 0.5, 1.0))
    waits = [choose_delay(POLICY, attempt=attempt, retry_after=None, random=lambda: next(chances)) for _ in range(3)]
    assert waits == [0.0, longest / 2, longest]


def test_after_two_retries_there_is_no_third() -> None:
    assert choose_delay(POLICY, attempt=3, retry_after=None, random=lambda: 0.5) is None


def test_what_the_provider_asks_for_is_honoured() -> None:
    assert choose_delay(POLICY, attempt=1, retry_after=60, random=lambda: 0.5) == 60


def test_a_provider_that_asks_for_more_than_a_minute_is_not_waited_for() -> None:
    assert choose_delay(POLICY, attempt=1, retry_after=61, random=lambda: 0.5) is None


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_adds_at_most_a_fifth_of_the_load() -> None:
    clock = Clock()
    budget = RetryBudget(POLICY, clock=clock)
    retries = 0
    for number in range(10_000):
        clock.now = 1000 + number / 100
        budget.note_request()
        retries += budget.take_retry() + budget.take_retry()
    assert 1800 <= retries <= 2000


def test_a_quiet_upstream_may_still_be_retried_a_few_times() -> None:
    budget = RetryBudget(POLICY, clock=Clock())
    budget.note_request()
    assert [budget.take_retry() for _ in range(4)] == [True, True, True, False]


def test_the_budget_comes_back_when_its_window_has_passed() -> None:
    clock = Clock()
    budget = RetryBudget(POLICY, clock=clock)
    while budget.take_retry():
        pass
    clock.now += WINDOW_SECONDS
    assert budget.take_retry()
