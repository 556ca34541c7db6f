import pytest

from plano_agents.sessions.decide import (
    Route,
    Settled,
    decide_after_move,
    decide_after_routing,
    decide_before_routing,
    decide_without_session,
)
from plano_agents.sessions.pin import MAX_SWITCHES, Decision, Pin
from tests.sessions.conftest import CLAUDE, GPT, build_pin

REMOVED = build_pin("openai/removed")


def find(name: str) -> str | None:
    return {"gpt-4o": GPT, GPT: GPT, "claude": CLAUDE, CLAUDE: CLAUDE}.get(name)


def decide(pin: Pin | None, hint: str | None = None) -> Settled | None:
    return decide_before_routing(pin, hint=hint, find_model=find, now=5.0)


@pytest.mark.parametrize("hint", [None, "claude"])
def test_a_live_pin_is_retained_whatever_the_hint(hint: str | None) -> None:
    assert decide(build_pin(), hint) == Settled(Decision(GPT, "r", "retain", "pinned"), build_pin())


def test_a_hint_comes_before_routing() -> None:
    settled = decide(None, "claude")
    assert settled is not None
    assert settled.decision == Decision(CLAUDE, None, "initialize", "hint")
    assert (settled.pin.model, settled.pin.reason, settled.pin.pinned_at) == (CLAUDE, "hint", 5.0)


@pytest.mark.parametrize(
    ("pin", "hint"), [(None, None), (None, "unknown"), (REMOVED, None), (REMOVED, "claude")]
)
def test_without_a_usable_pin_or_hint_the_request_must_be_routed(pin: Pin | None, hint: str | None) -> None:
    assert decide(pin, hint) is None


def test_without_a_session_nothing_is_remembered() -> None:
    assert decide_without_session(Route(GPT, "r")) == Decision(GPT, "r", "none", None)


def test_a_first_turn_initializes() -> None:
    decision, pin = decide_after_routing(None, Route(GPT, None), now=5.0)
    assert decision == Decision(GPT, None, "initialize", "first_turn")
    assert (pin.model, pin.reason, pin.pinned_at, pin.moves) == (GPT, "first_turn", 5.0, 0)


def test_two_first_turns_never_make_the_same_pin() -> None:
    first, second = (decide_after_routing(None, Route(GPT, None), now=5.0).pin for _ in range(2))
    assert first != second


def test_a_pinned_model_that_was_removed_is_switched_and_its_pin_moves() -> None:
    decision, pin = decide_after_routing(REMOVED, Route(GPT, "s"), now=9.0)
    assert decision == Decision(GPT, "s", "switch", "model_removed")
    assert (pin.lineage, pin.moves, pin.model, pin.route) == (REMOVED.lineage, 1, GPT, "s")
    assert [(each.at, each.reason) for each in pin.switches] == [(9.0, "model_removed")]


def test_what_routing_had_to_do_without_is_told() -> None:
    decision, _ = decide_after_routing(None, Route(GPT, None, ("routing",)), now=5.0)
    assert decision.header == "initialize; reason=first_turn; degraded=routing"


def test_a_decision_writes_its_header() -> None:
    assert Decision(GPT, None, "retain", "pinned").header == "retain; reason=pinned"
    assert Decision(GPT, None, "none", None).header == "none"


def test_a_session_whose_model_failed_switches() -> None:
    decided = Decision(GPT, "r", "retain", "pinned", ("store",))
    assert decide_after_move(decided, CLAUDE, "unsuitable") == Decision(
        CLAUDE, "r", "switch", "unsuitable", ("store",)
    )


def test_without_a_session_another_model_is_just_another_model() -> None:
    assert decide_after_move(Decision(GPT, "r", "none", None), CLAUDE, "upstream_failed") == Decision(
        CLAUDE, "r", "none", None
    )


def test_a_pin_remembers_its_latest_switches_only() -> None:
    pin = build_pin()
    for number in range(MAX_SWITCHES + 3):
        pin = pin.move(f"m/{number}", None, "upstream_failed", float(number))
    assert pin.moves == MAX_SWITCHES + 3
    assert [each.at for each in pin.switches] == [float(number) for number in range(3, MAX_SWITCHES + 3)]
