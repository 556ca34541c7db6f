"""Names that clients ask for and nobody configured: who serves them, and what is told."""

from dataclasses import replace

import pytest

from tests.router.conftest import (
    build_model,
)
from tests.router.harness import CONFIG, FIRST, MAIN_MODEL, ONE, RETAINED, SDK, SMALL, TOOL, TWO, Harness


async def test_a_name_that_nobody_configured_is_served_by_the_default_in_a_harness_session_and_told() -> None:
    harness = Harness(replace(CONFIG, preferences=()))
    seen = await harness.send(tools=[TOOL])
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]) == (ONE, FIRST)
    assert seen.headers["x-plano-adjusted"].startswith(f"model={ONE} (was {MAIN_MODEL})")


async def test_a_name_that_nobody_configured_is_served_by_the_pin_or_the_matched_preference_always() -> None:
    harness, run = Harness(), ("x-model-affinity", "run-1")
    seen = await harness.send(SDK)
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]) == (ONE, "none")
    assert seen.headers["x-plano-adjusted"].startswith(f"model={ONE} (was {MAIN_MODEL})")
    assert await harness.ask(run, model=None) == (TWO, FIRST)
    seen = await harness.send(run)
    assert (seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]) == (TWO, RETAINED)
    assert seen.headers["x-plano-adjusted"].startswith(f"model={TWO} (was {MAIN_MODEL})")


@pytest.mark.parametrize("headers", [(SDK,), (("x-model-affinity", "run-1"),)])
async def test_elsewhere_a_name_that_nobody_configured_is_a_404_with_the_nearest(
    headers: tuple[tuple[str, str], ...],
) -> None:
    seen = await Harness(replace(CONFIG, preferences=())).send(*headers, model="openai/smal")
    assert seen.status == 404
    assert "did you mean 'openai/small'" in seen.error["message"]


async def test_a_bare_name_finds_its_providers_wildcard() -> None:
    config = replace(CONFIG, models=(*CONFIG.models, build_model("openai/*")))
    assert await Harness(config).ask(model="gpt-5-mini") == ("openai/gpt-5-mini", FIRST)


async def test_a_pattern_of_the_settings_names_a_helpers_model() -> None:
    config = replace(CONFIG, alias_patterns={"claude-haiku-*": SMALL})
    assert await Harness(config).ask(model="claude-haiku-4-5-20251001") == (SMALL, FIRST)
