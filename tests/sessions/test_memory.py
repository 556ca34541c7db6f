"""The memory store beyond every store's promises: time, size, and notice of ends."""

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.usage import NO_TOKENS
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import SessionKey
from plano_agents.testing.session_store import in_use, use
from tests.sessions.conftest import A, B, C, Clock, build_pin

PIN = build_pin()


def build(clock: Clock, max_entries: int = 10, ended: list[SessionKey] | None = None) -> MemorySessionStore:
    on_end = ended.append if ended is not None else lambda _key: None
    return MemorySessionStore(max_entries=max_entries, clock=clock, wall_clock=lambda: 1e9, on_end=on_end)


async def test_an_unknown_session_leaves_nothing_behind() -> None:
    store = build(Clock())
    await use(store, A)
    assert len(store) == 0


async def test_a_pin_expires_after_its_idle_time() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN)
    clock.now = 600
    assert await use(store, A) is None


async def test_every_use_renews_a_pin() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN)
    for clock.now in (599, 1198, 1797):
        assert await use(store, A) == PIN


async def test_looking_at_a_pin_does_not_renew_it() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN)
    clock.now = 599
    session, _ = await store.find(A)
    assert session is not None
    assert session.seconds_left == 1
    clock.now = 600
    assert await store.find(A) == (None, False)


async def test_a_request_in_flight_keeps_its_pin_however_long_it_runs() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN)
    with in_use(store, A):
        clock.now = 86_400
        await use(store, B, PIN)
        assert (await store.get(A)).pin == PIN


async def test_idle_time_starts_when_the_last_request_ends() -> None:
    clock = Clock()
    store = build(clock)
    with in_use(store, A):
        await store.pin(A, PIN)
        clock.now = 1000
    clock.now = 1599
    assert await use(store, A) == PIN


async def test_an_idle_time_that_changes_holds_from_the_next_use_on() -> None:
    """As by a reload of the configuration; at rest and in flight."""
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN, ttl_seconds=600)
    await use(store, A, ttl_seconds=10)
    clock.now = 10
    assert await use(store, A) is None

    await use(store, B, PIN, ttl_seconds=10)
    with in_use(store, B, ttl_seconds=10):
        await use(store, B, ttl_seconds=600)
    clock.now = 600
    assert await use(store, B) == PIN


async def test_sessions_of_different_idle_times_each_live_by_their_own() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN, ttl_seconds=600)
    await use(store, B, PIN, ttl_seconds=10)
    clock.now = 11
    assert await use(store, B) is None
    assert await use(store, A) == PIN


async def test_an_expired_session_behind_a_living_one_is_not_listed() -> None:
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN, ttl_seconds=600)
    await use(store, B, PIN, ttl_seconds=10)
    clock.now = 11
    assert await store.find(B) == (None, False)
    assert not await store.drop(B)


async def test_the_least_recently_used_goes_first() -> None:
    store = build(Clock(), max_entries=2)
    for key in (A, B, A, C):
        await use(store, key, PIN)
    assert [await use(store, key) for key in (A, B, C)] == [PIN, None, PIN]


async def test_a_session_in_use_is_passed_over_by_eviction() -> None:
    store = build(Clock(), max_entries=1)
    with in_use(store, A):
        await store.pin(A, PIN)
        await use(store, B, PIN)
        assert (await store.get(A)).pin == PIN


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60), st.integers(1, 4), st.integers(0, 3))
async def test_decisions_alone_push_out_no_pin_that_was_served(
    requests: list[tuple[int, bool]], cap: int, in_flight: int
) -> None:
    """The served sessions that are found stay the same, whether others were only decided in between, or not."""
    found: list[list[int]] = []
    for is_crowded in (False, True):
        store = build(Clock(), max_entries=cap)
        with ExitStack() as open_requests:
            for number, is_served in requests:
                key = SessionKey("", f"{'served' if is_served else 'decided'}-{number}")
                if is_served:
                    await use(store, key, build_pin(f"m/{number}"), turn=NO_TOKENS)
                elif is_crowded:
                    await use(store, key, PIN)
            for number in range(in_flight * is_crowded):
                key = SessionKey("", f"deciding-{number}")
                open_requests.enter_context(in_use(store, key))
                await store.pin(key, PIN)
            await use(store, A, PIN, turn=NO_TOKENS)
            found.append([at for at in range(10) if (await store.find(SessionKey("", f"served-{at}")))[0] is not None])
    assert found[0] == found[1]


async def test_of_sessions_that_were_only_decided_the_least_recently_used_goes_first() -> None:
    store = build(Clock(), max_entries=2)
    await use(store, SessionKey("", "served"), PIN, turn=NO_TOKENS)
    for key in (A, B, A, C):
        await use(store, key, PIN)
    assert [(await store.find(key))[0] is not None for key in (A, B, C)] == [True, False, True]
    assert len(store) == 3


async def test_a_session_that_was_decided_first_and_served_then_counts_as_served() -> None:
    store = build(Clock(), max_entries=1)
    await use(store, A, PIN)
    await use(store, A, turn=NO_TOKENS)
    for key in (B, C):
        await use(store, key, PIN)
    assert await use(store, A) == PIN


async def test_a_smaller_cap_takes_effect_at_once() -> None:
    store = build(Clock())
    for key in (A, B, C):
        await use(store, key, PIN)
    store.configure(max_entries=1)
    assert len(store) == 1
    assert await use(store, C) == PIN


async def test_the_end_of_a_pin_is_told_however_it_ends() -> None:
    clock, ended = Clock(), list[SessionKey]()
    store = build(clock, 2, ended)
    for key in (A, B, C):
        await use(store, key, PIN)
    assert ended == [A]
    await store.drop(B)
    assert ended == [A, B]
    clock.now = 600
    await use(store, A)
    assert ended == [A, B, C]


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 400)), max_size=60), st.integers(1, 5))
async def test_the_cap_holds_and_what_is_found_is_what_was_pinned(turns: list[tuple[int, float]], cap: int) -> None:
    clock = Clock()
    store = build(clock, max_entries=cap)
    used: dict[int, float] = {}  # in the order of use
    for number, pause in turns:
        clock.now += pause
        live = [other for other, at in used.items() if at + 600 > clock.now]
        key = SessionKey("", str(number))
        found = await use(store, key)
        assert (found is not None) == (number in live)
        await use(store, key, build_pin(f"m/{number}"))
        recent = [other for other in live if other != number]
        used = {other: used[other] for other in recent[max(0, len(recent) - cap + 1) :]} | {number: clock.now}
        assert len(store) == len(used) <= cap


async def test_when_a_turn_was_last_served_is_told() -> None:
    """A request that served nothing, such as one for a decision alone, uses the session without being a turn."""
    clock = Clock()
    store = build(clock)
    await use(store, A, PIN)
    session, _ = await store.find(A)
    assert session is not None
    assert session.served_at is None
    clock.now = 5
    await use(store, A, turn=NO_TOKENS)
    clock.now = 30
    await use(store, A)
    clock.now = 40
    session, _ = await store.find(A)
    assert session is not None
    assert (session.served_at, session.last_used) == (1e9 - 35, 1e9 - 10)
