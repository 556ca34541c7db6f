"""Lanes of harnesses' sessions: which of them keeps which model, whatever begins beside it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plano_agents.config.model import Preference, Retries
from plano_agents.router.request.surfaces import ENDPOINTS
from tests.router.harness import (
    AGENT,
    CLAUDE,
    CONFIG,
    FIRST,
    HOSTED,
    LATE,
    MAIN_MODEL,
    ONE,
    RETAINED,
    SESSION,
    SMALL,
    TOOL,
    TWO,
    WITH_CLAUDE,
    Harness,
)


async def test_a_harness_run_keeps_its_model_without_any_setting() -> None:
    harness = Harness()
    assert await harness.ask_main() == (ONE, FIRST)
    assert [await harness.ask_main() for _ in range(3)] == [(ONE, RETAINED)] * 3


@pytest.mark.parametrize("tools", [None, []])
async def test_a_title_request_that_comes_first_decides_nothing_for_the_run(tools: list[Any] | None) -> None:
    """In a model of its own, or in the main lane's, which is not known yet."""
    for model in ("small", MAIN_MODEL):
        harness = Harness()
        title = await harness.ask(model=model, tools=tools)
        assert title == (SMALL if model == "small" else ONE, FIRST)
        assert await harness.ask_main() == (TWO, FIRST)
        assert await harness.ask_main() == (TWO, RETAINED)
        assert await harness.ask(model=model, tools=tools) == (title[0], RETAINED)


async def test_a_title_request_that_comes_later_has_the_main_lanes_model_where_it_asks_for_it() -> None:
    harness = Harness()
    await harness.ask_main()
    assert await harness.ask() == (ONE, RETAINED)
    assert await harness.ask(model="small") == (SMALL, FIRST)
    assert await harness.ask_main() == (ONE, RETAINED)


async def test_a_sub_agent_has_a_pin_of_its_own() -> None:
    harness = Harness()
    assert await harness.ask_main() == (ONE, FIRST)
    assert await harness.ask_main(SESSION, AGENT) == (TWO, FIRST)
    other = ("x-claude-code-agent-id", "a-2")
    assert await harness.ask_main(SESSION, other) == (ONE, FIRST)
    assert await harness.ask_main(SESSION, AGENT) == (TWO, RETAINED)
    assert await harness.ask_main() == (ONE, RETAINED)


async def test_a_sub_agent_that_asks_for_a_configured_model_gets_it() -> None:
    harness = Harness()
    await harness.ask_main()
    assert await harness.ask_main(SESSION, AGENT, model="small") == (SMALL, FIRST)
    assert await harness.ask_main(SESSION, AGENT, model="small") == (SMALL, RETAINED)
    assert await harness.ask_main() == (ONE, RETAINED)


async def test_a_sub_agent_that_asks_for_what_the_main_lane_asks_for_is_routed_too() -> None:
    harness = Harness()
    assert await harness.ask_main(model="small") == (ONE, FIRST)
    assert await harness.ask_main(SESSION, AGENT, model="small") == (TWO, FIRST)


async def test_a_lane_that_named_its_model_has_the_fallbacks_of_that_models_preference() -> None:
    named = (*CONFIG.preferences, Preference("small", "the third", (SMALL, TWO)))
    harness = Harness(replace(CONFIG, preferences=named, retries=Retries(max_per_candidate=0)))
    assert await harness.ask_main(SESSION, AGENT, model="small") == (SMALL, FIRST)
    harness.upstream.fails = {"small"}
    told = await harness.ask_main(SESSION, AGENT, model="small")
    assert told == (TWO, "switch; reason=upstream_failed; because=status 503")
    assert await harness.ask_main(SESSION, AGENT, model="small") == (TWO, RETAINED)


async def test_a_sub_agents_side_request_shares_its_model() -> None:
    harness = Harness()
    await harness.ask_main()
    assert await harness.ask_main(SESSION, AGENT) == (TWO, FIRST)
    assert await harness.ask(SESSION, AGENT) == (TWO, RETAINED)


async def test_a_lane_of_no_named_model_is_routed() -> None:
    harness = Harness()
    assert await harness.ask(model=None) == (ONE, FIRST)


async def test_a_lanes_pin_is_its_own_to_the_end() -> None:
    """A pin stays, whatever begins beside it, and however the subject changes."""
    harness = Harness()
    lanes: Mapping[str, tuple[tuple[tuple[str, str], ...], dict[str, Any]]] = {
        "side": ((SESSION,), {"model": "small"}),
        "main": ((SESSION,), {"tools": [TOOL]}),
        "agent": ((SESSION, AGENT), {"tools": [TOOL]}),
        "agent-side": ((SESSION, AGENT), {"model": "small"}),
    }
    first = {name: (await harness.ask(*headers, **fields))[0] for name, (headers, fields) in lanes.items()}
    for _ in range(3):
        for name, (headers, fields) in lanes.items():
            assert await harness.ask(*headers, **fields) == (first[name], RETAINED)
    assert harness.pinning.ledger.violations == 0


async def test_a_tool_that_loads_in_the_middle_starts_no_session() -> None:
    harness = Harness()
    await harness.ask_main()
    assert await harness.ask_main(tools=[TOOL, LATE]) == (ONE, RETAINED)


