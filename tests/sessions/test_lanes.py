from hypothesis import given
from hypothesis import strategies as st

from plano_agents.affinity import parse_affinity_id
from plano_agents.errors import InvalidAffinityIdError
from plano_agents.sessions.harnesses import Shown
from plano_agents.sessions.lanes import SEPARATOR, Lane, build_lane, name_agent_lane, read_source
from plano_agents.sessions.pin import IMPLICIT

ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=6)
slashed = st.text("a/b%-", min_size=1, max_size=4)
lanes = st.builds(
    Lane,
    harness=st.sampled_from(["claude-code", "codex"]),
    session=ids | slashed,
    agent=st.none() | ids | slashed,
    model=st.just("") | ids | slashed,
    has_tools=st.booleans(),
)

MAIN = build_lane(Shown("claude-code", "s-1", None), "claude-sonnet-4-6", has_tools=True)


def is_an_id(text: str) -> bool:
    try:
        parse_affinity_id(text)
    except InvalidAffinityIdError:
        return False
    return True


@given(lanes, lanes)
def test_no_two_lanes_share_a_key(one: Lane, other: Lane) -> None:
    assert (one.key == other.key) == (one == other)


@given(lanes, ids, ids)
def test_no_client_can_claim_a_lane(lane: Lane, affinity_id: str, agent: str) -> None:
    assert not is_an_id(lane.key)
    named = f"{affinity_id}{SEPARATOR}{name_agent_lane(agent)}"
    assert not is_an_id(named)
    assert named != lane.key


@given(lanes, ids, ids)
def test_a_key_tells_the_source_of_its_session(lane: Lane, affinity_id: str, agent: str) -> None:
    named = name_agent_lane(agent)
    assert read_source(lane.key) == lane.source
    assert read_source(f"{affinity_id}{SEPARATOR}{named}") == f"lane={named}"
    assert read_source(f"{IMPLICIT}0a0a") == "implicit"
    assert read_source(affinity_id) is None


@given(lanes)
def test_a_lane_is_told_in_a_header(lane: Lane) -> None:
    assert lane.source.isascii()
    assert lane.source.isprintable()
    assert lane.source.count(";") == 1


def test_a_lane_is_named_by_its_work_agent_and_model() -> None:
    assert MAIN.name == "main/claude-sonnet-4-6"
    assert MAIN._replace(has_tools=False).name == "side/claude-sonnet-4-6"
    assert MAIN._replace(agent="a-1").name == "agent/a-1/claude-sonnet-4-6"
    assert MAIN._replace(agent="a-1", has_tools=False).name == "agent-side/a-1/claude-sonnet-4-6"
    assert MAIN._replace(model="").name == "main/"
    assert MAIN.source == "harness=claude-code; lane=main/claude-sonnet-4-6"


def test_the_main_lane_has_tools_and_no_sub_agent() -> None:
    assert MAIN.is_main
    assert not MAIN._replace(has_tools=False).is_main
    assert not MAIN._replace(agent="a-1").is_main


def test_a_lane_knows_those_that_it_may_share_a_model_with() -> None:
    side = MAIN._replace(agent="a-1", has_tools=False)
    assert side.with_tools == MAIN._replace(agent="a-1")
    assert side.main == MAIN
