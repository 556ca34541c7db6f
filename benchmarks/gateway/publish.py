"""Writes results down: as JSON, and into the documentation, between its markers."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmarks.gateway.measurement import Results, Sample

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
KEPT = Path(__file__).parent / "results.json"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
RAW = "Raw slices: [`results.json`](../benchmarks/gateway/results.json)."
FORMAT = 2
"""The version of the JSON's form."""


def write_results(results: Results, path: Path) -> None:
    """Write a run's results as JSON, raw slices and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, **asdict(results)}, indent=1, ensure_ascii=False) + "\n")


def read_results(path: Path) -> Results:
    """Read what ``write_results`` wrote.

    Raises:
        click.ClickException: It is not that.
    """
    try:
        return _parse(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.ClickException(f"{path} holds no results of this benchmark ({error!r}). Run it again.") from None


def _parse(read: dict[str, Any]) -> Results:
    if read.pop("format") != FORMAT:
        raise ValueError(f"format is not {FORMAT}")
    samples = {
        workload: {name: [Sample(**sample) for sample in repeats] for name, repeats in subjects.items()}
        for workload, subjects in read.pop("samples").items()
    }
    return Results(samples=samples, **read)


def publish(results: Results, tables: str) -> Sequence[Path]:
    """Write tables and plots into the documentation, and keep the results beside the benchmark.

    Raises:
        click.ClickException: The page has no place for them.
    """
    from benchmarks.gateway.plots import TITLES, draw_all  # noqa: PLC0415 - matplotlib takes its time

    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise click.ClickException(f"{PAGE} has no lines {BEGIN!r} and {END!r} to write between.")
    images = draw_all(results, IMAGES)
    shown = [f"![{TITLES[path.stem]}](images/{path.name})" for path in images if path.suffix == ".svg"]
    PAGE.write_text("\n\n".join([f"{before}{BEGIN}", *shown, tables.strip(), RAW, f"{END}{after}"]))
    write_results(results, KEPT)
    return [PAGE, *images, KEPT]
