from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Pin, SessionKey

A, B, C = (SessionKey("", name) for name in "abc")
GPT, CLAUDE = Pin("openai/gpt-4o", "reasoning"), Pin("anthropic/claude", None)


class Clock:
    """Monotonic time that moves when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def build(clock: Clock, max_entries: int = 10) -> MemorySessionStore:
    return MemorySessionStore(ttl_seconds=600, max_entries=max_entries, clock=clock)


@asynccontextmanager
async def in_use(store: MemorySessionStore, *keys: SessionKey) -> AsyncIterator[None]:
    for key in keys:
        await store.open(key)
    yield
    for key in keys:
        await store.close(key)


async def use(store: MemorySessionStore, key: SessionKey, pin: Pin | None = None) -> Pin | None:
    async with in_use(store, key):
        return await (store.pin(key, pin) if pin is not None else store.get(key))


async def test_a_pin_is_found_again() -> None:
    store = build(Clock())
    await use(store, A, GPT)
    assert await use(store, A) == GPT


async def test_an_unknown_session_has_no_pin_and_leaves_nothing_behind() -> None:
    store = build(Clock())
    assert await use(store, A) is None
    assert len(store) == 0


async def test_the_first_pin_holds() -> None:
    store = build(Clock())
    await use(store, A, GPT)
    assert await use(store, A, CLAUDE) == GPT


async def test_a_tenant_and_an_id_cannot_be_joined_into_anothers() -> None:
    store = build(Clock())
    await use(store, SessionKey("a:b", "c"), GPT)
    assert await use(store, SessionKey("a", "b:c")) is None


async def test_a_pin_expires_after_its_idle_time() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, GPT)
    clock.now = 600
    assert await use(store, A) is None


async def test_every_use_renews_a_pin() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, GPT)
    for clock.now in (599, 1198, 1797):
        assert await use(store, A) == GPT


async def test_a_request_in_flight_keeps_its_pin_however_long_it_runs() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, GPT)
    async with in_use(store, A):
        clock.now = 86_400
        await use(store, B, CLAUDE)
        assert await store.get(A) == GPT


async def test_idle_time_starts_when_the_last_request_ends() -> None:
    clock = Clock()
    store = build(clock)
    async with in_use(store, A):
        await store.pin(A, GPT)
        clock.now = 1000
    clock.now = 1599
    assert await use(store, A) == GPT


async def test_the_least_recently_used_goes_first() -> None:
    store = build(Clock(), max_entries=2)
    for key in (A, B, A, C):
        await use(store, key, GPT)
    assert [await use(store, key) for key in (A, B, C)] == [GPT, None, GPT]


async def test_a_session_in_use_is_passed_over_by_eviction() -> None:
    store = build(Clock(), max_entries=1)
    async with in_use(store, A):
        await store.pin(A, GPT)
        await use(store, B, CLAUDE)
        assert await store.get(A) == GPT


async def test_a_move_replaces_the_known_pin() -> None:
    store = build(Clock())
    await use(store, A, GPT)
    async with in_use(store, A):
        assert await store.move(A, GPT, CLAUDE) == CLAUDE
    assert await use(store, A) == CLAUDE


async def test_a_move_from_a_pin_that_was_replaced_changes_nothing() -> None:
    store = build(Clock())
    await use(store, A, CLAUDE)
    async with in_use(store, A):
        assert await store.move(A, GPT, Pin("openai/o3", None)) == CLAUDE


async def test_a_dropped_pin_is_gone_even_while_in_use() -> None:
    store = build(Clock())
    async with in_use(store, A):
        await store.pin(A, GPT)
        assert await store.drop(A)
    assert await use(store, A) is None


async def test_dropping_what_is_not_there_says_so() -> None:
    assert not await build(Clock()).drop(A)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 400)), max_size=60), st.integers(1, 5))
async def test_the_cap_holds_and_what_is_found_is_what_was_pinned(
    turns: list[tuple[int, float]], cap: int
) -> None:
    clock = Clock()
    store = build(clock, max_entries=cap)
    used: dict[int, float] = {}  # in the order of use
    for number, pause in turns:
        clock.now += pause
        live = [other for other, at in used.items() if at + 600 > clock.now]
        key = SessionKey("", str(number))
        found = await use(store, key)
        assert (found is not None) == (number in live)
        await use(store, key, Pin(f"m/{number}", None))
        recent = [other for other in live if other != number]
        used = {other: used[other] for other in recent[max(0, len(recent) - cap + 1) :]} | {number: clock.now}
        assert len(store) == len(used) <= cap
