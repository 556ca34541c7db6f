from collections.abc import Callable
from typing import Protocol

import pytest

from plano_agents.simulator.prompt_cache import PromptCache


class Clock(Protocol):
    now: float

    def __call__(self) -> float: ...


def words(count: int) -> list[str]:
    return [f"w{at}" for at in range(count)]


@pytest.fixture
def cache(clock: Callable[[], float]) -> PromptCache:
    return PromptCache(clock)


def test_a_first_prompt_is_written_and_not_read(cache: PromptCache) -> None:
    usage = cache.record("m", words(1300))
    assert (usage.total, usage.cached, usage.written) == (1300, 0, 1280)


def test_the_same_prompt_again_is_read_in_steps_of_128(cache: PromptCache) -> None:
    cache.record("m", words(1300))
    assert cache.record("m", words(1300)).cached == 1280


def test_a_longer_prompt_reads_the_prefix_it_shares(cache: PromptCache) -> None:
    cache.record("m", words(1200))
    usage = cache.record("m", words(2000))
    assert (usage.cached, usage.written) == (1152, 1920 - 1152)


def test_prompts_under_1024_tokens_are_never_cached(cache: PromptCache) -> None:
    cache.record("m", words(1023))
    assert cache.record("m", words(1023)).cached == 0


def test_a_prompt_of_exactly_1024_tokens_is_cached(cache: PromptCache) -> None:
    cache.record("m", words(1024))
    assert cache.record("m", words(1024)).cached == 1024


def test_models_do_not_share_a_cache(cache: PromptCache) -> None:
    cache.record("m", words(1300))
    assert cache.record("n", words(1300)).cached == 0


def test_a_prompt_that_begins_differently_reads_nothing(cache: PromptCache) -> None:
    cache.record("m", words(1300))
    assert cache.record("m", ["other", *words(1300)]).cached == 0


def test_a_prefix_is_forgotten_after_five_minutes(cache: PromptCache, clock: Clock) -> None:
    cache.record("m", words(1300))
    clock.now += 301
    assert cache.record("m", words(1300)).cached == 0


def test_each_use_keeps_a_prefix_for_five_more_minutes(cache: PromptCache, clock: Clock) -> None:
    for _ in range(3):
        cache.record("m", words(1300))
        clock.now += 200
    assert cache.record("m", words(1300)).cached == 1280


def test_the_least_recently_used_prefix_goes_first(clock: Clock) -> None:
    cache = PromptCache(clock, max_entries=2)
    for first in ("a", "b", "a", "c"):
        cache.record("m", [first, *words(1023)])
    assert [cache.record("m", [first, *words(1023)]).cached for first in ("a", "c", "b")] == [1024, 1024, 0]
