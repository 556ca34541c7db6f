"""The inspector's history: sessions that are kept, and those that are dropped."""

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.inspector.history import GhostMark, History
from plano_agents.router.watch.inspector.record import GhostNews
from tests.router.watch.inspector.conftest import build_record


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
