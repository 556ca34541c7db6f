"""``plano-agents status``: a session's model in one line, such as an agent's status line shows."""

import json
import sys
from collections.abc import Iterable

import click

from plano_agents.cli.running_router import DEFAULT_URL, Router, Session
from plano_agents.integrations.router_address import VARIABLES
from plano_agents.sessions.harnesses import HARNESSES
from plano_agents.sessions.lanes import SEPARATOR

STANDARD_INPUT = "-"
CLAUDE_CODE = "claude-code"
MAIN = "main/"
"""What the name of a session's main lane begins with."""
MOST_LANES = 100
"""How many lanes of a session are looked at."""


@click.command("status")
@click.option(
    "--session",
    required=True,
    help="The session's id, as the agent names it; '-' reads Claude Code's status from standard input.",
)
@click.option("--tenant", default="", help="Tenant of the id, where tenants are separated.")
@click.option(
    "--url",
    envvar=VARIABLES,
    default=DEFAULT_URL,
    show_default=True,
    help="The router's address.  [env: PLANO_BASE_URL, PLANO_URL]",
)
@click.option(
    "--token",
    envvar="PLANO_ADMIN_TOKEN",
    help="The router's admin_token; better in the environment.  [env: PLANO_ADMIN_TOKEN]",
)
def status_command(session: str, tenant: str, url: str, token: str | None) -> None:
    """Show a session's model, route and decision in one line."""
    router = Router(url, token)
    if session == STANDARD_INPUT:
        found = _find_lane(router, _read_session(sys.stdin.read()), [CLAUDE_CODE], tenant)
    else:
        found = _find_lane(router, session, (row.name for row in HARNESSES), tenant)
        found = found or router.ask("GET", session, tenant=tenant)
    click.echo(_describe(found) if found is not None else "no model yet")


def _read_session(text: str) -> str:
    """Take the session's id out of what Claude Code hands to a status line's command.

    Raises:
        click.ClickException: It is nothing of the kind.
    """
    try:
        session = json.loads(text)["session_id"]
    except (ValueError, LookupError, TypeError):
        session = None
    if not isinstance(session, str) or not session:
        raise click.ClickException(
            "Standard input holds no JSON object with a session_id, which Claude Code hands to a status line's command."
        )
    return session


def _find_lane(router: Router, session: str, harnesses: Iterable[str], tenant: str) -> Session | None:
    """Find the lane of a harness' session that was used last, a main one before others."""
    for harness in harnesses:
        key = f"{harness}{SEPARATOR}{session}{SEPARATOR}"
        lanes = [lane for lane, _ in router.list(MOST_LANES, prefix=key, tenant=tenant)]
        if lanes:
            return max(lanes, key=lambda lane: (lane["affinity_id"].startswith(key + MAIN), lane["last_used_at"]))
    return None


def _describe(session: Session) -> str:
    decision = f"{session['decision']}; reason={session['reason']}"
    return " · ".join([session["model"], session["route"] or "no route", decision])
