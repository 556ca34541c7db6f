"""``plano-agents config check``: the effective configuration, or every problem that it has."""

import asyncio
import os
from pathlib import Path

import click

from plano_agents.cli.options import config_argument
from plano_agents.cli.tracing import leave_out_tracing
from plano_agents.config.load import load_config
from plano_agents.config.model import Routing
from plano_agents.config.render import render_config
from plano_agents.observe.spans.destination import find_destination
from plano_agents.providers.target import build_target
from plano_agents.routing.embedded.descriptions import is_catch_all
from plano_agents.sessions.build import build_store
from plano_agents.sessions.store import PlacedStore, StorePlace

CATCH_ALL = (
    "The preference {name!r} takes every request that no other one matches, for its name or a phrase of its description"
    " says so. If that is not meant, name what it is for."
)
"""The warning of a preference that is read as one for everything else."""


@click.group("config")
def config_group() -> None:
    """Check a configuration."""


@config_group.command("check")
@config_argument("config.yaml")
@click.option("--offline", is_flag=True, help="Read it as 'up --offline' does: no key is needed.")
def check_command(config: Path, settings: Path | None, *, offline: bool) -> None:
    """Check CONFIG and print the effective configuration.

    Defaults are filled in, and secrets are masked. A shared session store is asked whether it answers, and where.
    """
    loaded = load_config(config, settings_path=settings, environ=os.environ, offline=offline)
    loaded = leave_out_tracing(loaded, os.environ)
    for model in loaded.models:
        build_target(model)
    place = asyncio.run(_ask_store(loaded.routing))
    find_destination(loaded.tracing.random_sampling, loaded.tracing.opentracing_grpc_endpoint, os.environ)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    for preference in filter(is_catch_all, loaded.preferences):
        click.echo(f"warning: {CATCH_ALL.format(name=preference.name)}", err=True)
    if place is not None:
        masters = ", ".join(place.masters) or "no master is known"
        told = f"answers, at {masters}" if place.answers else f"does not answer ({masters}): see the line above"
        click.echo(f"session store: {place.name} {told}", err=True)
    click.echo(render_config(loaded), nl=False)


async def _ask_store(routing: Routing) -> StorePlace | None:
    """Ask a shared session store for what sessions need; one that does not answer is told in the log."""
    store = build_store(routing)
    await store.connect()
    if not isinstance(store, PlacedStore):
        return None
    place = store.find_place()
    await store.aclose()
    return place
