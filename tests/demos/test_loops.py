"""The strips of five agents' jobs."""

import io

from rich.console import Console

from plano_agents.demos.job import PIECES
from plano_agents.demos.loops import LOOPS, Strip, show_strips

STRIPS = [
    Strip("one", ("gpt-4o", "claude", "gpt-4o", "gpt-4o", "gpt-4o"), ("gpt-4o",) * 5),
    Strip("two", ("mini",) * 4, ("mini",) * 4),
]


def test_a_strip_has_a_letter_for_each_turn_and_the_count_of_switches() -> None:
    out = io.StringIO()
    show_strips(Console(file=out, width=80), STRIPS)
    assert out.getvalue().splitlines() == [
        "Each letter is a turn, and the model that it would go to:",
        " A  gpt-4o",
        " B  claude",
        " C  mini",
        "",
        "agent       without affinity    with affinity",
        "one          A  B  A  A  A   2   A  A  A  A  A   0",
        "two          C  C  C  C      0   C  C  C  C      0",
        "",
        "Switches in 2 jobs: 2 without affinity, 0 with it.",
    ]


def test_five_agents_work_and_the_first_is_the_demos() -> None:
    assert list(LOOPS) == ["database", "incident", "report", "refactoring", "research"]
    assert LOOPS["database"] == tuple(piece.request for piece in PIECES)
