"""Conversations whose history is replaced by a summary, and sub-agents beside them, on every surface."""

import pytest

from plano_agents.config.options import PromptCaching
from plano_agents.router.request.surfaces import CHAT, SURFACES, Surface
from plano_agents.sessions.pin import SessionKey
from tests.router.conversations import CALLED, Said, user, write
from tests.router.test_implicit_sessions import FIRST, ID, ONE, RETAINED, TWO, Router, build_config

ASKED = user("Compare PostgreSQL and SQLite.")
LONG = (ASKED, *CALLED, Said("assistant", "Which load do you have?"), user("A thousand writes a second."))
SUMMARY = user("Summary of what was said: the user compares databases for a thousand writes a second.")
CHILD = ("x-model-affinity", "run-1/researcher")

by_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.path)


@by_surface
@pytest.mark.parametrize("per_user_turn", [True, False], ids=["per user turn", "per conversation"])
async def test_a_compacted_transcript_keeps_its_model_by_its_id(
    surface: Surface,
    per_user_turn: bool,  # noqa: FBT001 - parametrized
) -> None:
    """Nothing of the transcript by which the session was begun is left, and implicit sessions are on."""
    router = Router(build_config(caching=PromptCaching(enabled=True), per_user_turn=per_user_turn))
    await router.ask(surface, write(surface, *LONG), ID)
    compacted = write(surface, SUMMARY, user("So which one?"), system="Go on.", tool="other")
    assert await router.ask(surface, compacted, ID) == (ONE, RETAINED)


@by_surface
async def test_without_an_id_a_compacted_transcript_is_another_session(surface: Surface) -> None:
    """A limit that is told: an implicit session is recognised by its beginning."""
    router = Router(build_config(caching=PromptCaching(enabled=True)))
    await router.ask(surface, write(surface, *LONG))
    assert await router.ask(surface, write(surface, SUMMARY, user("So which one?"))) == (TWO, FIRST)


@by_surface
async def test_a_compacted_transcript_that_lost_its_pin_keeps_its_model_by_the_hint(surface: Surface) -> None:
    router = Router(build_config())
    await router.ask(surface, write(surface, *LONG), ID)
    await router.pinning.store.drop(SessionKey("", ID[1]))
    hint = ("x-model-affinity-hint", "one")
    assert await router.ask(surface, write(surface, SUMMARY), ID, hint) == (ONE, "initialize; reason=hint")


@by_surface
async def test_a_sub_agents_lane_has_a_pin_of_its_own(surface: Surface) -> None:
    router = Router(build_config())
    assert await router.ask(surface, write(surface, ASKED), ID) == (ONE, FIRST)
    assert await router.ask(surface, write(surface, user("Find benchmarks.")), CHILD) == (TWO, FIRST)
    assert await router.ask(surface, write(surface, *LONG), ID) == (ONE, RETAINED)
    assert await router.ask(surface, write(surface, *LONG), CHILD) == (TWO, RETAINED)


async def test_a_sub_agents_end_leaves_its_parents_pin() -> None:
    router = Router(build_config())
    for headers in (ID, CHILD):
        await router.ask(CHAT, write(CHAT, ASKED), headers)
    assert await router.pinning.store.drop(SessionKey("", CHILD[1]))
    assert await router.ids() == [ID[1]]
