"""The inspector's history: sessions that are kept, and those that are dropped."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.usage import NO_TOKENS, Tokens
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.history import GhostMark, History
from plano_agents.router.watch.inspector.record import GhostNews, Record
from plano_agents.router.watch.inspector.record import build_record as write_down
from plano_agents.routing.candidates import ModelMetrics
from plano_agents.sessions.pin import Decision
from tests.router.watch.inspector.conftest import build_ranking, build_record, build_trail


def list_sessions(history: History) -> list[str | None]:
    return [session.key[1] for session in history.latest()]


def test_the_session_used_last_comes_first() -> None:
    history = History()
    for session in ("a", "b", "a"):
        history.add(build_record(session))
    assert list_sessions(history) == ["a", "b"]


def test_requests_without_a_session_are_a_group_and_no_session() -> None:
    history = History()
    history.add(build_record(None, decision="none", reason=None))
    history.add(build_record("a"))
    assert list_sessions(history) == ["a", None]
    assert (history.sessions, history.counts.turns) == (1, 2)


def test_one_id_of_two_tenants_is_two_sessions() -> None:
    history = History()
    history.add(build_record("a", tenant="acme"))
    history.add(build_record("a", tenant="zeta"))
    assert [session.key for session in history.latest()] == [("zeta", "a"), ("acme", "a")]


def test_the_session_used_longest_ago_is_forgotten() -> None:
    history = History(max_sessions=2)
    for session in ("a", "b", "a", "c"):
        history.add(build_record(session))
    assert list_sessions(history) == ["c", "a"]


def test_of_a_long_session_the_latest_turns_are_kept_and_all_count() -> None:
    history = History(max_turns=3)
    for number in range(10):
        history.add(build_record("a", input=number, decision="switch" if number == 0 else "retain"))
    session = history.find(("", "a"))
    assert session is not None
    assert [turn.input for turn in session.turns] == [7, 8, 9]
    counts = session.count()
    assert (counts.turns, counts.input, counts.switches) == (10, 45, 1)


def test_turns_of_all_sessions_together_are_bounded() -> None:
    history = History(max_records=5)
    for session in ("a", "a", "b", "b", "c", "c"):
        history.add(build_record(session))
    assert list_sessions(history) == ["c", "b"]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=80))
def test_no_sequence_of_requests_exceeds_the_bounds(sessions: list[str]) -> None:
    history = History(max_sessions=4, max_turns=5, max_records=12, max_recent=6)
    for session in sessions:
        history.add(build_record(session))
    kept = [len(session.turns) for session in history.latest()]
    assert len(kept) <= 4
    assert sum(kept) <= 12
    assert all(0 < each <= 5 for each in kept)
    assert history.counts.turns == len(sessions)


def test_totals_count_on_when_sessions_are_forgotten() -> None:
    history = History(max_sessions=1)
    history.add(build_record("a", input=100, cached=60, output=5, routing_ms=2.0, strategy="embedded"))
    history.add(build_record("b", input=10, routing_ms=0.5, failure="upstream_failed"))
    counts = history.counts
    assert (counts.turns, counts.input, counts.cached, counts.output) == (2, 110, 60, 5)
    assert (counts.routed, counts.routed_ms, counts.routing_ms, counts.failures) == (1, 2.0, 2.5, 1)


def test_what_came_after_a_record_is_told_as_long_as_it_is_kept() -> None:
    history = History(max_recent=3)
    for _ in range(5):
        history.add(build_record())
    assert [record.n for record in history.after(3) or []] == [4, 5]
    assert history.after(5) == []
    assert [record.n for record in history.after(2) or []] == [3, 4, 5]
    assert history.after(1) is None
    assert history.after(6) is None


def test_an_error_that_the_provider_told_is_a_failure_too() -> None:
    assert build_record(status=400).has_failed
    assert not build_record(status=200).has_failed
    assert not build_record(status=None, client_left=True).has_failed


def news(at: float, model: str = "openai/small", session: str = "a") -> GhostNews:
    return GhostNews("", session, at, "0" * 32, Ghost(model, 4.0, "openai/gpt-4o", 100, 80, 0.01, 0.02))


def test_a_ghost_finds_its_turn_and_counts_for_it_and_in_all() -> None:
    history = History()
    for at in (1.0, 2.0, 3.0):
        history.add(build_record("a", at=at))
    history.add_ghost(news(2.0))
    session = history.find(("", "a"))
    assert session is not None
    assert [turn.ghost is not None for turn in session.turns] == [False, True, False]
    for counts in (session.count(), history.counts):
        assert (counts.turns, counts.ghosts.routed, counts.ghosts.switches, counts.ghosts.anew) == (3, 1, 1, 80)
        assert (counts.ghosts.kept_usd, counts.ghosts.usd) == (0.01, 0.02)


def test_a_page_that_watches_is_told_of_a_ghost_by_its_turns_number() -> None:
    history = History()
    history.add(build_record("a", at=1.0))
    seen = history.last
    history.add_ghost(news(1.0))
    told = history.after(seen)
    assert told is not None
    (mark,) = told
    assert isinstance(mark, GhostMark)
    assert (mark.turn, mark.session, mark.n) == (1, "a", 2)


def test_a_ghost_counts_on_when_its_turn_is_forgotten_or_its_session() -> None:
    history = History(max_turns=2, max_sessions=1)
    for at in (1.0, 2.0):
        history.add(build_record("a", at=at))
    history.add_ghost(news(1.0))
    history.add(build_record("a", at=3.0))
    history.add(build_record("a", at=4.0))
    history.add_ghost(news(2.0))  # which came late
    session = history.find(("", "a"))
    assert session is not None
    assert (session.count().ghosts.routed, history.counts.ghosts.routed) == (2, 2)
    history.add(build_record("b", at=5.0))
    history.add_ghost(news(4.0))
    assert history.counts.ghosts.routed == 3


def test_the_median_times_to_decide_are_those_of_the_latest_turns() -> None:
    history = History(max_recent=3)
    for routing_ms in (9.0, 1.0, 3.0, 2.0):
        history.add(build_record(routing_ms=routing_ms))
    assert history.find_medians() == (None, 2.0)
    history.add(build_record(routing_ms=70.0, strategy="embedded"))
    assert history.find_medians() == (70.0, 2.5)


PRICES = {"openai/gpt-4o": ModelMetrics(2.5, 10.0, cached_usd_per_million=1.25)}

turns = st.builds(
    build_trail,
    st.sampled_from(["a", "b", "c", None]),
    model=st.sampled_from(["openai/gpt-4o", "a/x"]),
    status=st.sampled_from([200, 502, None]),
    failure=st.sampled_from([None, "upstream_failed"]),
    tokens=st.sampled_from([NO_TOKENS, Tokens(100, 7, 64), Tokens(9, 2)]),
    ranking=st.sampled_from([None, None, build_ranking()]),
    routing_ms=st.floats(0, 5),
    upstream_ms=st.sampled_from([None, 10.0]),
)


@given(st.lists(st.lists(turns, min_size=1, max_size=6), max_size=12))
def test_what_is_kept_as_trails_is_told_as_if_each_had_been_written_down(batches: list[list[Trail]]) -> None:
    kept, written = (History(max_turns=5, max_recent=7) for _ in range(2))
    for batch in batches:
        kept.keep(batch, PRICES)
        for trail in batch:
            written.add(write_down(trail, PRICES.get(trail.decision.model if trail.decision is not None else "")))
    assert list_told(kept) == list_told(written)
    assert kept.after(max(0, kept.last - 7)) == written.after(max(0, written.last - 7))
    assert kept.find_medians() == written.find_medians()
    assert (kept.last, kept.sessions >= len(list_sessions(kept)) - 1) == (written.last, True)


@given(st.lists(st.lists(turns, min_size=1, max_size=6), max_size=30))
def test_trails_are_bounded_as_records_are(batches: list[list[Trail]]) -> None:
    history = History(max_sessions=3, max_turns=4, max_records=7, max_recent=6)
    for batch in batches:
        history.keep(batch, {})
    held = [len(session.kept) for session in history.latest()]
    kept = [len(session.turns) for session in history.latest()]
    assert len(kept) <= 3
    assert all(each <= 5 for each in held), "a quarter more than are told"
    assert all(0 < each <= 4 for each in kept)
    assert sum(kept) <= 7
    assert history.counts.turns == sum(map(len, batches))


def list_told(history: History) -> list[object]:
    """All that a page is told, times and costs rounded, for sums may be summed up in another order."""
    counts = [history.counts, *(each.count() for each in history.latest())]
    rounded = [
        [round(value, 10) if isinstance(value, float) else value for value in msgspec.structs.astuple(each)]
        for each in counts
    ]
    return [rounded, [(each.key, each.first_at, each.turns) for each in history.latest()]]


def test_a_turn_that_is_kept_costs_what_it_cost_when_it_was_answered() -> None:
    history = History()
    history.keep([build_trail()], PRICES)
    history.keep([build_trail()], {"openai/gpt-4o": ModelMetrics(250.0, 1000.0)})
    session = history.find(("", "run-1"))
    assert session is not None
    first, second = (turn.cost_usd or 0.0 for turn in session.turns)
    assert first < second / 50


def test_a_ghost_is_noted_with_a_turn_that_was_kept_as_a_trail() -> None:
    history = History()
    history.keep([build_trail(began_at=1.0), build_trail(began_at=2.0)], {})
    history.add_ghost(GhostNews("", "run-1", 2.0, "0" * 32, Ghost("a/x", 4.0)))
    session = history.find(("", "run-1"))
    assert session is not None
    assert [turn.ghost is not None for turn in session.turns] == [False, True]


def test_a_trail_that_holds_what_a_client_made_long_is_written_down_at_once() -> None:
    history = History()
    long = build_trail(decision=Decision("openai/gpt-4o", "x" * 5_000, "retain", "pinned"))
    routed = build_trail(ranking=build_ranking())
    history.keep([build_trail(), long], {})
    history.keep([routed], {})
    session = history.find(("", "run-1"))
    assert session is not None
    assert [isinstance(each, Record) for each in session.kept] == [False, True, True]
