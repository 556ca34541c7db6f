"""``plano-agents config check``: the effective configuration, or every problem that it has."""

import os
from pathlib import Path

import click

from plano_agents.cli.options import config_argument
from plano_agents.config.load import load_config
from plano_agents.config.render import render_config
from plano_agents.observe.spans.destination import find_destination
from plano_agents.providers.target import build_target
from plano_agents.sessions.build import build_store


@click.group("config")
def config_group() -> None:
    """Check a configuration."""


@config_group.command("check")
@config_argument("config.yaml")
@click.option("--offline", is_flag=True, help="Read it as 'up --offline' does: no key is needed.")
def check_command(config: Path, settings: Path | None, *, offline: bool) -> None:
    """Check CONFIG and print the effective configuration.

    Defaults are filled in, and secrets are masked.
    """
    loaded = load_config(config, settings_path=settings, environ=os.environ, offline=offline)
    for model in loaded.models:
        build_target(model)
    build_store(loaded.routing)
    find_destination(loaded.tracing.random_sampling, loaded.tracing.opentracing_grpc_endpoint, os.environ)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(render_config(loaded), nl=False)
