from collections.abc import Callable
from typing import Protocol

import pytest

from plano_agents.simulator.prompt_cache import (
    REQUESTS_PER_MACHINE,
    AutomaticCache,
    MarkedCache,
)


class Clock(Protocol):
    now: float

    def __call__(self) -> float: ...


def words(count: int) -> list[str]:
    return [f"w{at}" for at in range(count)]


@pytest.fixture
def cache(clock: Callable[[], float]) -> AutomaticCache:
    return AutomaticCache(clock)


def test_a_first_prompt_is_written_and_not_read(cache: AutomaticCache) -> None:
    usage = cache.record("m", words(1300))
    assert (usage.total, usage.cached, usage.written) == (1300, 0, 1280)


def test_the_same_prompt_again_is_read_in_steps_of_128(cache: AutomaticCache) -> None:
    cache.record("m", words(1300))
    assert cache.record("m", words(1300)).cached == 1280


def test_a_longer_prompt_reads_the_prefix_it_shares(cache: AutomaticCache) -> None:
    cache.record("m", words(1200))
    usage = cache.record("m", words(2000))
    assert (usage.cached, usage.written) == (1152, 1920 - 1152)


def test_prompts_under_1024_tokens_are_never_cached(cache: AutomaticCache) -> None:
    cache.record("m", words(1023))
    assert cache.record("m", words(1023)).cached == 0


def test_a_prompt_of_exactly_1024_tokens_is_cached(cache: AutomaticCache) -> None:
    cache.record("m", words(1024))
    assert cache.record("m", words(1024)).cached == 1024


def test_models_do_not_share_a_cache(cache: AutomaticCache) -> None:
    cache.record("m", words(1300))
    assert cache.record("n", words(1300)).cached == 0


def test_a_prompt_that_begins_differently_reads_nothing(cache: AutomaticCache) -> None:
    cache.record("m", words(1300))
    assert cache.record("m", ["other", *words(1300)]).cached == 0


def test_a_prefix_is_forgotten_after_five_minutes(cache: AutomaticCache, clock: Clock) -> None:
    cache.record("m", words(1300))
    clock.now += 301
    assert cache.record("m", words(1300)).cached == 0


def test_each_use_keeps_a_prefix_for_five_more_minutes(cache: AutomaticCache, clock: Clock) -> None:
    for _ in range(3):
        cache.record("m", words(1300))
        clock.now += 200
    assert cache.record("m", words(1300)).cached == 1280


def test_the_least_recently_used_prefix_goes_first(clock: Clock) -> None:
    cache = AutomaticCache(clock, max_entries=2)
    for first in ("a", "b", "a", "c"):
        cache.record("m", [first, *words(1023)])
    assert [cache.record("m", [first, *words(1023)]).cached for first in ("a", "c", "b")] == [1024, 1024, 0]


def test_requests_of_one_key_find_the_same_machine(cache: AutomaticCache, clock: Clock) -> None:
    """Ten a minute: each of ten sessions alone stays below what a machine takes."""
    for session in range(10):
        cache.record("m", words(1300), str(session))
    clock.now += 6
    assert [cache.record("m", words(1300), str(session)).cached for session in range(10)] == [1280] * 10


def test_keys_do_not_share_a_machine(cache: AutomaticCache) -> None:
    cache.record("m", words(1300), "one")
    assert cache.record("m", words(1300), "other").cached == 0


def test_many_requests_of_one_beginning_spill_over_to_machines_that_know_nothing(cache: AutomaticCache) -> None:
    cached = [cache.record("m", words(1300)).cached for _ in range(3 * REQUESTS_PER_MACHINE)]
    assert cached[:REQUESTS_PER_MACHINE] == [0] + [1280] * (REQUESTS_PER_MACHINE - 1)
    assert cached.count(0) == 3


def test_after_a_quiet_minute_one_machine_is_enough_again(cache: AutomaticCache, clock: Clock) -> None:
    for _ in range(2 * REQUESTS_PER_MACHINE):
        cache.record("m", words(1300))
    clock.now += 61
    assert [cache.record("m", words(1300)).cached for _ in range(5)] == [1280] * 5


TOOLS, SYSTEM, TURN = words(900), words(600), words(200)
SONNET = "claude-sonnet-4-6"


@pytest.fixture
def marked(clock: Callable[[], float]) -> MarkedCache:
    return MarkedCache(clock)


def test_what_is_not_marked_is_not_cached(marked: MarkedCache) -> None:
    for _ in range(2):
        usage = marked.record(SONNET, [TOOLS, SYSTEM, TURN], {})
        assert (usage.total, usage.cached, usage.written) == (1700, 0, 0)


def test_a_marked_prefix_is_written_once_and_read_then(marked: MarkedCache) -> None:
    first = marked.record(SONNET, [TOOLS, SYSTEM, TURN], {1: 300})
    assert (first.cached, first.written) == (0, 1500)
    second = marked.record(SONNET, [TOOLS, SYSTEM, words(300)], {1: 300})
    assert (second.cached, second.written) == (1500, 0)


def test_a_mark_further_on_reads_what_an_earlier_request_wrote_and_writes_the_rest(marked: MarkedCache) -> None:
    marked.record(SONNET, [TOOLS, SYSTEM, TURN], {2: 300})
    usage = marked.record(SONNET, [TOOLS, SYSTEM, TURN, words(50), words(60)], {4: 300})
    assert (usage.cached, usage.written) == (1700, 110)


def test_a_mark_looks_back_twenty_blocks(marked: MarkedCache) -> None:
    marked.record(SONNET, [TOOLS, SYSTEM], {1: 300})
    near = [TOOLS, SYSTEM, *[words(10)] * 19]
    assert marked.record(SONNET, near, {len(near) - 1: 300}).cached == 1500
    far = [TOOLS, SYSTEM, *[words(11)] * 20]
    assert marked.record(SONNET, far, {len(far) - 1: 300}).cached == 0
    assert marked.record(SONNET, far, {1: 300, len(far) - 1: 300}).cached == 1500 + 20 * 11


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("claude-opus-5", 512),
        ("claude-sonnet-4-6", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-haiku-4-5-20251001", 4096),
        ("claude-opus-4.6", 4096),
        ("claude-3-5-haiku-20241022", 2048),
    ],
)
def test_a_prefix_has_its_models_least_length(marked: MarkedCache, model: str, least: int) -> None:
    assert marked.record(model, [words(least - 1)], {0: 300}).written == 0
    assert marked.record(model, [words(least)], {0: 300}).written == least


def test_a_marked_prefix_lives_as_long_as_its_mark_says(marked: MarkedCache, clock: Clock) -> None:
    marked.record(SONNET, [TOOLS, SYSTEM], {1: 3600})
    marked.record(SONNET, [SYSTEM, TOOLS], {1: 300})
    clock.now += 301
    assert marked.record(SONNET, [TOOLS, SYSTEM], {1: 300}).cached == 1500
    assert marked.record(SONNET, [SYSTEM, TOOLS], {1: 300}).cached == 0
    clock.now += 3000
    assert marked.record(SONNET, [TOOLS, SYSTEM], {1: 300}).cached == 1500
