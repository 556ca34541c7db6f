import pytest

from plano_agents.sessions.decide import (
    Route,
    Settled,
    decide_after_move,
    decide_after_routing,
    decide_before_routing,
    decide_without_session,
)
from plano_agents.sessions.pin import MAX_SWITCHES, Cause, Decision, Kind, Pin
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


def test_a_pin_remembers_its_latest_switches_only() -> None:
    pin = build_pin()
    for number in range(MAX_SWITCHES + 3):
        pin = pin.move(f"m/{number}", None, "upstream_failed", float(number))
    assert pin.moves == MAX_SWITCHES + 3
    assert [each.at for each in pin.switches] == [float(number) for number in range(3, MAX_SWITCHES + 3)]
