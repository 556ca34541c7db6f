"""The demo's report of its two runs: for people, with rich on a terminal, and for machines, as JSON.

The runs take turns, so that under a turn at which the model changed stands what the other run read from the cache at
the same turn.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.demos.bill import build_bill, word_bill
from plano_agents.demos.loop import Turn, count_switches

RULE = "━" * 56
MODEL_WIDTH = 25
"""Columns that a model's name takes at least."""

ROUTE_WIDTH = 19
"""Columns that a route's name takes at least."""

WIDE = 120
"""Columns that a terminal has at least for lines in columns; a narrower one gets shorter lines."""

INDENT = 7
"""Columns that the second line of a row is moved to the right."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the loop."""

    affinity_id: str | None
    """The id sent with every request; None for the run without."""
    turns: list[Turn]
    """Every turn."""

    @property
    def answers(self) -> list[Turn]:
        """The turns that end a piece of work, the recommendation first."""
        return [turn for turn in self.turns if not turn.tool_calls]

    @property
    def switches(self) -> int:
        """The number of times that the model changed from one turn to the next."""
        return count_switches([turn.model for turn in self.turns])

    @property
    def is_finished(self) -> bool:
        """True if the job was done before the turns ran out."""
        return bool(self.turns) and self.turns[-1].is_final


def show_runs(
    console: Console, affinity_id: str, without: Iterable[Turn], with_affinity: Iterable[Turn]
) -> tuple[Run, Run]:
    """Show two runs while they happen, turn about.

    Args:
        console: Where to.
        affinity_id: The second run's id.
        without: The turns of the run without affinity, as they come.
        with_affinity: Those of the run with it.

    Returns:
        Both runs, whole.
    """
    first, second = Run(None, []), Run(affinity_id, [])
    _head(console, "Run 1: WITHOUT Model Affinity")
    left, right = iter(without), iter(with_affinity)
    while True:
        with console.status(f"turn {len(first.turns) + 1} …"):
            turn = next(left, None)
        if turn is not None:
            before = first.turns[-1] if first.turns else None
            show_turn(console, turn, before)
            first.turns.append(turn)
        with console.status(f"turn {len(second.turns) + 1}, with affinity …"):
            kept = next(right, None)
        if kept is not None:
            second.turns.append(kept)
        if turn is not None and before is not None and before.model != turn.model:
            show_switch(console, turn, kept)
        if turn is None and kept is None:
            break
    _conclude(console, first)
    if not first.switches and first.turns and first.turns[-1].is_final:
        say(console, Text("  Nothing to compare: this configuration gives every turn the same model."))
    say(console, Text())
    _head(console, f"Run 2: WITH Model Affinity ({AFFINITY_HEADER}: {_shorten(affinity_id)})")
    for number, turn in enumerate(second.turns):
        show_turn(console, turn, second.turns[number - 1] if number else None)
    _conclude(console, second)
    return first, second


def show_bill(console: Console, without: Run, with_affinity: Run, *, simulated: bool) -> None:
    """Show what affinity changed, in tokens, at list prices and in time."""
    say(console, Text())
    say(
        console,
        Text(word_bill(build_bill(without.turns), build_bill(with_affinity.turns), simulated=simulated)),
    )


def show_answers(console: Console, run: Run) -> None:
    """Show the agent's answers, each under the title of its piece of work."""
    for turn in run.answers:
        say(console, Text())
        _head(console, f"The {turn.piece}")
        if console.is_terminal:
            console.print(Markdown(turn.text))
        else:
            say(console, Text(turn.text))


def encode_trace(router: str, *, simulated: bool, runs: Sequence[Run]) -> str:
    """Write both runs as JSON.

    Args:
        router: The router's address.
        simulated: Whether the models were.
        runs: The two runs, the one without affinity first.

    Returns:
        One JSON object. Everything but ``router``, ``affinity_id``, ``timings`` and ``routing_ms`` is the same in every
        run against simulated models.
    """
    trace = {
        "router": router,
        "simulated_models": simulated,
        "runs": [
            {
                "affinity_id": run.affinity_id,
                "switches": run.switches,
                "is_finished": run.is_finished,
                "turns": [_encode_turn(turn) for turn in run.turns],
                "bill": asdict(build_bill(run.turns)),
            }
            for run in runs
        ],
    }
    return json.dumps(trace, indent=2, ensure_ascii=False)


def _encode_turn(turn: Turn) -> dict[str, object]:
    fields = asdict(turn)
    timings = {name: fields.pop(name) for name in ("routing_ms", "upstream_ms")}
    return {"turn": fields.pop("number"), **fields, "scores": dict(turn.scores), "timings": timings}


