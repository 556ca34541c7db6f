"""Results as plots: bars side by side, on a logarithmic scale, readable on light and on dark pages."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.gateway.measurement import Results, summarize
from benchmarks.gateway.peers import PEERS
from benchmarks.gateway.peers.plano_agents import NAME
from benchmarks.gateway.tables import show

INK = "#7d8590"
"""Text and lines: has contrast on white as on black."""
OURS, THEIRS = "#d9822b", "#6c8ebf"
DOTS_PER_INCH = 160

Values = Callable[[Results, str], Sequence[float]]


def _cpu(workload: str, unit: str = "request") -> Values:
    return lambda results, name: [*results.cpu_us(workload, name, unit).values()]


def _latency(workload: str, part: str) -> Values:
    return lambda results, name: [*results.latency_ms(workload, name, part).values()]


FIGURES: dict[str, tuple[str, tuple[tuple[str, Values], ...]]] = {
    "gateway-cpu": (
        "CPU time per request and per streamed chunk (µs, less is better, logarithmic)",
        (
            ("pinned request, 1 KB", _cpu("pinned-1kb")),
            ("pinned request, 20 KB", _cpu("pinned-20kb")),
            ("streamed chunk, bursting", _cpu("stream-burst", "chunk")),
            ("chunk translated from Anthropic, bursting", _cpu("claude-burst", "chunk")),
        ),
    ),
    "gateway-latency": (
        "Latency, cold start and memory (less is better, logarithmic)",
        (
            ("p50 at one connection, 1 KB (ms)", _latency("pinned-1kb-c1", "p50")),
            ("p99 at 64 connections, 1 KB (ms)", _latency("pinned-1kb", "p99")),
            (
                "cold start to the first answer (s)",
                lambda results, name: results.figure("start_seconds", name),
            ),
            ("memory at rest (MiB)", lambda results, name: results.figure("rss_rest_mib", name)),
        ),
    ),
}
TITLES = {name: title for name, (title, _) in FIGURES.items()}
"""What each figure shows."""


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Draw every figure as SVG and PNG.

    Args:
        results: A run's.
        folder: Where the images go.

    Returns:
        The files' paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    # Text stays text, and two runs with the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gateway", "font.size": 9}):
        for name, (title, panels) in FIGURES.items():
            figure = _draw(results, title, panels)
            for kind in ("svg", "png"):
                path = folder / f"{name}.{kind}"
                metadata = {"Date": None} if kind == "svg" else {}
                figure.savefig(path, transparent=True, dpi=DOTS_PER_INCH, metadata=metadata)
                paths.append(path)
    return paths


def _draw(results: Results, title: str, panels: Sequence[tuple[str, Values]]) -> Figure:
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    figure.suptitle(title, color=INK, fontsize=11)
    for axes, (name, values) in zip(figure.subplots(2, 2).flat, panels, strict=True):
        _draw_bars(axes, name, {peer.name: values(results, peer.name) for peer in PEERS})
    return figure


def _draw_bars(axes: Axes, title: str, values: dict[str, Sequence[float]]) -> None:
    measured = {name: summarize(found) for name, found in values.items() if found and min(found) > 0}
    axes.set_title(title, color=INK, fontsize=10)
    axes.tick_params(colors=INK, which="both")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    if not measured:
        axes.text(0.5, 0.5, "not measured", color=INK, ha="center", va="center", transform=axes.transAxes)
        return
    names = sorted(measured, key=lambda name: measured[name].median, reverse=True)
    medians = [measured[name].median for name in names]
    spread = [
        [measured[name].median - measured[name].low for name in names],
        [measured[name].high - measured[name].median for name in names],
    ]
    colors = [OURS if name == NAME else THEIRS for name in names]
    axes.barh(names, medians, xerr=spread, color=colors, error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2})
    axes.set_xscale("log")
    # A bar on a logarithmic scale begins somewhere: a little below the shortest, and ends with room for its number.
    axes.set_xlim(min(medians) / 3, max(spread.high for spread in measured.values()) * 4)
    for place, name in enumerate(names):
        axes.text(measured[name].high * 1.15, place, show(measured[name].median), color=INK, va="center")
