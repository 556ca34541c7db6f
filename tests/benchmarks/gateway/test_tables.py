"""Results as Markdown."""

import pytest

from benchmarks.gateway.measurement import Results, Sample
from benchmarks.gateway.tables import render, render_cell, show


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12_345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.0, "0.00")],
)
def test_numbers_have_three_digits_that_count(value: float, shown: str) -> None:
    assert show(value) == shown


def test_a_cell_has_its_spread() -> None:
    assert render_cell([10.0, 30.0, 20.0]) == "20.0 (10.0–30.0)"


def test_a_cell_whose_repeats_agree_has_none() -> None:
    assert render_cell([10.01, 10.02]) == "10.0"


def test_a_cell_without_values_is_empty() -> None:
    assert render_cell([]) == "–"


def test_a_gateway_without_figures_has_no_row_and_one_that_is_absent_is_named() -> None:
    results = Results({"kernel": "6.1"}, "2026-11-26 10:00 UTC", {"repeats": 3}, versions={"nginx": "1.22.1"})
    results.absent["smg"] = "'npm' failed: no such package"
    results.add("pinned-1kb", "nginx", Sample(1_000, 0, 1.0, 0.02))
    text = render(results, ["nginx", "smg"], {"nginx": "C"}, [])
    assert "| nginx | C | 20.0 | – | – | – |" in text
    assert "| smg |" not in text
    assert "- smg: not there. 'npm' failed: no such package" in text
    assert "Versions: nginx 1.22.1." in text


def test_what_only_plano_agents_is_asked_has_a_row_each() -> None:
    results = Results({}, "", {})
    results.add("sessions-many", "plano-agents", Sample(1_000, 0, 1.0, 0.05))
    text = render(results, [], {}, [])
    assert "| the same, many sessions seen (µs) | 50.0 |" in text
    assert "with Redis" not in text