def show_turn(console: Console, turn: Turn, before: Turn | None) -> None:
    """Show a turn on one line, or on several where the terminal is narrow."""
    columns = not console.is_terminal or console.width >= WIDE
    say(console, describe_turn(turn, before, columns=columns), indent=INDENT)


def show_switch(console: Console, turn: Turn, kept: Turn | None) -> None:
    """Show why the model changed and what that cost, below the turn's line."""
    for part in _fit(list(explain_switch(turn, kept)), console):
        say(console, Text(" " * INDENT + part, "dim"), indent=INDENT)


def describe_turn(turn: Turn, before: Turn | None, *, columns: bool) -> Text:
    """Describe a turn on one line.

    Args:
        turn: The turn.
        before: The one before it, or None.
        columns: Whether what it says stands below what the turn before says; else the line is short.
    """
    is_pinned = (turn.decision or "").startswith("retain")  # the route is that of an earlier turn
    route, model = "pinned" if is_pinned else turn.route or "-", turn.model
    doing = _list_tools(turn.tool_calls, at_most=2 if columns else 1) or (
        "final answer" if turn.is_final else turn.piece
    )
    if columns:
        line = Text(f"  turn {turn.number}  ")
        line.append(f"[{model:<{MODEL_WIDTH}}]", color(model))
        line.append(f"  {route:<{ROUTE_WIDTH}}", "dim")
        line.append(f"  {doing}")
    else:
        line = Text(f"turn {turn.number} ")
        line.append(f"[{model}]", color(model))
        line.append(f" {route}", "dim")
        line.append(f" · {doing}")
    if before is not None and before.model != model:
        line.append("   ← switched" if columns else " ← switched", "bold red")
    return line


def explain_switch(turn: Turn, kept: Turn | None) -> Iterator[str]:
    """Say why the model changed, and what that cost.

    Args:
        turn: The turn at which it changed.
        kept: The same turn of the run with affinity; None where that has none.
    """
    if len(turn.scores) > 1:
        (best, most), (other, less) = turn.scores[:2]
        yield f"{best} {most:.0%} likely, {other} {less:.0%}".replace("%", " %")
    cost = f"{turn.cached_tokens:,} of {turn.prompt_tokens:,} prompt tokens from the cache"
    yield f"{cost} (with affinity {kept.cached_tokens:,} of {kept.prompt_tokens:,})" if kept is not None else cost


def _fit(parts: list[str], console: Console) -> list[str]:
    """Join parts into one line where there is room for it."""
    line = "; ".join(parts)
    return [line] if not console.is_terminal or len(line) + INDENT <= console.width else parts


def _list_tools(names: Iterable[str], *, at_most: int) -> str:
    """List tools by name; one called more often in a row than that is named once, with how often."""
    told: list[str] = []
    for name, group in groupby(names):
        times = len(list(group))
        told += [name] * times if times <= at_most else [f"{name} ×{times}"]  # noqa: RUF001 - times
    return ", ".join(told)


def _head(console: Console, heading: str) -> None:
    say(console, Text(heading, "bold"))
    say(console, Text(RULE, "dim"))


def _conclude(console: Console, run: Run) -> None:
    kind = "With" if run.affinity_id is not None else "Without"
    if run.switches:
        models = ", ".join(sorted({turn.model for turn in run.turns}))
        text = Text(f"✗ {kind} affinity: model switched {run.switches} time(s): {models}", "bold red")
    elif run.turns:
        text = Text(f"✓ {kind} affinity: {run.turns[0].model} for all {len(run.turns)} turns", "bold green")
    else:
        text = Text(f"✗ {kind} affinity: no turn was taken", "bold red")
    say(console, text, indent=2)
    if not run.is_finished:
        say(
            console, Text(f"  Stopped after {len(run.turns)} turns, as --max-turns says; the job takes more."), indent=2
        )


def color(model: str) -> str:
    """Give a model the same color on every turn."""
    palette = ("cyan", "magenta", "yellow", "green", "blue")
    return palette[sum(model.encode()) % len(palette)]


def _shorten(affinity_id: str) -> str:
    shown = 8
    return affinity_id if len(affinity_id) <= shown else f"{affinity_id[:shown]}…"


def say(console: Console, text: Text, *, indent: int = 0) -> None:
    """Print a line; on a terminal that is too narrow for it, as several that end between words.

    Args:
        console: Where to.
        text: The line.
        indent: Columns that the lines after the first are moved to the right.
    """
    if not console.is_terminal or text.cell_len <= console.width:
        console.print(text, soft_wrap=True)
        return
    first, *others = text.wrap(console, console.width - indent)
    console.print(first, soft_wrap=True)
    for line in others:
        console.print(Text(" " * indent).append_text(line), soft_wrap=True)
