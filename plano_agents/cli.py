"""The command line: ``plano-agents up`` and ``plano-agents simulate``.

It puts the parts together, says what it serves and where, and turns every failure into a line. What the parts do
is theirs.
"""

import logging
import os
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import click

from plano_agents import __version__, serving
from plano_agents.config.load import load_config
from plano_agents.config.model import Config
from plano_agents.config.render import render_config
from plano_agents.errors import ConfigError
from plano_agents.providers.target import build_target
from plano_agents.router.app import Router
from plano_agents.router.upstream import AiohttpUpstream
from plano_agents.simulator.app import create_app as create_simulator
from plano_agents.simulator.settings import SimulatorSettings

PACED = SimulatorSettings(time_to_first_token_ms=150, tokens_per_second=1_200)
"""How fast simulated models answer behind the router: a turn can be felt, and nobody waits."""

AT_ONCE = SimulatorSettings()
"""The same with ``--fast``."""


def main() -> None:
    """Run the command line; what goes wrong is told without a traceback."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        cli(prog_name="plano-agents")
    except ConfigError as error:
        _tell(error)
        sys.exit(1)


def _tell(error: ConfigError) -> None:
    for problem in error.problems:
        click.echo(f"error: {problem}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="plano-agents")
def cli() -> None:
    """Keep an agent loop on one model."""


@cli.command()
@click.argument("config", type=click.Path(path_type=Path), default="config.yaml")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="Our settings  [default: plano-agents.yaml beside CONFIG]",
)
@click.option("--host", help="Address to listen on  [default: the listener's in CONFIG, else 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one  [default: CONFIG's, else 12000]",
)
@click.option("--offline", is_flag=True, help="Put simulated models behind every provider; no key is needed.")
@click.option("--fast", is_flag=True, help="With --offline: the simulated models answer at once.")
@click.option("--no-auth", is_flag=True, help="Listen beyond this machine although clients need no key.")
def up(
    config: Path,
    settings: Path | None,
    host: str | None,
    port: int | None,
    *,
    offline: bool,
    fast: bool,
    no_auth: bool,
) -> None:
    """Start the router on CONFIG, a config.yaml in Plano's schema."""
    if fast and not offline:
        raise click.UsageError("--fast is for simulated models; add --offline.")

    def load() -> Config:
        found = load_config(config, settings_path=settings, environ=os.environ, offline=offline)
        for warning in found.warnings:
            click.echo(f"warning: {warning}", err=True)
        return found

    loaded = load()
    address = host if host is not None else loaded.listener.host
    serving.check_exposure(
        address,
        is_guarded=no_auth or bool(loaded.client_keys and loaded.admin_token),
        way_out="Set client_keys and admin_token in plano-agents.yaml, or listen on 127.0.0.1 (--host 127.0.0.1), or "
        "add --no-auth if that is meant.",
    )
    listener = serving.bind(address, port if port is not None else loaded.listener.port)
    simulated = (AT_ONCE if fast else PACED) if offline else None
    serving.run(_serve_router(loaded, load, listener, simulated))
    click.echo("stopped")


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=12001,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option(
    "--model", "models", multiple=True, help="A model to know, repeatable  [default: any name is known]"
)
@click.option(
    "--time-to-first-token-ms",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Wait before the first token.",
)
@click.option(
    "--tokens-per-second",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Pace of the rest; 0 is at once.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Varies ids; the same seed repeats a run exactly."
)
def simulate(
    *,
    host: str,
    port: int,
    models: tuple[str, ...],
    time_to_first_token_ms: float,
    tokens_per_second: float,
    seed: int,
) -> None:
    """Start the simulated models alone: OpenAI chat completions and Anthropic messages, offline."""
    if not serving.is_loopback(host):
        raise click.UsageError(f"The simulator listens on this machine only; {host!r} is another address.")
    listener = serving.bind(host, port)
    settings = SimulatorSettings(
        models=models,
        time_to_first_token_ms=time_to_first_token_ms,
        tokens_per_second=tokens_per_second,
        seed=seed,
    )
    url = serving.url_of(listener)

    def announce() -> None:
        click.echo(f"simulated models on {url}  (OpenAI: {url}/v1, Anthropic: {url})\nCtrl-C stops them.")

    serving.run(serving.serve([serving.Site(create_simulator(settings), listener)], on_ready=announce))
    click.echo("stopped")


