import pytest

from plano_agents.sessions.decide import (
    Route,
    decide_after_move,
    decide_after_routing,
    decide_before_routing,
    decide_without_session,
)
from plano_agents.sessions.pin import Decision, Pin

GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude"


def find(name: str) -> str | None:
    return {"gpt-4o": GPT, GPT: GPT, "claude": CLAUDE, CLAUDE: CLAUDE}.get(name)


@pytest.mark.parametrize(
    ("pin", "hint", "expected"),
    [
        (None, None, None),
        (Pin(GPT, "r"), None, Decision(GPT, "r", "retain", "pinned")),
        (Pin(GPT, "r"), "claude", Decision(GPT, "r", "retain", "pinned")),
        (None, "claude", Decision(CLAUDE, None, "initialize", "hint")),
        (None, "unknown", None),
        (Pin("openai/removed", "r"), None, None),
        (Pin("openai/removed", "r"), "claude", None),
    ],
)
def test_a_live_pin_comes_before_a_hint_and_a_hint_before_routing(
    pin: Pin | None, hint: str | None, expected: Decision | None
) -> None:
    assert decide_before_routing(pin, hint=hint, find_model=find) == expected


def test_without_a_session_nothing_is_remembered() -> None:
    assert decide_without_session(Route(GPT, "r")) == Decision(GPT, "r", "none", None)


def test_a_first_turn_initializes() -> None:
    assert decide_after_routing(None, Route(GPT, None)) == Decision(GPT, None, "initialize", "first_turn")


def test_a_pinned_model_that_was_removed_is_switched() -> None:
    assert decide_after_routing(Pin("openai/removed", "r"), Route(GPT, "s")) == Decision(
        GPT, "s", "switch", "model_removed"
    )


def test_a_decision_writes_its_header() -> None:
    assert Decision(GPT, None, "retain", "pinned").header == "retain; reason=pinned"
    assert Decision(GPT, None, "none", None).header == "none"


def test_a_session_whose_model_failed_switches() -> None:
    decided = Decision(GPT, "r", "retain", "pinned")
    assert decide_after_move(decided, CLAUDE, "unsuitable") == Decision(CLAUDE, "r", "switch", "unsuitable")


def test_without_a_session_another_model_is_just_another_model() -> None:
    assert decide_after_move(Decision(GPT, "r", "none", None), CLAUDE, "upstream_failed") == Decision(
        CLAUDE, "r", "none", None
    )
