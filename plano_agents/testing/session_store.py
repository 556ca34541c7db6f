"""The promises of every session store, as a suite that runs on any of them.

Each test opens a store of its own, in an event loop of its own: the loop that the router runs on. What depends on a
store's clock, on eviction and on outages is left to the tests of each store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from itertools import combinations

from plano_agents import processes
from plano_agents.errors import InvalidCursorError
from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.lanes import Lane
from plano_agents.sessions.pin import Detour, Notes, Pin, SessionKey
from plano_agents.sessions.response_ids import Maker, ResponseKey
from plano_agents.sessions.store import SessionStore, Wanted

TTL_SECONDS = 600.0
"""How long the suite's pins live."""

_A, _B = SessionKey("", "a"), SessionKey("", "b")
_GPT, _CLAUDE = "openai/gpt-4o", "anthropic/claude-sonnet-4-6"


@contextmanager
def in_use(
    store: SessionStore, *keys: SessionKey, ttl_seconds: float = TTL_SECONDS, turn: Tokens | None = None
) -> Iterator[None]:
    """Hold sessions in use, as a request in flight does.

    Args:
        store: Where they are kept.
        keys: The sessions; one that is named twice has two requests.
        ttl_seconds: How long a pin lives after its last use.
        turn: What each request cost; None where it was not a turn.
    """
    for key in keys:
        store.open(key, ttl_seconds)
    try:
        yield
    finally:
        for key in keys:
            store.close(key, turn)


async def use(
    store: SessionStore,
    key: SessionKey,
    pin: Pin | None = None,
    *,
    ttl_seconds: float = TTL_SECONDS,
    turn: Tokens | None = None,
) -> Pin | None:
    """Take a turn of a session, as a request does.

    Args:
        store: Where it is kept.
        key: The session.
        pin: The pin to write if there is none; None to look only.
        ttl_seconds: How long a pin lives after its last use.
        turn: What the request cost; None where it was not a turn.

    Returns:
        The pin that holds.
    """
    with in_use(store, key, ttl_seconds=ttl_seconds, turn=turn):
        held = await (store.pin(key, pin) if pin is not None else store.get(key))
        assert not held.degraded
        return held.pin


def _build_pin(model: str = _GPT, *, lineage: str = "1", route: str | None = "r") -> Pin:
    return Pin(model, route, "first_turn", 1_700_000_000.5, lineage)


_PIN, _OTHER = _build_pin(), _build_pin(_CLAUDE, lineage="2", route=None)
_DEPLOYED = replace(_PIN, deployment="eu")
_MOVED = _PIN.move(_CLAUDE, "r", "upstream_failed", 2.0)


def _on_a_store(
    check: Callable[["SessionStoreSuite", SessionStore], Awaitable[None]],
) -> Callable[["SessionStoreSuite"], None]:
    """Make a test of a check: an ordinary method, so that no plugin for asyncio is needed."""

    def test(self: "SessionStoreSuite") -> None:
        async def main() -> None:
            async with self.open_store() as store:
                await check(self, store)

        processes.run(main())

    test.__name__, test.__doc__, test.__qualname__ = check.__name__, check.__doc__, check.__qualname__
    return test


