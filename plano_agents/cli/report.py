"""``plano-agents report``: what affinity saved on a running router's own traffic, with its basis and its margin."""

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plano_agents.cli.running_router import NotServedError, Router, router_options

WIDTH = 80
"""How wide the report is where nobody looks."""

NO_MARGIN = "–"  # noqa: RUF001 - a dash
"""Shown in place of a margin that cannot be computed."""

Report = dict[str, Any]
"""The report as the router's JSON has it."""

_DAYS = re.compile(r"([1-9][0-9]{0,3})d", re.ASCII)

_COLD = (
    "A switch is taken to find nothing in the new model's cache, so tokens read anew are at most that, at the list price "
    "of plain input. Tokens are those that providers reported for the turns as they were served."
)


def _parse_since(_context: click.Context, _parameter: click.Parameter, given: str | None) -> date | None:
    """Read a day, or how many days back."""
    if given is None:
        return None
    today = datetime.now(UTC).date()
    found = _DAYS.fullmatch(given)
    try:
        return today - timedelta(days=int(found[1]) - 1) if found is not None else date.fromisoformat(given)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{given!r} is not a day. Write one such as {today}, or 7d for the last seven."
        ) from None


@click.command("report")
@click.option(
    "--since",
    callback=_parse_since,
    metavar="DAY",
    help="The first day, in UTC, or 7d for the last seven  [default: all that are kept]",
)
@router_options
def report_command(router: Router, since: date | None, *, as_json: bool) -> None:
    """Report what affinity saved on a router's own traffic.

    It rests on the pinned turns that `routing.observe` routes beside their requests.
    """
    try:
        report = router.send("GET", "/report", needed="basis", since=since.isoformat() if since is not None else None)
    except NotServedError:
        raise click.ClickException(
            "This router makes no report: it is of an older version. Update plano-agents where the router runs."
        ) from None
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(report)
    if report["degraded"]:
        click.echo("The session store does not answer: these are the sums of one process.", err=True)


def _show(report: Report) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)

    def say(text: str, style: str = "") -> None:
        console.print(Text(textwrap.fill(text, console.width - 1), style), soft_wrap=True)

    say(f"What affinity saved, {_name_period(report)}", "bold")
    for line in _word_basis(report):
        say(line)
    if report["estimated"] is not None:
        console.print()
        for cells in console.render_lines(_build_table(report), pad=False):
            console.print(Text("".join(each.text for each in cells).rstrip()), soft_wrap=True)
        console.print()
        for line in _word_notes(report):
            say(line, "dim")


def _name_period(report: Report) -> str:
    if report["began_at"] is None:
        first_day = report["days"][0]["day"] if report["days"] else report["since"]
        return f"since {first_day} (UTC), on all routers that share the session store"
    began = datetime.fromisoformat(report["began_at"])
    first = max(began, datetime.fromisoformat(report["since"]).replace(tzinfo=UTC))
    what = "this router started" if first == began else "that day"
    return f"since {first:%Y-%m-%d %H:%M} UTC, when {what}; without Redis nothing older is kept"


def _word_basis(report: Report) -> Iterator[str]:
    basis, share = report["basis"], report["observe"]
    pinned, routed = basis["pinned_turns"], basis["routed"]
    if pinned == 0 and share == 0:
        yield (
            "Nothing is known: routing.observe is 0, so no turn is routed beside its request. Set a share in "
            "plano-agents.yaml, such as routing: {observe: 0.05}."
        )
    elif pinned == 0:
        yield f"Nothing is known yet: no turn was decided by its pin and answered well. routing.observe is {share:g}."
    elif routed == 0:
        yield f"Nothing is known yet: none of {pinned:,} pinned turns was routed beside. routing.observe is {share:g}."
    else:
        shares = " and ".join(f"{each:g}" for each in basis["shares"])
        yield (
            f"{routed:,} of {pinned:,} pinned turns were routed beside their requests (routing.observe {shares}). "
            f"The turn before is known of {basis['compared']:,} of them, the tokens of {basis['metered']:,}, both "
            f"list prices of {basis['priced']:,}; the others count as nothing saved."
        )
    missed = {"for want of room": basis["dropped"], "whose routing failed": basis["failed"]}
    told = [f"{number:,} {why}" for why, number in missed.items() if number]
    if told:
        yield f"Not routed: {', '.join(told)}."


def _build_table(report: Report) -> Table:
    basis, sampled, estimated = report["basis"], report["sampled"], report["estimated"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    margin = f"{report['confidence']:.0%} margin".replace("%", " %")
    for heading in ("", f"in {basis['routed']:,} turns", f"in {basis['pinned_turns']:,} turns", margin):
        table.add_column(heading, justify="right" if heading else "left")
    share = estimated["switch_share"]
    saved = sampled["usd_without_affinity"] - sampled["usd_with_affinity"]
    rows: list[tuple[str, str, dict[str, Any] | None, Callable[[float], str]]] = [
        ("would-be switches", _count(sampled["would_be_switches"]), estimated["would_be_switches"], _count),
        ("  of all turns", "", share, _percent),
        ("prompt tokens", _count(sampled["prompt_tokens"]), None, _count),
        ("  read anew", _count(sampled["tokens_read_anew"]), estimated["tokens_read_anew"], _count),
        ("list price with affinity", _usd(sampled["usd_with_affinity"]), None, _usd),
        ("list price without", _usd(sampled["usd_without_affinity"]), None, _usd),
        ("  saved", _usd(saved), estimated["usd_saved"], _usd),
        ("routing time", _seconds(sampled["routing_ms"]), estimated["routing_ms"], _seconds),
    ]
    for name, counted, figure, write in rows:
        table.add_row(name, counted, *_write_figure(figure, write, is_exact=basis["routed"] == basis["pinned_turns"]))
    return table


def _write_figure(figure: dict[str, Any] | None, write: Callable[[float], str], *, is_exact: bool) -> tuple[str, str]:
    if figure is None:
        return "", ""
    if figure["low"] is None:
        return write(figure["estimate"]), NO_MARGIN
    if is_exact:
        return write(figure["estimate"]), "exact"
    rough = " ~" if figure["is_rough"] else ""
    return write(figure["estimate"]), f"{write(figure['low'])} to {write(figure['high'])}{rough}"


def _word_notes(report: Report) -> Iterator[str]:
    estimated = report["estimated"]
    yield _COLD
    if estimated["usd_saved"]["estimate"] < 0:
        yield "Below 0: the models that were kept cost more than those that turns would have been routed to."
    if any(figure["low"] is None for figure in estimated.values()):
        yield f"{NO_MARGIN} From fewer than 30 turns, or turns that are all alike, no margin can be computed."
    if any(figure["is_rough"] for figure in estimated.values()):
        yield "~ A few large turns dominate, so that the margin may be too narrow."


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _usd(value: float) -> str:
    digits = 2 if abs(round(value, 4)) >= 1 else 4
    return f"{'-' if value < 0 else ''}${abs(value):,.{digits}f}"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:,.1f} s" if milliseconds >= 1000 else f"{milliseconds:,.0f} ms"  # noqa: PLR2004 - a second
