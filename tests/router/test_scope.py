"""The scope of an id: its model is kept for a session, or for a user turn, on every surface."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from plano_agents.config.model import Config, Preference, Routing
from plano_agents.config.options import SessionCache
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import CHAT, COMPACT, RESPONSES, SURFACES, Endpoint, Surface
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import Wanted
from tests.router.conftest import (
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_model,
    build_pinning,
    build_service,
)
from tests.router.conversations import CALLED, Said, user, write
from tests.router.raw_client import COMPLETION

ONE, TWO = "openai/one", "openai/two"
ID = ("x-model-affinity", "run-1")
SCOPE = "x-model-affinity-scope"
USER_TURN = (SCOPE, "user_turn")
ASKED = user("Hi")
LOOP = (ASKED, *CALLED)
NEXT = (*LOOP, Said("assistant", "18 degrees."), user("Now write me a parser."))
BY_USER_TURN = Routing(scope="user_turn")
RETAINED, SWITCHED = "retain; reason=pinned", "switch; reason=user_turn; because=preference two"

by_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.path)


class Router:
    """A service whose routing prefers the first model at first, and the second from then on."""

    def __init__(self, routing: Routing | None = None, pinning: Pinning | None = None) -> None:
        self.pinning = pinning or build_pinning()
        self._strategy = Choose("one")
        config = Config(
            models=(build_model(ONE), build_model(TWO)),
            preferences=(Preference("one", "the first", (ONE,)), Preference("two", "the second", (TWO,))),
            routing=routing or Routing(),
        )
        upstream = MemoryUpstream(MemoryResponse(pieces=(COMPLETION,)))
        self._service: Service = build_service(config, upstream, strategy=self._strategy, pinning=self.pinning)

    async def send(self, endpoint: Endpoint, body: bytes, *headers: tuple[str, str]) -> Seen:
        seen = await ask(self._service, body, *headers, endpoint=endpoint)
        self._strategy.name = "two"
        return seen

    async def ask(
        self, surface: Surface, *steps: Said, headers: tuple[tuple[str, str], ...] = (ID,)
    ) -> tuple[str, str]:
        """Ask; the model and the decision."""
        seen = await self.send(Endpoint(surface), write(surface, *steps), *headers)
        assert seen.status == 200, seen.body
        return seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]


@by_surface
async def test_a_user_turn_keeps_its_model_within_the_tool_loop_and_a_new_message_is_routed_again(
    surface: Surface,
) -> None:
    router = Router(BY_USER_TURN)
    assert await router.ask(surface, ASKED) == (ONE, "initialize; reason=first_turn")
    assert await router.ask(surface, *LOOP) == (ONE, RETAINED)
    assert await router.ask(surface, *LOOP, *CALLED) == (ONE, RETAINED)
    assert await router.ask(surface, *NEXT) == (TWO, SWITCHED)
    assert await router.ask(surface, *NEXT, *CALLED) == (TWO, RETAINED)
    assert router.pinning.ledger.violations == 0


@by_surface
async def test_a_user_turn_that_is_sent_again_keeps_its_decision(surface: Surface) -> None:
    router = Router(BY_USER_TURN)
    await router.ask(surface, ASKED)
    assert await router.ask(surface, ASKED) == (ONE, RETAINED)


@by_surface
async def test_the_header_asks_for_a_scope_and_outranks_the_configuration(surface: Surface) -> None:
    router = Router()
    await router.ask(surface, ASKED)
    assert await router.ask(surface, *NEXT) == (ONE, RETAINED)
    assert await router.ask(surface, *NEXT, headers=(ID, USER_TURN)) == (TWO, SWITCHED)
    router = Router(BY_USER_TURN)
    await router.ask(surface, ASKED)
    assert await router.ask(surface, *NEXT, headers=(ID, (SCOPE, "session"))) == (ONE, RETAINED)


@pytest.mark.parametrize("value", ["", "turn", "User_Turn", "user_turn,session"])
async def test_a_scope_that_is_none_is_refused(value: str) -> None:
    seen = await Router().send(Endpoint(CHAT), write(CHAT, ASKED), ID, (SCOPE, value))
    assert (seen.status, seen.error["param"]) == (400, SCOPE)
    assert repr(value) in seen.error["message"]


async def test_a_scope_that_is_sent_twice_is_refused() -> None:
    seen = await Router().send(Endpoint(CHAT), write(CHAT, ASKED), ID, USER_TURN, (SCOPE, "user_turn"))
    assert seen.status == 400


HARNESS: Mapping[str, str] = {"x-claude-code-session-id": "s-1", "user-agent": "claude-cli/2.1.0 (external, cli)"}


async def test_the_session_of_a_harness_keeps_its_model_whatever_is_configured() -> None:
    router, headers = Router(BY_USER_TURN), tuple(HARNESS.items())
    await router.ask(CHAT, ASKED, headers=headers)
    assert await router.ask(CHAT, *NEXT, headers=headers) == (ONE, RETAINED)
    assert await router.ask(CHAT, *NEXT, headers=(*headers, USER_TURN)) == (TWO, SWITCHED), "but where it asks itself"


async def test_without_a_session_a_scope_changes_nothing() -> None:
    router = Router()
    assert await router.ask(CHAT, ASKED, headers=(USER_TURN,)) == (ONE, "none")


async def test_a_compaction_is_no_users_message() -> None:
    router = Router(BY_USER_TURN)
    await router.ask(RESPONSES, ASKED)
    body = json.loads(write(RESPONSES, *NEXT))
    seen = await router.send(COMPACT, json.dumps(body).encode(), ID)
    assert seen.headers["x-plano-affinity"] == RETAINED


async def test_a_restarted_router_knows_a_user_turn_by_what_its_store_kept() -> None:
    pinning = build_pinning()
    await Router(BY_USER_TURN, pinning).ask(CHAT, ASKED)
    again = Router(replace(BY_USER_TURN, threshold=0.4), pinning)
    again._strategy.name = "two"
    assert await again.ask(CHAT, ASKED) == (ONE, RETAINED)


async def test_nothing_of_a_users_words_is_kept() -> None:
    router = Router(BY_USER_TURN)
    await router.ask(CHAT, user("a very secret word"))
    (session,) = (await router.pinning.store.scan(Wanted(), limit=2, cursor=None)).sessions
    assert len(session.pin.user_turn) == 16
    assert "secret" not in repr(session)


async def test_a_tenant_that_is_sent_twice_is_refused_whatever_the_scope() -> None:
    """Behind a gateway that sets the tenant, a client would choose another."""
    tenants = SessionCache(tenant_header="x-tenant")
    for routing in (Routing(session_cache=tenants), Routing(scope="user_turn", session_cache=tenants)):
        router = Router(routing)
        for scope in ((), (USER_TURN,)):
            twice = (ID, *scope, ("x-tenant", "a"), ("x-tenant", "b"))
            seen = await router.send(Endpoint(CHAT), write(CHAT, ASKED), *twice)
            assert seen.status == 400
            assert b"x-tenant came 2 times" in seen.body
