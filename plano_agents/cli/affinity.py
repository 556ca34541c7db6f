"""``plano-agents affinity``: sessions listed, explained and dropped, by asking a running router."""

import json
import sys
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plano_agents.cli.running_router import Router, Session, escape, router_options

_SET_BY = {"initialize": "the session's first request set the model", "switch": "a later request changed the model"}
"""The decisions that put a session on its model, in words."""


@click.group("affinity")
def affinity_group() -> None:
    """List, explain and drop the sessions of a running router."""


@affinity_group.command("list")
@click.option("--model", help="Only sessions on this model.")
@click.option("--route", help="Only sessions that this preference chose.")
@click.option("--prefix", help="Only ids that begin with this.")
@click.option("--tenant", help="Only this tenant's.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many sessions at most.")
@click.option("--all", "everything", is_flag=True, help="List all sessions.")
@router_options
def list_command(router: Router, limit: int, *, everything: bool, as_json: bool, **filters: str | None) -> None:
    """List sessions. Of pins in memory the most recently used come first."""
    listed = router.list(None if everything else limit + 1, **filters)
    found = list(listed)
    more = not everything and len(found) > limit
    sessions = [session for session, _ in found][: None if everything else limit]
    if as_json:
        click.echo(json.dumps(sessions, indent=2, ensure_ascii=False))
    elif sessions:
        _print(_build_table(sessions))
    else:
        click.echo("no sessions")
    if more:
        click.echo(f"More than {limit}: add --all, or a filter.", err=True)
    if any(degraded for _, degraded in found):
        _warn_degraded()


@affinity_group.command("show")
@click.argument("affinity_id")
@click.option("--tenant", default="", help="Tenant of the id, where tenants are separated.")
@router_options
def show_command(router: Router, affinity_id: str, tenant: str, *, as_json: bool) -> None:
    """Explain a session: its model, why, every switch, the latest detour.

    AFFINITY_ID may be a unique prefix of the id, or a harness' own session id.
    """
    session = router.ask("GET", affinity_id, tenant=tenant, beginning="true")
    if as_json:
        click.echo(json.dumps(session, indent=2, ensure_ascii=False))
    else:
        _print(_build_page(session))
    if session.get("degraded"):
        _warn_degraded()


@affinity_group.command("drop")
@click.argument("affinity_id")
@click.option("--tenant", default="", help="Tenant of the id, where tenants are separated.")
@router_options
def drop_command(router: Router, affinity_id: str, tenant: str, *, as_json: bool) -> None:
    """Drop a session's pin: its next request is routed anew."""
    dropped = router.ask("DELETE", affinity_id, tenant=tenant)
    click.echo(json.dumps(dropped, indent=2, ensure_ascii=False) if as_json else f"dropped {affinity_id}")


def _build_table(sessions: list[Session]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    with_tenants = any(session["tenant"] for session in sessions)
    with_labels = any(session.get("label") for session in sessions)
    names = [
        "affinity id",
        *(["tenant"] if with_tenants else []),
        *(["label"] if with_labels else []),
        "model",
        "route",
        "decision",
        "turns",
        "tokens",
        "left",
    ]
    for name in names:
        table.add_column(
            name,
            justify="right" if name in {"turns", "tokens", "left"} else "left",
            overflow="fold" if name in {"affinity id", "tenant"} else "ellipsis",
        )
    for session in sessions:
        tokens = session["tokens"]
        cells = [
            session["affinity_id"],
            *([session["tenant"]] if with_tenants else []),
            *([session.get("label") or "-"] if with_labels else []),
            session["model"],
            session["route"] or "-",
            f"{session['decision']}: {session['reason']}",
            f"{session['turns']:,}",
            f"{tokens['input'] + tokens['output']:,}",
            _write_seconds(session["seconds_left"]),
        ]
        table.add_row(*map(_show, cells))
    return table


def _build_page(session: Session) -> Table:
    tokens = session["tokens"]
    in_flight = session["requests_in_flight"]
    rows = [
        ("affinity id", session["affinity_id"]),
        *([("tenant", session["tenant"])] if session["tenant"] else []),
        *([("session", session["source"])] if session.get("source") else []),
        *([("label", session["label"])] if session.get("label") else []),
        ("model", session["model"]),
        *([("deployment", session["deployment"])] if session.get("deployment") else []),
        ("route", session["route"] or "-"),
        ("decision", f"{session['decision']}; reason={session['reason']} ({_SET_BY[session['decision']]})"),
        ("why", session["why"]),
        ("pinned", f"{_write_time(session['pinned_at'])}, {_write_seconds(session['age_seconds'])} ago"),
        ("last used", _write_time(session["last_used_at"])),
        ("left", f"{_write_seconds(session['seconds_left'])} unless it is used"),
        ("turns", f"{session['turns']:,}" + (f", and {in_flight:,} in flight" if in_flight else "")),
        ("tokens", f"{tokens['input']:,} in ({tokens['cached']:,} cached), {tokens['output']:,} out"),
        ("switches", f"{session['switch_count']:,}"),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, _show(value))
    for switch in session["switches"]:
        table.add_row(
            "",
            _show(
                f"{_write_time(switch['at'])}  {switch['from_model']} → {switch['to_model']}  {switch['reason']}"
                + (f": {switch['because']}" if switch.get("because") else "")
            ),
        )
    for move in session.get("deployment_moves", ()):
        places = f"{move['from_deployment'] or '-'} → {move['to_deployment'] or '-'}"
        because = f": {move['because']}" if move.get("because") else ""
        table.add_row("", _show(f"{_write_time(move['at'])}  {move['model']}  {places}  deployment{because}"))
    if last := session.get("last_detour"):
        told = f"{_write_time(last['at'])}  {last['model']}" + (f": {last['because']}" if last.get("because") else "")
        table.add_row("detours", _show(f"{session['detour_count']:,}, the latest {told}"))
    return table


def _show(text: str) -> Text:
    return Text(escape(text))


def _print(table: Table) -> None:
    """Print a table as wide as the terminal, or as wide as it is where nobody looks."""
    width = None if sys.stdout.isatty() else 10_000
    console = Console(highlight=False, width=width)
    for line in console.render_lines(table, pad=False) if width else []:
        click.echo("".join(segment.text for segment in line).rstrip())
    if width is None:
        console.print(table)


def _warn_degraded() -> None:
    click.echo("The session store does not answer: this is what one replica remembers.", err=True)


def _write_time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _write_seconds(seconds: float) -> str:
    """Write a duration as people say it: ``42 s``, ``9 min 58 s``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    for size, unit, smaller, small_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"
