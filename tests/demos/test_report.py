"""The demo's report of its runs."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from plano_agents.demos.loop import Turn
from plano_agents.demos.report import Run, describe_turn, explain_switch, show_answers, show_runs

CLAUDE, GPT = "claude-sonnet-4-6", "gpt-4o"
TURN = Turn(
    number=4,
    piece="checkout in code",
    model=CLAUDE,
    route="code_generation",
    decision="none",
    tool_calls=("get_db_benchmarks",) * 2,
    text="",
    prompt_tokens=2_877,
    cached_tokens=0,
    routing_ms=None,
    upstream_ms=None,
    scores=(("code_generation", 0.831), ("complex_reasoning", 0.408), ("other", 0.1)),
)
BEFORE = replace(TURN, number=3, model=GPT, scores=())
KEPT = replace(TURN, model=GPT, prompt_tokens=2_901, cached_tokens=2_432, scores=())
ANSWER = replace(TURN, number=5, tool_calls=(), text="**PostgreSQL**", scores=())
FINAL = replace(ANSWER, is_final=True)


def show(width: int, without: list[Turn], with_affinity: list[Turn], *, terminal: bool = True) -> list[str]:
    """The lines that a terminal of a width shows, without its status lines."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None, force_interactive=False)
    show_runs(console, "abcdefgh-1234", without, with_affinity)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()


def test_a_wide_line_stands_in_columns() -> None:
    line = describe_turn(TURN, BEFORE, columns=True).plain
    assert line == (
        "  turn 4  [claude-sonnet-4-6        ]  code_generation      get_db_benchmarks, get_db_benchmarks   ← switched"
    )


def test_a_short_line_has_no_padding() -> None:
    line = describe_turn(TURN, BEFORE, columns=False).plain
    assert line == "turn 4 [claude-sonnet-4-6] code_generation · get_db_benchmarks ×2 ← switched"  # noqa: RUF001 - times


def test_a_pinned_turn_shows_no_preference_for_none_was_asked() -> None:
    pinned = replace(TURN, decision="retain; reason=pinned")
    assert describe_turn(pinned, None, columns=False).plain.startswith("turn 4 [claude-sonnet-4-6] pinned · ")
    assert "]  pinned               get_db" in describe_turn(pinned, None, columns=True).plain


def test_a_tool_called_more_than_twice_in_a_row_is_counted() -> None:
    turn = replace(TURN, tool_calls=("a", "a", "b", "b", "b"))
    assert describe_turn(turn, None, columns=True).plain.endswith("  a, a, b ×3")  # noqa: RUF001 - times


@pytest.mark.parametrize(("turn", "named"), [(ANSWER, "checkout in code"), (FINAL, "final answer")])
def test_a_turn_without_tools_is_named_by_what_it_answers(turn: Turn, named: str) -> None:
    assert describe_turn(turn, None, columns=False).plain.endswith(f"· {named}")


@pytest.mark.parametrize(("width", "shown"), [(119, "turn 4 [gpt-4o] "), (120, "  turn 4  [gpt-4o      ")])
def test_lines_are_short_where_the_terminal_is_narrow(width: int, shown: str) -> None:
    assert any(line.startswith(shown) for line in show(width, [replace(TURN, model=GPT)], []))


def test_a_switch_is_explained_by_the_two_best_scores_and_what_the_cache_lost() -> None:
    assert list(explain_switch(TURN, KEPT)) == [
        "code_generation 83 % likely, complex_reasoning 41 %",
        "0 of 2,877 prompt tokens from the cache (with affinity 2,432 of 2,901)",
    ]


def test_a_switch_is_explained_as_far_as_it_is_known() -> None:
    assert list(explain_switch(replace(TURN, scores=()), None)) == ["0 of 2,877 prompt tokens from the cache"]


def test_the_explanation_stands_under_the_turn_that_switched() -> None:
    lines = show(80, [BEFORE, TURN, FINAL], [BEFORE, KEPT, replace(FINAL, model=GPT)])
    at = next(number for number, line in enumerate(lines) if line.endswith("← switched"))
    assert [line.strip() for line in lines[at + 1 : at + 3]] == list(explain_switch(TURN, KEPT))
    assert lines[at + 3].startswith("turn 5")


def test_a_switch_is_explained_only_once_the_other_run_took_the_same_turn() -> None:
    """Turn about: nothing is known of what would have been kept before that."""
    taken: list[str] = []

    def take(name: str, *turns: Turn) -> Iterator[Turn]:
        for turn in turns:
            taken.append(name)
            yield turn

    console = Console(file=io.StringIO(), width=80)
    show_runs(console, "id", take("without", BEFORE, TURN, FINAL), take("with", BEFORE, KEPT, FINAL))
    assert taken == ["without", "with"] * 3


def test_the_verdict_names_the_models() -> None:
    lines = show(80, [BEFORE, TURN, FINAL], [replace(each, model=GPT) for each in (BEFORE, KEPT, FINAL)])
    assert "✗ Without affinity: model switched 1 time(s): claude-sonnet-4-6, gpt-4o" in lines
    assert "✓ With affinity: gpt-4o for all 3 turns" in lines
    assert "Run 2: WITH Model Affinity (X-Model-Affinity: abcdefgh…)" in lines


@pytest.mark.parametrize("width", [60, 80])
def test_no_word_is_broken_however_narrow_the_terminal(width: int) -> None:
    runs = [BEFORE, TURN, replace(FINAL, model=GPT)], [BEFORE, KEPT, replace(FINAL, model=GPT)]
    narrow, wide = (show(each, *runs) for each in (width, 119))
    assert max(map(len, narrow)) <= width
    # Where there is room, the two parts of an explanation stand on one line.
    assert " ".join(narrow).replace(";", "").split() == " ".join(wide).replace(";", "").split()


def test_a_file_gets_whole_lines() -> None:
    lines = show(60, [BEFORE, TURN, FINAL], [BEFORE, KEPT, FINAL], terminal=False)
    assert f"       {'; '.join(explain_switch(TURN, KEPT))}" in lines


@pytest.mark.parametrize(
    ("without", "said"), [([TURN, FINAL], True), ([BEFORE, FINAL], False)], ids=["one model", "two models"]
)
def test_a_run_that_needs_no_affinity_is_said_to_leave_nothing_to_compare(without: list[Turn], said: bool) -> None:  # noqa: FBT001 - a parameter of the test
    lines = "\n".join(show(100, without, [TURN, FINAL]))
    assert ("Nothing to compare: this configuration gives every turn the same model." in lines) is said


def test_a_run_that_was_stopped_says_nothing_of_its_other_turns() -> None:
    lines = "\n".join(show(100, [TURN], [TURN]))
    assert ("Stopped after 1 turn" in lines, "Nothing to compare" in lines) == (True, False)


def test_a_run_that_was_stopped_says_so() -> None:
    lines = show(100, [BEFORE, TURN], [BEFORE, FINAL])
    assert sum("Stopped after 2 turns, as --max-turns says" in line for line in lines) == 1


def test_the_answers_come_under_their_pieces_titles() -> None:
    out = io.StringIO()
    recommendation = replace(ANSWER, piece="recommendation")
    show_answers(Console(file=out, width=80), Run("id", [TURN, recommendation, FINAL]))
    headings = [line for line in out.getvalue().splitlines() if line.startswith("The ")]
    assert headings == ["The recommendation", "The checkout in code"]
    assert out.getvalue().count("**PostgreSQL**") == 2
