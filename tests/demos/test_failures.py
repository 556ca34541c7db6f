"""The demo's third act: its configuration and its verdict. The act itself: tests/end_to_end/test_demo.py."""

from pathlib import Path

import pytest

from plano_agents.config import load_config
from plano_agents.demos.failures import conclude, write_config
from plano_agents.demos.loop import Turn

PLACES = ["http://127.0.0.1:1", "http://127.0.0.1:2"]


def turn(model: str, decision: str | None) -> Turn:
    return Turn(1, "schema", model, None, decision, (), "", 0, 0, None, None)


def test_each_openai_model_is_served_in_both_places_and_begins_in_the_first(root: Path, tmp_path: Path) -> None:
    path = write_config(root / "config.yaml", tmp_path, PLACES)
    config = load_config(path, environ={})
    served = {
        model.name: [(each.name, each.base_url, each.weight) for each in model.deployments] for model in config.models
    }
    both = [("eu", PLACES[0], 1), ("us", PLACES[1], 0)]
    assert served == {"openai/gpt-4o-mini": both, "openai/gpt-4o": both, "anthropic/claude-sonnet-4-6": []}


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        (
            [turn("a", "initialize; reason=first_turn"), turn("b", "switch; reason=upstream_failed")],
            "✓ a → b: model switched 1 time(s) in 2 turns; the router gave its reason for each",
        ),
        (
            [turn("a", "initialize; reason=first_turn"), turn("b", "retain; reason=pinned"), turn("b", None)],
            "✗ a → b: model switched 1 time(s) in 3 turns; the router gave its reason for 0",
        ),
    ],
)
def test_a_switch_that_was_not_reported_fails_the_act(turns: list[Turn], said: str) -> None:
    assert conclude(turns).plain == said
