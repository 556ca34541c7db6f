"""What every session store promises, on memory and on a real Redis alike."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plano_agents.errors import InvalidCursorError
from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.pin import SessionKey
from plano_agents.sessions.store import SessionStore, Wanted
from tests.sessions.conftest import CLAUDE, GPT, A, B, build_pin, in_use, use

PIN, OTHER = build_pin(), build_pin(CLAUDE, lineage="2", route=None)


async def test_a_pin_is_found_again(store: SessionStore) -> None:
    await use(store, A, PIN)
    assert await use(store, A) == PIN


async def test_an_unknown_session_has_no_pin(store: SessionStore) -> None:
    assert await use(store, A) is None


async def test_the_first_pin_holds(store: SessionStore) -> None:
    await use(store, A, PIN)
    assert await use(store, A, OTHER) == PIN


async def test_of_many_concurrent_pins_one_holds_for_all(store: SessionStore) -> None:
    pins = [build_pin(f"m/{number}", lineage=str(number)) for number in range(100)]
    held = await asyncio.gather(*(use(store, A, pin) for pin in pins))
    assert len({pin.lineage for pin in held if pin is not None}) == 1
    assert await use(store, A) == held[0]


async def test_a_tenant_and_an_id_cannot_be_joined_into_anothers(store: SessionStore) -> None:
    await use(store, SessionKey("a:b", "c"), PIN)
    assert await use(store, SessionKey("a", "b:c")) is None


async def test_a_move_replaces_the_known_pin(store: SessionStore) -> None:
    await use(store, A, PIN)
    moved = PIN.move(CLAUDE, "r", "upstream_failed", 2.0)
    with in_use(store, A):
        assert (await store.move(A, PIN, moved)).pin == moved
    assert await use(store, A) == moved


async def test_a_move_from_a_pin_that_was_moved_meanwhile_changes_nothing(store: SessionStore) -> None:
    moved = PIN.move(CLAUDE, "r", "upstream_failed", 2.0)
    await use(store, A, PIN)
    with in_use(store, A):
        await store.move(A, PIN, moved)
        late = PIN.move("openai/o3", "r", "upstream_failed", 3.0)
        assert (await store.move(A, PIN, late)).pin == moved


async def test_a_move_from_a_model_that_the_pin_is_not_on_changes_nothing(store: SessionStore) -> None:
    """After an outage two replicas may know the same pin, moved once by each."""
    moved, other = (PIN.move(model, "r", "upstream_failed", 2.0) for model in (CLAUDE, "openai/o3"))
    await use(store, A, moved)
    with in_use(store, A):
        assert (await store.move(A, other, other.move("m/1", "r", "unsuitable", 3.0))).pin == moved


async def test_a_move_from_a_pin_that_ended_and_was_made_anew_changes_nothing(store: SessionStore) -> None:
    await use(store, A, PIN)
    await store.drop(A)
    again = build_pin(lineage="3")
    await use(store, A, again)
    with in_use(store, A):
        assert (await store.move(A, PIN, PIN.move(CLAUDE, "r", "unsuitable", 2.0))).pin == again


async def test_a_move_of_a_pin_that_has_ended_brings_nothing_back(store: SessionStore) -> None:
    await use(store, A, PIN)
    await store.drop(A)
    with in_use(store, A):
        assert (await store.move(A, PIN, PIN.move(CLAUDE, "r", "unsuitable", 2.0))).pin is None
    assert await use(store, A) is None


async def test_a_dropped_pin_is_gone_even_while_in_use(store: SessionStore) -> None:
    with in_use(store, A):
        await store.pin(A, PIN)
        assert await store.drop(A)
    assert await use(store, A) is None


async def test_dropping_what_is_not_there_says_so(store: SessionStore) -> None:
    assert not await store.drop(A)


async def test_a_session_is_explained(store: SessionStore) -> None:
    await use(store, A, PIN, turn=Tokens(100, 20, 60))
    await use(store, A, turn=Tokens(200, 30, 100))
    session, degraded = await store.find(A)
    assert session is not None
    assert not degraded
    assert (session.key, session.pin, session.turns) == (A, PIN, 2)
    assert session.tokens == Tokens(300, 50, 160)
    assert session.requests_in_flight == 0
    assert 590 < session.seconds_left <= 600


async def test_a_session_in_flight_says_how_many_of_its_requests_are(store: SessionStore) -> None:
    with in_use(store, A, A):
        await store.pin(A, PIN)
        session, _ = await store.find(A)
    assert session is not None
    assert session.requests_in_flight == 2


async def test_a_session_without_a_pin_is_not_explained(store: SessionStore) -> None:
    with in_use(store, A):
        assert await store.find(A) == (None, False)


async def test_a_new_pin_counts_anew(store: SessionStore) -> None:
    await use(store, A, PIN, turn=Tokens(100, 20, 60))
    await store.drop(A)
    await use(store, A, OTHER, turn=Tokens(1, 1, 1))
    session, _ = await store.find(A)
    assert session is not None
    assert (session.turns, session.tokens) == (1, Tokens(1, 1, 1))


async def test_switches_are_remembered(store: SessionStore) -> None:
    await use(store, A, PIN)
    moved = PIN.move(CLAUDE, "r", "upstream_failed", 2.0)
    with in_use(store, A):
        await store.move(A, PIN, moved)
    session, _ = await store.find(A)
    assert session is not None
    assert [(each.from_model, each.to_model, each.reason) for each in session.pin.switches] == [
        (GPT, CLAUDE, "upstream_failed")
    ]


async def list_all(store: SessionStore, wanted: Wanted, limit: int) -> list[SessionKey]:
    found: list[SessionKey] = []
    cursor = None
    while True:
        page = await store.scan(wanted, limit=limit, cursor=cursor)
        assert len(page.sessions) <= limit
        found += [session.key for session in page.sessions]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_every_session_is_listed_once_in_pages_of_any_size(store: SessionStore, limit: int) -> None:
    keys = [SessionKey("t", f"id/{number}") for number in range(25)]
    for number, key in enumerate(keys):
        await use(store, key, build_pin(lineage=str(number)))
    assert sorted(await list_all(store, Wanted(), limit)) == sorted(keys)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(tenant="t"), ["a1"]),
        (Wanted(tenant=""), ["a2", "b1"]),
        (Wanted(prefix="a"), ["a1", "a2"]),
        (Wanted(model=CLAUDE), ["b1"]),
        (Wanted(route="r"), ["a1", "a2"]),
        (Wanted(prefix="a", model=CLAUDE), []),
    ],
)
async def test_sessions_are_filtered(store: SessionStore, wanted: Wanted, expected: list[str]) -> None:
    await use(store, SessionKey("t", "a1"), build_pin(lineage="1"))
    await use(store, SessionKey("", "a2"), build_pin(lineage="2"))
    await use(store, SessionKey("", "b1"), build_pin(CLAUDE, lineage="3", route=None))
    assert sorted(key.affinity_id for key in await list_all(store, wanted, 2)) == expected


@pytest.mark.parametrize("cursor", ["x", "-1", "1.x", "9" * 30, "1\u0661"])
async def test_a_cursor_that_no_page_gave_is_refused(store: SessionStore, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        await store.scan(Wanted(), limit=1, cursor=cursor)


async def test_the_salt_stays_the_same(store: SessionStore) -> None:
    assert await store.salt() == await store.salt()
    assert len(await store.salt()) == 16


async def test_a_request_that_decided_nothing_is_no_turn(store: SessionStore) -> None:
    await use(store, A, PIN, turn=Tokens())
    await use(store, A, turn=None)
    session, _ = await store.find(A)
    assert session is not None
    assert session.turns == 1


async def test_sessions_do_not_touch_each_other(store: SessionStore) -> None:
    await use(store, A, PIN)
    await use(store, B, OTHER)
    await store.drop(A)
    assert await use(store, B) == OTHER


text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(keys=st.lists(st.tuples(text, text), min_size=2, max_size=2, unique=True))
async def test_no_two_sessions_ever_share_a_pin(store: SessionStore, keys: list[tuple[str, str]]) -> None:
    first, second = (SessionKey(*key) for key in keys)
    for key in (first, second):
        await store.drop(key)
    await use(store, first, PIN)
    assert await use(store, second) is None
