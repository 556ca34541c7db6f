"""The suite of session stores, on stores that break a promise: it must find them out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Pin, SessionKey
from plano_agents.sessions.store import Held, Page, SessionStore, Wanted
from plano_agents.testing.session_store import SessionStoreSuite


class Forgetful(MemorySessionStore):
    async def get(self, key: SessionKey) -> Held:
        return Held(None)


class Fickle(MemorySessionStore):
    async def pin(self, key: SessionKey, pin: Pin) -> Held:
        await self.drop(key)
        return await super().pin(key, pin)


class Lenient(MemorySessionStore):
    async def scan(self, wanted: Wanted, *, limit: int, cursor: str | None) -> Page:
        return await super().scan(wanted, limit=limit, cursor=None)


def suite_of(kind: type[MemorySessionStore]) -> SessionStoreSuite:
    class Suite(SessionStoreSuite):
        @asynccontextmanager
        async def open_store(self) -> AsyncGenerator[SessionStore, None]:
            yield kind(max_entries=1_000)

    return Suite()


def find_broken(suite: SessionStoreSuite) -> set[str]:
    """The names of the tests that fail."""
    broken = set()
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except AssertionError:
                broken.add(name)
    return broken


def test_a_store_that_keeps_every_promise_passes() -> None:
    assert find_broken(suite_of(MemorySessionStore)) == set()


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Forgetful, "test_a_pin_is_found_again"),
        (Fickle, "test_the_first_pin_holds"),
        (Lenient, "test_a_cursor_that_no_page_gave_is_refused"),
    ],
)
def test_a_store_that_breaks_a_promise_is_told_which(kind: type[MemorySessionStore], promise: str) -> None:
    with pytest.raises(AssertionError):
        getattr(suite_of(kind), promise)()


def test_a_suite_that_opens_no_store_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match=r"SessionStoreSuite opens no store: define its open_store\(\)"):
        SessionStoreSuite().test_a_pin_is_found_again()
