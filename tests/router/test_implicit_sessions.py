"""Sessions of requests that bring no affinity id, on every surface."""

import json
import re
from collections.abc import Mapping

import pytest

from plano_agents.config.model import Config, Preference, Routing
from plano_agents.config.options import PromptCaching, SessionCache
from plano_agents.router.request.service import Service
from plano_agents.router.request.surfaces import CHAT, ENDPOINTS, SURFACES, Endpoint, Surface
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import Wanted
from tests.router.conftest import (
    Choose,
    Clock,
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
PER_CONVERSATION = PromptCaching(enabled=True)
FIRST, RETAINED = "initialize; reason=first_turn", "retain; reason=pinned"
ID = ("x-model-affinity", "run-1")
ASKED = user("What is the weather in Rome?")
THEN = (ASKED, *CALLED, Said("assistant", "18 degrees."), user("And in Paris?"))
REMINDER = "<system-reminder>It is late.</system-reminder>"

by_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.path)


def build_config(*, caching: PromptCaching | None = None, per_user_turn: bool = False, ttl: int = 600) -> Config:
    """Two preferences, a model each."""
    return Config(
        models=(build_model(ONE), build_model(TWO)),
        preferences=(Preference("one", "the first", (ONE,)), Preference("two", "the second", (TWO,))),
        prompt_caching=caching or PromptCaching(),
        routing=Routing(ttl, route_on_user_only=per_user_turn, session_cache=SessionCache(tenant_header="x-tenant")),
    )


class Router:
    """A service whose routing prefers the first model at first, and the second from then on."""

    def __init__(self, config: Config, pinning: Pinning | None = None) -> None:
        self.pinning = pinning or build_pinning()
        self._strategy = Choose("one")
        self._service: Service = build_service(
            config,
            MemoryUpstream(MemoryResponse(pieces=(COMPLETION,))),
            strategy=self._strategy,
            pinning=self.pinning,
        )

    async def ask(self, surface: Surface, body: bytes, *headers: tuple[str, str]) -> tuple[str, str]:
        """Ask; the model and the decision."""
        seen = await self.send(surface, body, *headers)
        assert seen.status == 200, seen.body
        return seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]

    async def send(self, surface: Surface, body: bytes, *headers: tuple[str, str]) -> Seen:
        seen = await ask(self._service, body, *headers, endpoint=Endpoint(surface))
        self._strategy.name = "two"
        return seen

    async def ids(self) -> list[str]:
        """The ids of all sessions."""
        page = await self.pinning.store.scan(Wanted(), limit=100, cursor=None)
        return [session.key.affinity_id for session in page.sessions]


