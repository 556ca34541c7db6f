"""Results on disk and in the documentation."""

import json
from pathlib import Path

import click
import pytest

from benchmarks.gateway import publish
from benchmarks.gateway.measurement import Results, Sample


@pytest.fixture
def results() -> Results:
    filled = Results({"kernel": "6.1"}, "2026-11-26 10:00 UTC", {"repeats": 1}, versions={"nginx": "1.22.1"})
    for name, cpu in (("nginx", 0.02), ("plano-agents", 0.04)):
        filled.add("pinned-1kb", name, Sample(1_000, 0, 1.0, cpu, latency_ms={"p50": 0.1, "p99": 0.2}))
        filled.add_figure("start_seconds", name, cpu)
    return filled


def test_results_survive_being_written(results: Results, tmp_path: Path) -> None:
    publish.write_results(results, tmp_path / "a" / "results.json")
    assert publish.read_results(tmp_path / "a" / "results.json") == results


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0, "samples": {}}', '{"format": 1, "samples": {}}'])
def test_another_file_is_no_results(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(click.ClickException, match="holds no results"):
        publish.read_results(path)


def test_tables_replace_what_stood_between_the_markers(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept.json"
    page.write_text(f"before\n{publish.BEGIN}\nstale figures\n{publish.END}\nafter\n")
    for name, path in (("PAGE", page), ("IMAGES", tmp_path / "images"), ("KEPT", kept)):
        monkeypatch.setattr(publish, name, path)
    written = publish.publish(results, "| a table |\n")
    text = page.read_text()
    assert text.startswith(f"before\n{publish.BEGIN}\n\n![")
    assert text.endswith(f"\n\n| a table |\n\n{publish.RAW}\n\n{publish.END}\nafter\n")
    assert "stale figures" not in text
    assert {f"images/{path.name}" in text for path in written if path.suffix == ".svg"} == {True}
    assert {path.suffix for path in written} == {".md", ".json", ".svg", ".png"}
    assert all(path.stat().st_size for path in written)
    assert json.loads(kept.read_text())["versions"] == {"nginx": "1.22.1"}


def test_a_page_without_markers_is_left_alone(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    monkeypatch.setattr(publish, "PAGE", page)
    with pytest.raises(click.ClickException, match="has no lines"):
        publish.publish(results, "| a table |\n")
    assert page.read_text() == "nothing here\n"


def test_the_real_page_has_its_markers_in_order() -> None:
    text = publish.PAGE.read_text()
    assert 0 <= text.index(publish.BEGIN) < text.index(publish.END)