async def test_a_compacted_transcript_keeps_its_model() -> None:
    """The summary is asked for with or without tools; the transcript that follows begins anew."""
    harness = Harness()
    await harness.ask_main()
    summary = [{"role": "user", "content": "Respond with text only: summarise."}]
    assert await harness.ask(messages=summary) == (ONE, RETAINED)
    assert await harness.ask_main(messages=summary) == (ONE, RETAINED)
    after = [{"role": "user", "content": "This session is being continued. Summary: …"}]
    assert await harness.ask_main(messages=after) == (ONE, RETAINED)


async def test_a_session_that_is_continued_by_another_process_keeps_its_model() -> None:
    """``claude -c`` and ``codex resume`` send the id of the session that they continue."""
    harness = Harness()
    codex = [("thread-id", "t-1"), ("session-id", "t-1"), ("x-codex-window-id", "t-1:0")]
    await harness.ask_main()
    await harness.ask_main(*codex)
    again = Harness(pinning=harness.pinning)
    await again.ask_main(("x-claude-code-session-id", "s-2"))
    assert await again.ask_main() == (ONE, RETAINED)
    assert await again.ask_main(*codex[:2], ("x-codex-window-id", "t-1:1")) == (TWO, RETAINED)


SEARCH = f"detour; reason=unsuitable; pinned={ONE}; because=tools[0].type"


async def test_a_web_search_that_the_pinned_model_cannot_run_is_a_detour_and_the_pin_stays() -> None:
    harness = Harness(WITH_CLAUDE)
    assert await harness.ask_main() == (ONE, FIRST)
    assert await harness.ask(tools=[HOSTED]) == (CLAUDE, SEARCH)
    assert await harness.ask_main() == (ONE, RETAINED)
    assert harness.pinning.ledger.violations == 0


async def test_after_a_restart_the_run_goes_on_with_the_pin_that_a_detour_named() -> None:
    harness, run = Harness(WITH_CLAUDE), ("x-model-affinity", "run-1")
    await harness.ask_main(run)
    _, told = await harness.ask(run, tools=[HOSTED])
    pinned = dict(part.partition("=")[::2] for part in told.split("; "))["pinned"]
    restarted = Harness(WITH_CLAUDE)
    hinted = await restarted.ask_main(run, ("x-model-affinity-hint", pinned))
    assert hinted == (ONE, "initialize; reason=hint")


async def test_after_a_restart_a_detour_still_pins_the_model_that_is_hinted() -> None:
    harness, hint = Harness(WITH_CLAUDE), ("x-model-affinity-hint", ONE)
    assert await harness.ask(("x-model-affinity", "run-1"), hint, tools=[HOSTED]) == (CLAUDE, SEARCH)
    assert await harness.ask_main(("x-model-affinity", "run-1")) == (ONE, RETAINED)


async def test_where_the_first_candidate_cannot_serve_the_first_turn_the_next_is_pinned_and_that_is_no_switch() -> None:
    harness = Harness(WITH_CLAUDE)
    assert await harness.ask(tools=[HOSTED]) == (CLAUDE, FIRST)
    assert await harness.ask_main() == (CLAUDE, RETAINED)


async def test_counting_tokens_is_made_for_the_lanes_model() -> None:
    harness = Harness()
    await harness.ask_main()
    seen = await harness.send(tools=[TOOL], endpoint=ENDPOINTS["/v1/messages/count_tokens"])
    assert (seen.status, seen.headers["x-plano-model"]) == (200, ONE)


async def test_an_opencode_sub_agent_is_a_lane_of_its_parents_session() -> None:
    harness, opencode = Harness(), ("user-agent", "opencode/1.18.33 runtime/bun/1.3.14")
    main = (opencode, ("x-session-id", "ses_1"), ("x-session-affinity", "ses_1"))
    child = (opencode, ("x-session-id", "ses_2"), ("x-parent-session-id", "ses_1"))
    assert await harness.ask_main(*main, model="small") == (ONE, FIRST)
    assert await harness.ask_main(*child, model="small") == (TWO, FIRST)
    assert await harness.ask_main(*main, model="small") == (ONE, RETAINED)
    seen = await harness.send(*child, model="small", tools=[TOOL])
    assert seen.headers["x-plano-session"] == "harness=opencode; lane=agent/ses_2/small"


asked = st.tuples(st.sampled_from([None, "a-1", "a-2"]), st.sampled_from(["small", MAIN_MODEL]), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(asked, max_size=14))
async def test_whatever_lanes_begin_in_whatever_order_each_gets_and_keeps_what_the_page_says(
    requests: list[tuple[str | None, str, bool]],
) -> None:
    harness, pins = Harness(), {}
    for number, (agent, model, has_tools) in enumerate(requests):
        lane, with_tools, main = (agent, model, has_tools), (agent, model, True), (None, model, True)
        found = next((each for each in (lane, with_tools) if each in pins), None)
        if found is None:
            by_name = lane != main and model == "small" and main not in pins
            pins[lane] = SMALL if by_name else (ONE, TWO)[number % 2]
        headers = (SESSION, ("x-claude-code-agent-id", agent)) if agent is not None else (SESSION,)
        told = await harness.ask(*headers, model=model, tools=[TOOL] if has_tools else None)
        assert told == (pins[found or lane], RETAINED if found is not None else FIRST)
    assert harness.pinning.ledger.violations == 0