@by_surface
async def test_the_turns_of_a_conversation_are_one_session(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    assert await router.ask(surface, write(surface, ASKED)) == (ONE, FIRST)
    assert await router.ask(surface, write(surface, ASKED, *CALLED)) == (ONE, RETAINED)
    assert await router.ask(surface, write(surface, *THEN)) == (ONE, RETAINED)
    assert await router.ask(surface, write(surface, *THEN, *CALLED)) == (ONE, RETAINED)


@by_surface
async def test_what_is_no_part_of_the_prompt_changes_nothing(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    await router.ask(surface, write(surface, ASKED))
    varied = json.loads(write(surface, ASKED)) | {"temperature": 0.5, "model": TWO}
    assert await router.ask(surface, json.dumps(varied).encode()) == (ONE, RETAINED)


AIDERS_EXAMPLES = (
    user("Change get_factorial() to use math.factorial"),
    Said("assistant", "To make this change we need to modify mathweb/flask/app.py."),
    user("I switched to a new code base. Please don't consider the above files or try to edit them any longer."),
    Said("assistant", "Ok."),
)
AIDERS_FILES = (
    user("I have *added these files to the chat* so you can go ahead and edit them.\n\napp.py\n{version}"),
    Said("assistant", "Ok, any changes I propose will be to those files."),
)


def aiders(version: str) -> tuple[Said, ...]:
    return tuple(said._replace(text=said.text.replace("{version}", version)) for said in AIDERS_FILES)


@by_surface
async def test_a_tool_that_loads_in_the_middle_of_a_run_starts_no_session(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    await router.ask(surface, write(surface, ASKED))
    assert await router.ask(surface, write(surface, ASKED, *CALLED, tool="search")) == (ONE, RETAINED)


@by_surface
async def test_two_jobs_of_aider_are_two_sessions_for_all_their_fixed_first_messages(
    surface: Surface,
) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    job, other = user("Add a test."), user("Fix the build.")
    assert (await router.ask(surface, write(surface, *AIDERS_EXAMPLES, *aiders("1"), job)))[1] == FIRST
    assert (await router.ask(surface, write(surface, *AIDERS_EXAMPLES, *aiders("1"), other)))[1] == FIRST
    again = (*AIDERS_EXAMPLES, job, Said("assistant", "Done."), *aiders("2"), user("Go on."))
    assert await router.ask(surface, write(surface, *again)) == (ONE, RETAINED)


OTHERS: Mapping[str, tuple[Said, Mapping[str, str], Mapping[str, str]]] = {
    "system prompt": (ASKED, {"system": "Be long."}, {}),
    "first message": (user("What is the weather in Oslo?"), {}, {}),
    "tenant": (ASKED, {}, {"x-tenant": "b"}),
}


@by_surface
@pytest.mark.parametrize("per_user_turn", [True, False], ids=["per user turn", "per conversation"])
@pytest.mark.parametrize("other", OTHERS)
async def test_what_begins_otherwise_is_another_session(
    surface: Surface,
    per_user_turn: bool,  # noqa: FBT001 - parametrized
    other: str,
) -> None:
    router = Router(build_config(caching=PER_CONVERSATION, per_user_turn=per_user_turn))
    said, fields, headers = OTHERS[other]
    await router.ask(surface, write(surface, ASKED), ("x-tenant", "a"))
    tenant = ("x-tenant", headers.get("x-tenant", "a"))
    assert await router.ask(surface, write(surface, said, **fields), tenant) == (TWO, FIRST)
    assert await router.ask(surface, write(surface, ASKED), ("x-tenant", "a")) == (ONE, RETAINED)
    assert len(set(await router.ids())) == 2


@by_surface
@pytest.mark.parametrize("caching", [PER_CONVERSATION, None], ids=["with caching", "alone"])
async def test_with_route_on_user_only_a_users_turn_is_routed_and_its_tool_loop_keeps_the_model(
    surface: Surface, caching: PromptCaching | None
) -> None:
    router = Router(build_config(caching=caching, per_user_turn=True))
    assert await router.ask(surface, write(surface, ASKED)) == (ONE, FIRST)
    assert await router.ask(surface, write(surface, ASKED, *CALLED)) == (ONE, RETAINED)
    assert await router.ask(surface, write(surface, ASKED, *CALLED, *CALLED)) == (ONE, RETAINED)
    assert await router.ask(surface, write(surface, *THEN)) == (TWO, FIRST)
    assert await router.ask(surface, write(surface, *THEN, *CALLED)) == (TWO, RETAINED)


@by_surface
async def test_with_route_on_user_only_the_same_words_said_again_are_another_turn(surface: Surface) -> None:
    router = Router(build_config(per_user_turn=True))
    await router.ask(surface, write(surface, ASKED))
    again = write(surface, ASKED, Said("assistant", "18 degrees."), ASKED)
    assert await router.ask(surface, again) == (TWO, FIRST)


@by_surface
@pytest.mark.parametrize("per_user_turn", [True, False], ids=["per user turn", "per conversation"])
async def test_a_harness_reminders_change_nothing(
    surface: Surface,
    per_user_turn: bool,  # noqa: FBT001 - parametrized
) -> None:
    """Before a user's words, behind them, and as a message of their own after a tool's result."""
    router = Router(build_config(caching=PER_CONVERSATION, per_user_turn=per_user_turn))
    await router.ask(surface, write(surface, ASKED))
    wrapped = user(f"{REMINDER}\n{ASKED.text}\n{REMINDER}")
    assert await router.ask(surface, write(surface, wrapped)) == (ONE, RETAINED)
    assert await router.ask(surface, write(surface, ASKED, *CALLED, user(REMINDER))) == (ONE, RETAINED)
    assert len(await router.ids()) == 1


@by_surface
async def test_an_explicit_id_outranks_route_on_user_only(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION, per_user_turn=True))
    assert await router.ask(surface, write(surface, ASKED), ID) == (ONE, FIRST)
    assert await router.ask(surface, write(surface, *THEN), ID) == (ONE, RETAINED)
    assert await router.ids() == [ID[1]]


@by_surface
async def test_an_explicit_id_is_another_session_than_the_conversations_own(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    assert await router.ask(surface, write(surface, ASKED)) == (ONE, FIRST)
    assert await router.ask(surface, write(surface, ASKED), ID) == (TWO, FIRST)
    assert await router.ask(surface, write(surface, ASKED)) == (ONE, RETAINED)


@by_surface
async def test_no_client_can_name_an_implicit_session(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    await router.ask(surface, write(surface, ASKED))
    [implicit] = await router.ids()
    seen = await router.send(surface, write(surface, ASKED), ("x-model-affinity", implicit))
    assert seen.status == 400
    assert "no spaces" in seen.error["message"]


@by_surface
async def test_an_implicit_id_says_nothing_of_the_prompt(surface: Surface) -> None:
    """A hash, salted: the same conversation has another id in another store, so none can be looked up."""
    ids = set()
    for _ in range(2):
        router = Router(build_config(caching=PER_CONVERSATION))
        seen = await router.send(surface, write(surface, ASKED))
        assert "x-model-affinity" not in seen.headers
        ids.update(await router.ids())
    assert len(ids) == 2
    assert all(re.fullmatch("implicit·[0-9a-f]{32}", found) for found in ids)


@by_surface
async def test_the_routing_endpoint_decides_for_the_same_session(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION))
    await router.ask(surface, write(surface, ASKED))
    decided = await ask(router._service, write(surface, ASKED), endpoint=ENDPOINTS[f"/routing{surface.path}"])
    answer = json.loads(decided.body)
    assert (answer["models"], answer["decision"], answer["session_id"]) == ([ONE], "retain", None)


@pytest.mark.parametrize(
    ("caching", "per_user_turn", "seconds"),
    [
        (PER_CONVERSATION, False, 100),
        (PromptCaching(enabled=True, session_ttl_seconds=30), False, 30),
        (PromptCaching(enabled=True, session_ttl_seconds=300), True, 300),
        (PromptCaching(enabled=False, session_ttl_seconds=30), True, 100),
    ],
)
async def test_an_implicit_session_lives_as_long_as_prompt_caching_says(
    caching: PromptCaching,
    per_user_turn: bool,  # noqa: FBT001 - parametrized
    seconds: int,
) -> None:
    """And as long as any other where it says nothing."""
    clock = Clock()
    config = build_config(caching=caching, per_user_turn=per_user_turn, ttl=100)
    router = Router(config, build_pinning(clock))
    await router.ask(CHAT, write(CHAT, ASKED))
    clock.now += seconds - 1
    assert await router.ask(CHAT, write(CHAT, ASKED)) == (ONE, RETAINED)
    clock.now += seconds
    assert await router.ask(CHAT, write(CHAT, ASKED)) == (TWO, FIRST)


async def test_an_explicit_id_lives_by_its_own_time_to_live() -> None:
    clock = Clock()
    config = build_config(caching=PromptCaching(enabled=True, session_ttl_seconds=30), ttl=100)
    router = Router(config, build_pinning(clock))
    await router.ask(CHAT, write(CHAT, ASKED), ID)
    clock.now += 99
    assert await router.ask(CHAT, write(CHAT, ASKED), ID) == (ONE, RETAINED)


@by_surface
@pytest.mark.parametrize(
    "caching",
    [PromptCaching(), PromptCaching(enabled=True, session_affinity=False)],
    ids=["off", "no affinity"],
)
async def test_where_nothing_asks_for_it_a_request_without_an_id_has_no_session(
    surface: Surface, caching: PromptCaching
) -> None:
    router = Router(build_config(caching=caching))
    assert await router.ask(surface, write(surface, ASKED)) == (ONE, "none")
    assert await router.ask(surface, write(surface, ASKED)) == (TWO, "none")


@by_surface
async def test_where_no_user_has_said_anything_there_is_no_session(surface: Surface) -> None:
    router = Router(build_config(caching=PER_CONVERSATION, per_user_turn=True))
    assert await router.ask(surface, write(surface, user(REMINDER))) == (ONE, "none")
    assert await router.ids() == []