class SessionStoreSuite:
    """The promises of `SessionStore`. A subclass whose name begins with ``Test`` is collected by pytest."""

    def open_store(self) -> AbstractAsyncContextManager[SessionStore]:
        """Open an empty store, which is closed with its context."""
        raise NotImplementedError(f"{type(self).__name__} opens no store: define its open_store().")

    # A session's pin

    @_on_a_store
    async def test_a_pin_is_found_again(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        assert await use(store, _A) == _PIN

    @_on_a_store
    async def test_an_unknown_session_has_no_pin(self, store: SessionStore) -> None:
        assert await use(store, _A) is None

    @_on_a_store
    async def test_the_first_pin_holds(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        assert await use(store, _A, _OTHER) == _PIN

    @_on_a_store
    async def test_of_many_concurrent_pins_one_holds_for_all(self, store: SessionStore) -> None:
        pins = [_build_pin(f"m/{number}", lineage=str(number)) for number in range(100)]
        held = await asyncio.gather(*(use(store, _A, pin) for pin in pins))
        assert len({pin.lineage for pin in held if pin is not None}) == 1
        assert await use(store, _A) == held[0]

    @_on_a_store
    async def test_sessions_do_not_touch_each_other(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        await use(store, _B, _OTHER)
        await store.drop(_A)
        assert await use(store, _B) == _OTHER

    @_on_a_store
    async def test_a_tenant_and_an_id_cannot_be_joined_into_anothers(self, store: SessionStore) -> None:
        pairs = [("a:b", "c"), ("a", "b:c"), ("", "a:b:c"), ("a:b:c", ""), ("a/b", "c"), ("a", "b/c")]
        for first, second in combinations((SessionKey(*pair) for pair in pairs), 2):
            await use(store, first, _PIN)
            assert await use(store, second) is None, (first, second)
            await store.drop(first)

    # Moving a pin

    @_on_a_store
    async def test_a_move_replaces_the_known_pin(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        with in_use(store, _A):
            assert (await store.move(_A, _PIN, _MOVED)).pin == _MOVED
        assert await use(store, _A) == _MOVED

    @_on_a_store
    async def test_a_move_from_a_pin_that_was_moved_meanwhile_changes_nothing(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        with in_use(store, _A):
            await store.move(_A, _PIN, _MOVED)
            late = _PIN.move("openai/o3", "r", "upstream_failed", 3.0)
            assert (await store.move(_A, _PIN, late)).pin == _MOVED

    @_on_a_store
    async def test_a_move_from_a_model_that_the_pin_is_not_on_changes_nothing(self, store: SessionStore) -> None:
        """After an outage two replicas may know the same pin, moved once by each."""
        other = _PIN.move("openai/o3", "r", "upstream_failed", 2.0)
        await use(store, _A, _MOVED)
        with in_use(store, _A):
            assert (await store.move(_A, other, other.move("m/1", "r", "unsuitable", 3.0))).pin == _MOVED

    @_on_a_store
    async def test_a_pin_kept_for_another_user_turn_is_no_longer_the_one_known_before(
        self, store: SessionStore
    ) -> None:
        kept = _PIN.keep("r", "1")
        await use(store, _A, _PIN)
        with in_use(store, _A):
            assert (await store.move(_A, _PIN, kept)).pin == kept
            assert (await store.move(_A, _PIN, _PIN.keep("r", "2"))).pin == kept
            assert (await store.move(_A, _PIN, _MOVED)).pin == kept
            moved = kept.move(_CLAUDE, "r", "user_turn", 2.0)
            assert (await store.move(_A, kept, moved)).pin == moved
        assert await use(store, _A) == moved

    @_on_a_store
    async def test_a_move_from_a_pin_that_ended_and_was_made_anew_changes_nothing(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        await store.drop(_A)
        again = _build_pin(lineage="3")
        await use(store, _A, again)
        with in_use(store, _A):
            assert (await store.move(_A, _PIN, _MOVED)).pin == again

    @_on_a_store
    async def test_a_move_of_a_pin_that_has_ended_brings_nothing_back(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        await store.drop(_A)
        with in_use(store, _A):
            assert (await store.move(_A, _PIN, _MOVED)).pin is None
        assert await use(store, _A) is None

    @_on_a_store
    async def test_a_move_to_another_deployment_keeps_the_model(self, store: SessionStore) -> None:
        there = _DEPLOYED.move_deployment("us", 2.0, "status 429")
        await use(store, _A, _DEPLOYED)
        with in_use(store, _A):
            assert (await store.move(_A, _DEPLOYED, there)).pin == there
        assert await use(store, _A) == there

    @_on_a_store
    async def test_of_many_concurrent_moves_to_other_deployments_one_holds_for_all(self, store: SessionStore) -> None:
        await use(store, _A, _DEPLOYED)
        moved = [_DEPLOYED.move_deployment(f"d{number}", 2.0, "status 429") for number in range(20)]
        with in_use(store, _A):
            held = await asyncio.gather(*(store.move(_A, _DEPLOYED, each) for each in moved))
        assert len({each.pin.deployment for each in held if each.pin is not None}) == 1
        assert await use(store, _A) == held[0].pin

    @_on_a_store
    async def test_a_move_from_a_deployment_that_the_pin_is_not_on_changes_nothing(self, store: SessionStore) -> None:
        """After an outage two replicas may know the same pin, moved once by each."""
        there, elsewhere = (_DEPLOYED.move_deployment(name, 2.0, None) for name in ("us", "asia"))
        await use(store, _A, there)
        with in_use(store, _A):
            assert (await store.move(_A, elsewhere, elsewhere.move_deployment("eu", 3.0, None))).pin == there
            assert (await store.move(_A, elsewhere, elsewhere.move("m/1", "r", "unsuitable", 3.0))).pin == there

    # Dropping a pin

    @_on_a_store
    async def test_a_dropped_pin_is_gone_even_while_in_use(self, store: SessionStore) -> None:
        with in_use(store, _A):
            await store.pin(_A, _PIN)
            assert await store.drop(_A)
        assert await use(store, _A) is None

    @_on_a_store
    async def test_dropping_what_is_not_there_says_so(self, store: SessionStore) -> None:
        assert not await store.drop(_A)

    # Explaining a session

    @_on_a_store
    async def test_a_session_is_explained(self, store: SessionStore) -> None:
        await use(store, _A, _PIN, turn=Tokens(100, 20, 60))
        await use(store, _A, turn=Tokens(200, 30, 100))
        session, degraded = await store.find(_A)
        assert session is not None
        assert not degraded
        assert (session.key, session.pin, session.turns) == (_A, _PIN, 2)
        assert session.tokens == Tokens(300, 50, 160)
        assert session.requests_in_flight == 0
        assert TTL_SECONDS - 10 < session.seconds_left <= TTL_SECONDS

    @_on_a_store
    async def test_a_session_in_flight_says_how_many_of_its_requests_are(self, store: SessionStore) -> None:
        with in_use(store, _A, _A):
            await store.pin(_A, _PIN)
            session, _ = await store.find(_A)
        assert session is not None
        assert session.requests_in_flight == 2  # noqa: PLR2004 - it was opened twice

    @_on_a_store
    async def test_a_session_without_a_pin_is_not_explained(self, store: SessionStore) -> None:
        with in_use(store, _A):
            assert await store.find(_A) == (None, False)

    @_on_a_store
    async def test_a_request_that_decided_nothing_is_no_turn(self, store: SessionStore) -> None:
        await use(store, _A, _PIN, turn=Tokens())
        await use(store, _A, turn=None)
        session, _ = await store.find(_A)
        assert session is not None
        assert session.turns == 1

    @_on_a_store
    async def test_a_new_pin_counts_anew(self, store: SessionStore) -> None:
        await use(store, _A, _PIN, turn=Tokens(100, 20, 60))
        await store.drop(_A)
        await use(store, _A, _OTHER, turn=Tokens(1, 1, 1))
        session, _ = await store.find(_A)
        assert session is not None
        assert (session.turns, session.tokens) == (1, Tokens(1, 1, 1))

    @_on_a_store
    async def test_what_operators_are_told_is_remembered(self, store: SessionStore) -> None:
        detours = [Detour(float(number), _CLAUDE, "logprobs") for number in (1, 2)]
        with in_use(store, _A):
            store.note(_A, Notes("too early: there is no pin"))
            await store.pin(_A, _PIN)
            store.note(_A, Notes("night run"))
            store.note(_A, Notes(detours=1, detour=detours[0]))
        with in_use(store, _A):
            store.note(_A, Notes("night run 7", 1, detours[1]))
        session, _ = await store.find(_A)
        assert session is not None
        assert session.notes == Notes("night run 7", 2, detours[1])

    @_on_a_store
    async def test_switches_are_remembered(self, store: SessionStore) -> None:
        await use(store, _A, _PIN)
        with in_use(store, _A):
            await store.move(_A, _PIN, _MOVED)
        session, _ = await store.find(_A)
        assert session is not None
        assert [(each.from_model, each.to_model, each.reason) for each in session.pin.switches] == [
            (_GPT, _CLAUDE, "upstream_failed")
        ]

    # Listing sessions

    @_on_a_store
    async def test_every_session_is_listed_once_in_pages_of_any_size(self, store: SessionStore) -> None:
        keys = [SessionKey("t", f"id/{number}") for number in range(25)]
        for number, key in enumerate(keys):
            await use(store, key, _build_pin(lineage=str(number)))
        for limit in (1, 7, 100):
            assert sorted(await _list_all(store, Wanted(), limit)) == sorted(keys), limit

    @_on_a_store
    async def test_sessions_are_filtered(self, store: SessionStore) -> None:
        await use(store, SessionKey("t", "a1"), _build_pin(lineage="1"))
        await use(store, SessionKey("", "a2"), _build_pin(lineage="2"))
        await use(store, SessionKey("", "b1"), _build_pin(_CLAUDE, lineage="3", route=None))
        for wanted, expected in (
            (Wanted(tenant="t"), ["a1"]),
            (Wanted(tenant=""), ["a2", "b1"]),
            (Wanted(prefix="a"), ["a1", "a2"]),
            (Wanted(model=_CLAUDE), ["b1"]),
            (Wanted(route="r"), ["a1", "a2"]),
            (Wanted(prefix="a", model=_CLAUDE), []),
        ):
            found = await _list_all(store, wanted, 2)
            assert sorted(key.affinity_id for key in found) == expected, wanted

    @_on_a_store
    async def test_a_cursor_that_no_page_gave_is_refused(self, store: SessionStore) -> None:
        for cursor in ("x", "-1", "1.x", "9" * 30, "1\u0661"):
            try:
                await store.scan(Wanted(), limit=1, cursor=cursor)
            except InvalidCursorError:
                continue
            raise AssertionError(f"The cursor {cursor!r} was taken.")

    # Responses

    @_on_a_store
    async def test_a_response_leads_to_its_session_within_its_tenant_alone(self, store: SessionStore) -> None:
        maker = Maker("run-1", TTL_SECONDS, None)
        await store.note_response(ResponseKey("acme", "resp_1"), maker)
        assert await store.find_maker(ResponseKey("acme", "resp_1")) == maker
        assert await store.find_maker(ResponseKey("other", "resp_1")) is None
        assert await store.find_maker(ResponseKey("acme", "resp_2")) is None

    @_on_a_store
    async def test_a_response_leads_to_its_lane(self, store: SessionStore) -> None:
        lane = Lane("codex", "s-1", None, "gpt-5.5", has_tools=True)
        await store.note_response(ResponseKey("", "resp_1"), Maker(lane.key, TTL_SECONDS, lane))
        assert await store.find_maker(ResponseKey("", "resp_1")) == Maker(lane.key, TTL_SECONDS, lane)

    @_on_a_store
    async def test_a_response_pins_nothing_and_is_no_session(self, store: SessionStore) -> None:
        await store.note_response(ResponseKey("", "a"), Maker("a", TTL_SECONDS, None))
        assert await use(store, _A) is None
        assert (await store.scan(Wanted(), limit=10, cursor=None)).sessions == []

    # Implicit ids

    @_on_a_store
    async def test_the_salt_stays_the_same(self, store: SessionStore) -> None:
        assert await store.salt() == await store.salt()
        assert len(await store.salt()) == 16  # noqa: PLR2004 - bytes


async def _list_all(store: SessionStore, wanted: Wanted, limit: int) -> list[SessionKey]:
    found: list[SessionKey] = []
    cursor = None
    while True:
        page = await store.scan(wanted, limit=limit, cursor=cursor)
        assert len(page.sessions) <= limit
        found += [session.key for session in page.sessions]
        cursor = page.cursor
        if cursor is None:
            return found
