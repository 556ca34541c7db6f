"""Results as Markdown: the machine, the peers side by side, the aims, and what is not there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.gateway.aims import Verdict
from benchmarks.gateway.measurement import Results, Spread, summarize
from benchmarks.gateway.peers.plano_agents import NAME

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of subjects."""

    title: str
    """What stands over it."""
    values: Callable[[Results, str], Sequence[float]]
    """A subject's, one for each round."""


def _cpu(title: str, workload: str, unit: str = "request") -> Column:
    return Column(title, lambda results, name: [*results.cpu_us(workload, name, unit).values()])


def _latency(title: str, workload: str, part: str) -> Column:
    return Column(title, lambda results, name: [*results.latency_ms(workload, name, part).values()])


def _figure(title: str, name: str) -> Column:
    return Column(title, lambda results, subject: results.figure(name, subject))


def _delay(title: str, workload: str) -> Column:
    def values(results: Results, name: str) -> list[float]:
        samples = results.samples.get(workload, {}).get(name, [])
        return [sample.chunk_delay_ms["p50"] for sample in samples if sample.chunk_delay_ms]

    return Column(title, values)


TABLES: dict[str, tuple[Column, ...]] = {
    "CPU time per request (µs), 64 connections": (
        _cpu("1 KB, pinned", "pinned-1kb"),
        _cpu("1 KB, first turn, a text seen before", "first-1kb"),
        _cpu("1 KB, first turn, a new text", "new-1kb"),
        _cpu("20 KB, pinned", "pinned-20kb"),
        _cpu("20 KB, first turn, a text seen before", "first-20kb"),
        _cpu("20 KB, first turn, a new text", "new-20kb"),
        _cpu("200 KB, an SDK's head, pinned", "pinned-200kb"),
        _cpu("1 KB, pinned, upstream over TLS", "pinned-1kb-tls"),
    ),
    "CPU time per streamed chunk (µs), 64 streams": (
        _cpu("bursting", "stream-burst", "chunk"),
        _cpu("ten in a send", "stream-batch", "chunk"),
        _cpu("50 per second", "stream-paced", "chunk"),
        _cpu("from Anthropic, bursting", "claude-burst", "chunk"),
        _cpu("from Anthropic, 50 per second", "claude-paced", "chunk"),
        _delay("a chunk's delay, 50 per second, p50 (ms)", "stream-paced"),
    ),
    "Latency (ms), pinned": (
        _latency("1 KB, 1 connection, p50", "pinned-1kb-c1", "p50"),
        _latency("p99", "pinned-1kb-c1", "p99"),
        _latency("16, p50", "pinned-1kb-c16", "p50"),
        _latency("p99", "pinned-1kb-c16", "p99"),
        _latency("64, p50", "pinned-1kb", "p50"),
        _latency("p99", "pinned-1kb", "p99"),
        _latency("20 KB, 1 connection, p50", "pinned-20kb-c1", "p50"),
        _latency("p99", "pinned-20kb-c1", "p99"),
    ),
    "Start and memory": (
        _figure("first answer (s)", "start_seconds"),
        _figure("at rest, RSS (MiB)", "rss_rest_mib"),
        _figure("at rest, PSS (MiB)", "pss_rest_mib"),
        _figure("after requests, RSS (MiB)", "rss_after_mib"),
        _figure("how many requests", "requests_before_after"),
        _figure("per open stream (KiB)", "stream_kib"),
    ),
}


ALONE: tuple[Column, ...] = (
    _cpu("CPU per pinned request, 1,000 sessions seen (µs)", "sessions-few"),
    _cpu("the same, many sessions seen (µs)", "sessions-many"),
    _cpu("the same, beside 10 open streams (µs)", "streams-few"),
    _cpu("the same, beside many open streams (µs)", "streams-many"),
    _cpu("the same, one worker with Redis (µs)", "workers-one"),
    _cpu("the same, two workers with Redis (µs)", "workers-two"),
    _figure("memory at rest without the embedding model, RSS (MiB)", "rss_rest_plain_mib"),
)
"""What only plano-agents is asked; a row each."""


def render(results: Results, subjects: Sequence[str], whats: dict[str, str], verdicts: Sequence[Verdict]) -> str:
    """Write a whole run as Markdown."""
    parts = [_render_machine(results)]
    parts += [
        f"**{title}**\n\n{_render_columns(results, subjects, whats, columns)}" for title, columns in TABLES.items()
    ]
    alone = [(column.title, render_cell(column.values(results, NAME))) for column in ALONE]
    rows = [row for row in alone if row[1] != NOTHING]
    if rows:
        parts.append(f"**plano-agents alone**\n\n{_render_rows(('', ''), rows)}")
    parts.append(f"**Aims**\n\n{render_verdicts(verdicts)}")
    absent = [f"- {name}: not there. {reason}" for name, reason in results.absent.items()]
    notes = [f"- {note}" for note in dict.fromkeys(results.notes)]
    if absent or notes:
        parts.append("**Not measured, or not as planned**\n\n" + "\n".join([*absent, *notes]))
    return "\n\n".join(parts) + "\n"


def render_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Write the aims as a table."""
    rows = [_render_verdict(verdict) for verdict in verdicts]
    return _render_rows(("aim", "at most", "measured", "low – high", ""), rows)


def _render_verdict(verdict: Verdict) -> tuple[str, ...]:
    aim, measured = verdict.aim, verdict.measured
    limit = f"1/{1 / aim.limit:.0f}" if aim.unit == "×" and aim.limit < 0.1 else f"{aim.limit:g}"  # noqa: PLR2004
    start = (aim.what, f"{limit} {aim.unit}")
    if measured is None:
        return (*start, NOTHING, NOTHING, "not measured")
    small = aim.unit == "×" and aim.limit < 0.1  # noqa: PLR2004 - told as a fraction
    if small:
        middle, low, high = (f"1/{1 / value:.0f}" for value in (measured.median, measured.low, measured.high))
    else:
        middle, low, high = (show(value) for value in (measured.median, measured.low, measured.high))
    return (*start, f"{middle} {aim.unit}", f"{low} – {high}", "met" if verdict.met else "**missed**")


def _render_machine(results: Results) -> str:
    machine = "; ".join(f"{name} {value}" for name, value in results.machine.items())
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    settings = ", ".join(f"{name} {value}" for name, value in results.settings.items())
    return f"Measured {results.started}. {machine}. {settings}. Versions: {versions}."


def _render_columns(results: Results, subjects: Sequence[str], whats: dict[str, str], columns: Sequence[Column]) -> str:
    rows = []
    for name in subjects:
        cells = [render_cell(column.values(results, name)) for column in columns]
        if any(cell != NOTHING for cell in cells):
            rows.append((name, whats.get(name, ""), *cells))
    return _render_rows(("", "", *(column.title for column in columns)), rows)


def render_cell(values: Sequence[float]) -> str:
    """Write a median, and the least and greatest where they differ from it."""
    if not values:
        return NOTHING
    spread: Spread = summarize(values)
    if show(spread.low) == show(spread.high):
        return show(spread.median)
    return f"{show(spread.median)} ({show(spread.low)}–{show(spread.high)})"


def show(value: float) -> str:
    """Write a number with three digits that count."""
    size = abs(value)
    if size >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _render_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
