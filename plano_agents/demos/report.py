"""The demo's report of its two runs: for people, with rich on a terminal, and for machines, as JSON."""

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.demos.bill import build_bill, word_bill
from plano_agents.demos.loop import Turn, count_switches

RULE = "━" * 56
MODEL_WIDTH = 25
"""Columns that a model's name takes at least."""

ROUTE_WIDTH = 19
"""Columns that a route's name takes at least."""

BILL_WIDTH = 80
"""Columns that the bill takes at most."""

WIDE = 100
"""Columns that a terminal has at least for lines in columns; a narrower one gets shorter lines."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the loop."""

    affinity_id: str | None
    """The id sent with every request; None for the run without."""
    turns: list[Turn]
    """Every turn."""

    @property
    def answer(self) -> str:
        """The agent's recommendation."""
        return self.turns[-1].text

    @property
    def switches(self) -> int:
        """The number of times that the model changed from one turn to the next."""
        return count_switches(self.turns)


def show_run(console: Console, affinity_id: str | None, turns: Iterable[Turn]) -> Run:
    """Show a run while it happens.

    Args:
        console: Where to.
        affinity_id: The run's id, or None.
        turns: The turns, as they come.

    Returns:
        The whole run.
    """
    heading = "Run 1: WITHOUT Model Affinity"
    if affinity_id is not None:
        heading = f"Run 2: WITH Model Affinity ({AFFINITY_HEADER}: {_shorten(affinity_id)})"
    _say(console, Text(heading, "bold"))
    _say(console, Text(RULE, "dim"))
    columns = not console.is_terminal or console.width >= WIDE
    shown: list[Turn] = []
    source = iter(turns)
    while True:
        with console.status(f"turn {len(shown) + 1} …"):
            turn = next(source, None)
        if turn is None:
            break
        _say(console, describe_turn(turn, shown[-1] if shown else None, columns=columns))
        shown.append(turn)
    run = Run(affinity_id, shown)
    _say(console, _verdict(run))
    if affinity_id is None and not run.switches:
        _say(console, Text("  Nothing to compare: this configuration gives every turn the same model."))
    _say(console, Text())
    return run


def show_summary(console: Console, without: Run, with_affinity: Run, *, simulated: bool) -> None:
    """Show the recommendation, what affinity changed, and the bill."""
    _say(console, Text("The recommendation", "bold"))
    _say(console, Text(RULE, "dim"))
    if console.is_terminal:
        console.print(Markdown(with_affinity.answer))
    else:
        _say(console, Text(with_affinity.answer))
    _say(console, Text())
    console.print(_comparison(without, with_affinity))
    _say(console, Text())
    bill = word_bill(build_bill(without.turns, with_affinity.turns), simulated=simulated)
    _say(console, Text(textwrap.fill(bill, min(console.width, BILL_WIDTH) - 1)))


def encode_trace(router: str, *, simulated: bool, runs: Iterable[Run]) -> str:
    """Write both runs as JSON.

    Args:
        router: The router's address.
        simulated: Whether the models were.
        runs: The two runs, the one without affinity first.

    Returns:
        One JSON object. Everything but ``router``, ``affinity_id`` and ``timings`` is the same in every run
        against simulated models.
    """
    runs = list(runs)
    encoded = [
        {
            "affinity_id": run.affinity_id,
            "switches": run.switches,
            "turns": [_encode_turn(turn) for turn in run.turns],
            "answer": run.answer,
        }
        for run in runs
    ]
    bill = build_bill(*(run.turns for run in runs))
    trace = {
        "router": router,
        "simulated_models": simulated,
        "runs": encoded,
        "bill": asdict(bill) if bill is not None else None,
    }
    return json.dumps(trace, indent=2, ensure_ascii=False)


def _encode_turn(turn: Turn) -> dict[str, object]:
    fields = asdict(turn)
    timings = {name: fields.pop(name) for name in ("routing_ms", "upstream_ms")}
    return {"turn": fields.pop("number"), **fields, "timings": timings}


def describe_turn(turn: Turn, before: Turn | None, *, columns: bool) -> Text:
    """Describe a turn on one line.

    Args:
        turn: The turn.
        before: The one before it, or None.
        columns: Whether what it says stands below what the turn before says; else the line is short.
    """
    route, model = turn.route or "-", turn.model
    if columns:
        line = Text(f"  turn {turn.number}  ")
        line.append(f"[{model:<{MODEL_WIDTH}}]", _color(model))
        line.append(f"  {route:<{ROUTE_WIDTH}}", "dim")
        line.append(f"  {_list_tools(turn.tool_calls, at_most=2)}")
    else:
        line = Text(f"turn {turn.number} ")
        line.append(f"[{model}]", _color(model))
        line.append(f" {route}", "dim")
        line.append(f" · {_list_tools(turn.tool_calls, at_most=1)}")
    if before is not None and before.model != model:
        line.append("   ← switched" if columns else " ← switched", "bold red")
    return line


def _list_tools(names: Iterable[str], *, at_most: int) -> str:
    """List tools by name; one called more often in a row than that is named once, with how often."""
    told: list[str] = []
    for name, group in groupby(names):
        times = len(list(group))
        told += [name] * times if times <= at_most else [f"{name} ×{times}"]  # noqa: RUF001 - times
    return ", ".join(told) or "final answer"


def _verdict(run: Run) -> Text:
    kind = "With" if run.affinity_id is not None else "Without"
    if run.switches:
        return Text(f"✗ {kind} affinity: model switched {run.switches} time(s)", "bold red")
    return Text(f"✓ {kind} affinity: {run.turns[0].model} for all {len(run.turns)} turns", "bold green")


def _comparison(without: Run, with_affinity: Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("", "left"), ("without", "right"), ("with affinity", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for heading, measure in (
        ("model switches", lambda run: str(run.switches)),
        ("routing time per turn", _routing_time),
        ("prompt tokens read from cache", _cached),
    ):
        table.add_row(heading, measure(without), measure(with_affinity))
    return table


def _routing_time(run: Run) -> str:
    """The mean over the turns, in milliseconds."""
    times = [turn.routing_ms for turn in run.turns if turn.routing_ms is not None]
    return f"{sum(times) / len(times):.2f} ms" if times else "not told"


def _cached(run: Run) -> str:
    prompt = sum(turn.prompt_tokens for turn in run.turns)
    cached = sum(turn.cached_tokens for turn in run.turns)
    return f"{cached:,} of {prompt:,} ({cached / prompt:.0%})" if prompt else "not told"


def _color(model: str) -> str:
    """Give a model the same color on every turn."""
    palette = ("cyan", "magenta", "yellow", "green", "blue")
    return palette[sum(model.encode()) % len(palette)]


def _shorten(affinity_id: str) -> str:
    shown = 8
    return affinity_id if len(affinity_id) <= shown else f"{affinity_id[:shown]}…"


def _say(console: Console, text: Text) -> None:
    """Print a line as it is, however narrow the terminal."""
    console.print(text, soft_wrap=True)