async def _serve_router(
    config: Config, load: Callable[[], Config], listener: socket.socket, simulated: SimulatorSettings | None
) -> None:
    """Serve the router, and the simulated models where they are wanted, until told to stop.

    At SIGHUP the configuration is read again; one that cannot be used is told, and the old one stays.
    """
    sites: list[serving.Site] = []
    offline_url: str | None = None
    if simulated is not None:
        simulator_socket = serving.bind("127.0.0.1", 0)
        sites.append(serving.Site(create_simulator(simulated), simulator_socket))
        offline_url = serving.url_of(simulator_socket)

    def place(found: Config) -> Config:
        return found.offline(offline_url) if offline_url is not None else found

    upstream = AiohttpUpstream(tls=_load_tls(config), proxy_from_environment=config.proxy_from_environment)
    try:
        router = Router(place(config), upstream, fetch=upstream.fetch)
        grace = config.limits.shutdown_grace_seconds
        limits = serving.HttpLimits(
            header_seconds=config.limits.header_seconds,
            body_seconds=config.limits.body_seconds,
            max_header_bytes=config.limits.max_header_bytes,
        )
        sites.append(serving.Site(router, listener, grace, limits))

        def reload() -> None:
            try:
                router.configure(place(load()))
            except ConfigError as error:
                _tell(error)
                click.echo("the old configuration stays", err=True)
            else:
                click.echo("configuration reloaded")

        url = serving.url_of(listener)
        await serving.serve(
            sites, on_ready=lambda: click.echo(describe(config, url, offline_url)), on_reload=reload
        )
        await router.aclose()
    finally:
        await upstream.close()


def _load_tls(config: Config) -> ssl.SSLContext | None:
    """Load what providers' certificates are checked against; None for the system's.

    Raises:
        ConfigError: The configured file cannot be used.
    """
    path = config.overrides.upstream_tls_ca_path
    if path is None:
        return None
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"overrides.upstream_tls_ca_path: {path!r} cannot be used as a bundle of certificates ({error}). Name a "
            "PEM file."
        ) from error


@cli.group("config")
def config_group() -> None:
    """Look at configurations."""


@config_group.command()
@click.argument("config", type=click.Path(path_type=Path), default="config.yaml")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="Our settings  [default: plano-agents.yaml beside CONFIG]",
)
@click.option("--offline", is_flag=True, help="Read it as 'up --offline' does: no key is needed.")
def check(config: Path, settings: Path | None, *, offline: bool) -> None:
    """Check CONFIG and print what it comes to, defaults included and secrets masked."""
    loaded = load_config(config, settings_path=settings, environ=os.environ, offline=offline)
    for model in loaded.models:
        build_target(model)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(render_config(loaded), nl=False)


def describe(config: Config, url: str, offline_url: str | None) -> str:
    """Say what the router serves and where, for the terminal.

    Args:
        config: What is configured.
        url: Where the router listens.
        offline_url: Where the simulated models are, or None when the providers are real.
    """
    default = config.default_model
    models = [f"{model.name} (default)" if model == default else model.name for model in config.models]
    rows = [("models", ", ".join(models))]
    rows += [("alias", f"{alias} → {target}") for alias, target in config.aliases.items()]
    rows += [("preference", f"{each.name} → {', '.join(each.models)}") for each in config.preferences]
    kept = f"{config.routing.session_max_entries:,} in memory, each {config.routing.session_ttl_seconds} s after its last use"
    rows.append(("pins", f"at most {kept}"))
    if offline_url is not None:
        rows.append(("offline", f"models are simulated (at {offline_url}); routing is real"))
    lines = [f"plano-agents router on {url}/v1", *(f"  {name:<11} {value}" for name, value in rows)]
    return "\n".join([*lines, "Ctrl-C stops it."])
