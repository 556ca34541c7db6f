"""The demo's report of a run."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from plano_agents.demos.loop import Turn
from plano_agents.demos.report import describe_turn, show_run

TURN = Turn(
    number=4,
    model="claude-sonnet-4-6",
    route="code_generation",
    decision="none",
    tool_calls=("get_db_benchmarks",) * 2,
    text="",
    prompt_tokens=1,
    cached_tokens=0,
    routing_ms=None,
    upstream_ms=None,
)
BEFORE = replace(TURN, number=3, model="gpt-4o")


def show(width: int, turns: list[Turn], *, affinity_id: str | None = None) -> str:
    """The text that a terminal of a width shows, without its status lines."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, force_interactive=False)
    show_run(console, affinity_id, turns)
    return out.getvalue()


def test_a_wide_line_stands_in_columns() -> None:
    line = describe_turn(TURN, BEFORE, columns=True).plain
    assert line == (
        "  turn 4  [claude-sonnet-4-6        ]  code_generation      get_db_benchmarks, get_db_benchmarks   ← switched"
    )


def test_a_short_line_has_no_padding() -> None:
    line = describe_turn(TURN, BEFORE, columns=False).plain
    assert line == "turn 4 [claude-sonnet-4-6] code_generation · get_db_benchmarks ×2 ← switched"  # noqa: RUF001 - times


def test_a_tool_called_more_than_twice_in_a_row_is_counted() -> None:
    turn = replace(TURN, tool_calls=("a", "a", "b", "b", "b"))
    assert describe_turn(turn, None, columns=True).plain.endswith("  a, a, b ×3")  # noqa: RUF001 - times


@pytest.mark.parametrize(("width", "shown"), [(99, "turn 4 [gpt-4o] "), (100, "  turn 4  [gpt-4o      ")])
def test_lines_are_short_where_the_terminal_is_narrow(width: int, shown: str) -> None:
    assert shown in show(width, [replace(TURN, model="gpt-4o")])


def test_a_run_that_needs_no_affinity_is_said_to_leave_nothing_to_compare() -> None:
    assert "Nothing to compare: this configuration gives every turn the same model." in show(100, [TURN, TURN])


def test_a_run_that_switches_is_compared() -> None:
    assert "Nothing to compare" not in show(100, [TURN, BEFORE])


def test_a_run_with_affinity_is_compared() -> None:
    assert "Nothing to compare" not in show(100, [TURN, TURN], affinity_id="run-1")
