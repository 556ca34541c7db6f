import pytest

from plano_agents.sessions.decide import (
    Route,
    Settled,
    decide_after_move,
    decide_after_routing,
    decide_before_routing,
    decide_without_session,
    name_refusal,
)
from plano_agents.sessions.pin import MAX_SWITCHES, Cause, Decision, DeploymentMove, Kind, Pin
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


@pytest.mark.parametrize(("pin", "hint"), [(None, None), (None, "unknown"), (REMOVED, None), (REMOVED, "claude")])
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
    assert decision == Decision(GPT, "s", "switch", "model_removed", (), REMOVED.model)
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
    assert decide_after_move(decided, CLAUDE, Cause("upstream_failed", "status 503")) == Decision(
        CLAUDE, "r", "switch", "upstream_failed", ("store",), "status 503"
    )


def test_what_the_model_cannot_serve_and_stays_in_the_transcript_is_a_switch() -> None:
    decided = Decision(GPT, "r", "retain", "pinned")
    assert decide_after_move(decided, CLAUDE, Cause("unsuitable", "images")) == Decision(
        CLAUDE, "r", "switch", "unsuitable", (), "images"
    )


def test_a_session_whose_models_deployment_failed_keeps_its_model() -> None:
    decided = Decision(GPT, "r", "retain", "pinned", ("store",), deployment="eu")
    told = decide_after_move(decided, GPT, Cause("upstream_failed", "status 503"), "us")
    assert (told.model, told.route, told.deployment) == (GPT, "r", "us")
    assert told.header == "retain; reason=deployment; because=status 503; degraded=store"


@pytest.mark.parametrize("kind", ["none", "initialize", "switch"])
def test_what_began_or_moved_a_session_is_told_whichever_deployment_answers(kind: Kind) -> None:
    decided = Decision(GPT, "r", kind, None, deployment="eu")
    told = decide_after_move(decided, GPT, Cause("upstream_failed", "status 503"), "us")
    assert told == Decision(GPT, "r", kind, None, deployment="us")


@pytest.mark.parametrize("kind", ["retain", "initialize"])
def test_what_the_model_cannot_serve_this_once_is_a_detour_that_names_the_pin(kind: Kind) -> None:
    decided = Decision(GPT, "r", kind, "pinned", ("store",))
    assert decide_after_move(decided, CLAUDE, Cause("unsuitable", "logprobs", stays=False)) == Decision(
        CLAUDE, "r", "detour", "unsuitable", ("store",), "logprobs", GPT
    )


@pytest.mark.parametrize(
    "cause", [Cause("upstream_failed", "status 503"), Cause("unsuitable", "logprobs", stays=False)]
)
def test_without_a_session_another_model_is_just_another_model(cause: Cause) -> None:
    told = decide_after_move(Decision(GPT, "r", "none", None), CLAUDE, cause)
    assert told == Decision(CLAUDE, "r", "none", None)


def test_a_detours_header_names_the_pin_and_because() -> None:
    told = Decision(CLAUDE, "r", "detour", "unsuitable", ("store",), "logprobs", GPT)
    assert told.header == f"detour; reason=unsuitable; pinned={GPT}; because=logprobs; degraded=store"


@pytest.mark.parametrize("because", ["a;b", "ä", "x\ny", "%41", "x" * 1_000])
def test_because_is_one_part_of_a_header(because: str) -> None:
    header = Decision(CLAUDE, "r", "switch", "unsuitable", (), because).header
    assert header.isascii()
    assert header.isprintable()
    assert header.count(";") == 2
    assert len(header) < 400


def test_a_hint_whose_model_cannot_go_on_pins_the_next_one() -> None:
    settled = decide_before_routing(None, hint="gpt-4o", find_model=find, now=5.0, resume=lambda _: CLAUDE)
    assert settled is not None
    assert settled.decision == Decision(CLAUDE, None, "initialize", "hint")
    assert settled.pin.model == CLAUDE


def test_a_move_remembers_because() -> None:
    pin = build_pin().move(CLAUDE, "r", "unsuitable", 9.0, "images")
    assert [each.because for each in pin.switches] == ["images"]


def test_a_pin_on_another_deployment_is_edited_and_does_not_switch() -> None:
    pin = build_pin(deployment="eu").move_deployment("us", 9.0, "status 429")
    assert (pin.model, pin.deployment, pin.moves, pin.edits, pin.switches) == (GPT, "us", 0, 1, ())
    assert pin.deployment_moves == (DeploymentMove(9.0, GPT, "eu", "us", "status 429", 1),)


def test_a_pin_comes_from_where_its_latest_moves_say_that_it_was() -> None:
    first = build_pin(deployment="eu")
    there = first.move_deployment("us", 1.0, "status 429")
    kept = there.keep("r", "turn 2")
    switched = kept.move(CLAUDE, "r", "unsuitable", 2.0, deployment="east")
    last = switched.move_deployment("west", 3.0, None)
    path = [first, there, kept, switched, last]
    for number, pin in enumerate(path):
        assert [pin.comes_from(each) for each in path] == [other < number for other in range(len(path))]
    elsewhere = first.move_deployment("asia", 1.0, None)
    assert not there.comes_from(build_pin(deployment="asia"))
    assert not there.move_deployment("west", 2.0, None).comes_from(elsewhere)
    assert not kept.comes_from(elsewhere)


def test_pins_of_one_model_on_two_deployments_stand_at_different_places() -> None:
    here, there = (build_pin(deployment="eu").move_deployment(name, 1.0, None) for name in ("us", "asia"))
    assert here.is_at(here)
    assert not here.is_at(there)


def test_a_pin_remembers_its_latest_moves_to_other_deployments_only() -> None:
    pin = build_pin()
    for number in range(MAX_SWITCHES + 3):
        pin = pin.move_deployment(f"d{number}", float(number), None)
    assert (pin.moves, pin.edits) == (0, MAX_SWITCHES + 3)
    assert [each.at for each in pin.deployment_moves] == [float(number) for number in range(3, MAX_SWITCHES + 3)]


def test_a_pin_remembers_its_latest_switches_only() -> None:
    pin = build_pin()
    for number in range(MAX_SWITCHES + 3):
        pin = pin.move(f"m/{number}", None, "upstream_failed", float(number))
    assert pin.moves == MAX_SWITCHES + 3
    assert [each.at for each in pin.switches] == [float(number) for number in range(3, MAX_SWITCHES + 3)]


@pytest.mark.parametrize(("param", "stays"), [("messages.2.content", True), ("top_k", False), (None, False)])
def test_what_stands_in_the_transcript_stays_and_a_parameter_does_not(param: str | None, stays: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert name_refusal(param) == Cause("unsuitable", param, stays=stays)
