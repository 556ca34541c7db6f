"""``plano-agents affinity``: sessions listed, explained and dropped, by asking a running router."""

import http.client
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plano_agents.http_syntax import is_header_value, split_address
from plano_agents.integrations.router_address import name_url

DEFAULT_URL = "http://127.0.0.1:12000"
PAGE = 500
TIMEOUT_SECONDS = 10.0

_SCHEMES = frozenset({"http", "https"})

Session = dict[str, Any]
"""A session as the router's JSON has it."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, for the admin token would go along to wherever it leads."""

    def redirect_request(self, *_arguments: object) -> None:
        """Leave it to be told as what it is."""


@dataclass(frozen=True, slots=True)
class Router:
    """A running router, as an operator reaches it."""

    url: str
    """Its address, with or without ``/v1``."""
    token: str | None = field(repr=False)
    """The admin token."""

    def ask(self, method: str, affinity_id: str | None = None, **params: str | int | None) -> dict[str, Any]:
        """Ask an operators' endpoint.

        Raises:
            click.ClickException: It cannot be reached, or refuses.
        """
        if split_address(self.url, _SCHEMES) is None:
            raise click.ClickException(f"{name_url(self.url)!r} is not an address. Write one such as {DEFAULT_URL}.")
        path = "/affinity" if affinity_id is None else f"/affinity/{_encode(affinity_id)}"
        query = urllib.parse.urlencode(
            {name: value for name, value in params.items() if value is not None}, errors="surrogateescape"
        )
        base = self.url.rstrip("/").removesuffix("/v1")
        request = urllib.request.Request(f"{base}{path}?{query}", method=method)  # noqa: S310 - checked above
        if self.token:
            if not is_header_value(self.token):
                raise click.ClickException(
                    "The admin token cannot go into an HTTP header. Give it as visible ASCII, without a line end."
                )
            request.add_header("Authorization", f"Bearer {self.token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return _read(answer.read(), base, needed="sessions" if affinity_id is None else "affinity_id")
        except urllib.error.HTTPError as error:
            raise click.ClickException(_explain(error.read(), error.code, base, has_token=bool(self.token))) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise click.ClickException(
                f"No router answers at {name_url(base)} ({reason}). Start one with 'plano-agents up', or name it with --url."
            ) from None

    def list(self, limit: int | None, **filters: str | None) -> Iterator[tuple[Session, bool]]:
        """List sessions, page by page; each with whether it is one replica's word only.

        Args:
            limit: How many at most; None for all.
            filters: What the endpoint filters by.
        """
        cursor: str | None = None
        left = limit
        while True:
            wanted = PAGE if left is None else min(left, PAGE)
            page = self.ask("GET", limit=wanted, cursor=cursor, **filters)
            for session in page["sessions"]:
                yield session, page.get("degraded") is not None
            cursor = page["next"]
            left = None if left is None else left - len(page["sessions"])
            if cursor is None or left == 0:
                return


def _add_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command here needs to reach a router."""

    @click.option(
        "--url",
        envvar="PLANO_BASE_URL",
        default=DEFAULT_URL,
        show_default=True,
        help="The router's address.  [env: PLANO_BASE_URL]",
    )
    @click.option(
        "--token",
        envvar="PLANO_ADMIN_TOKEN",
        help="The router's admin_token; better in the environment, where others cannot see it.  "
        "[env: PLANO_ADMIN_TOKEN]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, as the router answers.")
    @wraps(command)
    def with_router(url: str, token: str | None, **options: Any) -> None:  # noqa: ANN401 - click's own
        command(router=Router(url, token), **options)

    return with_router


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
@_add_options
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
@click.option("--tenant", default="", help="Whose id it is, where tenants are told apart.")
@_add_options
def show_command(router: Router, affinity_id: str, tenant: str, *, as_json: bool) -> None:
    """Explain a session: its model, why, and every switch."""
    session = router.ask("GET", affinity_id, tenant=tenant)
    if as_json:
        click.echo(json.dumps(session, indent=2, ensure_ascii=False))
    else:
        _print(_build_page(session))
    if session.get("degraded"):
        _warn_degraded()


@affinity_group.command("drop")
@click.argument("affinity_id")
@click.option("--tenant", default="", help="Whose id it is, where tenants are told apart.")
@_add_options
def drop_command(router: Router, affinity_id: str, tenant: str, *, as_json: bool) -> None:
    """Drop a session's pin: its next request is routed anew."""
    dropped = router.ask("DELETE", affinity_id, tenant=tenant)
    click.echo(json.dumps(dropped, indent=2, ensure_ascii=False) if as_json else f"dropped {affinity_id}")


def _build_table(sessions: list[Session]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    with_tenants = any(session["tenant"] for session in sessions)
    names = [
        "affinity id",
        *(["tenant"] if with_tenants else []),
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
        ("model", session["model"]),
        ("route", session["route"] or "-"),
        ("decision", f"{session['decision']}; reason={session['reason']}"),
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
    return table


def _show(text: str) -> Text:
    return Text(_escape(text))


def _escape(text: str) -> str:
    """Write what a terminal would act on as an escape: tenants are whatever clients send."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


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


def _encode(affinity_id: str) -> str:
    """Encode every byte that could mean something in a path, dots included."""
    return urllib.parse.quote(affinity_id, safe="", errors="surrogateescape").replace(".", "%2E")


def _read(body: bytes, base: str, *, needed: str) -> dict[str, Any]:
    """Read a router's answer; whatever has not the field that it needs is told to be none."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or needed not in found:
        raise click.ClickException(
            f"What answers at {name_url(base)} is not a plano-agents router. Name it with --url."
        )
    return found


def _explain(body: bytes, status: int, base: str, *, has_token: bool) -> str:
    """Take the router's own words; whatever else answered is named."""
    try:
        error = json.loads(body)["error"]
        message, code = str(error["message"]), error["code"]
    except (ValueError, KeyError, TypeError):
        return f"What answers at {name_url(base)} is not a plano-agents router (status {status}). Name it with --url."
    if code == "invalid_api_key":
        return f"The router asks for its admin token{', and this is not it' if has_token else ''}. Put it into PLANO_ADMIN_TOKEN."
    return _escape(message)


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
