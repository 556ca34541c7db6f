"""``plano-agents up``: the router on a configuration, in one process or in several."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import click

from plano_agents import processes
from plano_agents.cli.first_config import load_or_start
from plano_agents.cli.options import ACT_HELP, config_argument, log_options
from plano_agents.cli.tracing import leave_out_tracing
from plano_agents.config.key_hashes import MIN_KEY_LENGTH
from plano_agents.config.model import Config, Routing
from plano_agents.errors import ConfigError
from plano_agents.observe.log import Form, announce, configure_log
from plano_agents.observe.spans.destination import find_destination
from plano_agents.sessions.build import name_store

FIRST_TOKEN_MILLISECONDS, TOKENS_PER_SECOND = 150, 1_200
"""How fast simulated models answer behind the router, but with ``--fast``: a turn can be felt, and nobody waits."""


@click.command("up")
@config_argument(None)
@click.option("--host", help="Address to listen on  [default: the listener's in CONFIG, else 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one  [default: CONFIG's, else 12000]",
)
@click.option("--offline", is_flag=True, help="Put simulated models behind every provider; no key is needed.")
@click.option("--fast", is_flag=True, help="With --offline: the simulated models answer at once.")
@click.option("--act", is_flag=True, help=f"With --offline: {ACT_HELP}")
@click.option(
    "--implicit-sessions",
    is_flag=True,
    help="Keep the model of conversations without a session id too, known by how they begin.",
)
@click.option("--no-auth", is_flag=True, help="Listen beyond this machine although clients need no key.")
@log_options
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many processes serve; more than one share their pins through Redis (routing.session_cache).",
)
def up_command(
    config: Path | None,
    settings: Path | None,
    host: str | None,
    port: int | None,
    *,
    offline: bool,
    fast: bool,
    act: bool,
    implicit_sessions: bool,
    no_auth: bool,
    workers: int,
    log_level: str,
    log_format: Form,
) -> None:
    """Start the router on CONFIG, a config.yaml in Plano's schema.

    Without CONFIG it is the config.yaml here; where there is none, models of the providers whose keys are in the
    environment are served.

    Where a service manager passes listening sockets (LISTEN_FDS), the router takes those; --host and --port count for
    nothing then.
    """
    configure_log(log_level, log_format, environ=os.environ)
    if fast and not offline:
        raise click.UsageError("--fast is for simulated models; add --offline.")
    if act and not offline:
        raise click.UsageError("--act is for simulated models; add --offline.")

    simulated: processes.Site | None = None
    offline_url: str | None = None
    if offline:
        simulated = _build_simulated(fast=fast, act=act)
        offline_url = processes.url_of(simulated.listener)

    opened: str | None = None

    def load() -> Config:
        found, basis = load_or_start(config, settings_path=settings, environ=os.environ, offline=offline)
        if basis is not None:
            announce(
                f"There is no config.yaml here, so this serves the one that 'plano-agents init' would write ({basis})."
            )
        found = leave_out_tracing(found, os.environ)
        for warning in found.warnings:
            announce(warning, logging.WARNING)
        _check_workers(found, workers)
        _check_can_be_guessed(found, opened, no_auth=no_auth)
        if implicit_sessions:
            found = replace(found, prompt_caching=replace(found.prompt_caching, enabled=True, session_affinity=True))
        return found.offline(offline_url) if offline_url is not None else found

    loaded = load()
    listeners = processes.open_listeners(
        host if host is not None else loaded.listener.host,
        port if port is not None else loaded.listener.port,
        workers,
        environ=os.environ,
        is_guarded=no_auth or bool(loaded.client_keys and loaded.admin_token),
        way_out="Set client_keys and admin_token in plano-agents.yaml, or listen on 127.0.0.1 (--host 127.0.0.1), or "
        "add --no-auth if that is meant.",
    )
    url, opened = processes.url_of(listeners[0]), processes.say_open(listeners[0])
    _check_can_be_guessed(loaded, opened, no_auth=no_auth)
    from plano_agents.router.run import run_router  # noqa: PLC0415 - other commands need no server

    def tell_ready() -> None:
        announce(describe(loaded, url, offline_url, workers, act=act, opened=opened))
        processes.tell_ready(os.environ)

    run_router(
        loaded,
        listeners,
        simulated=simulated,
        load=load,
        on_ready=tell_ready,
        on_reloaded=_tell_reloaded,
    )
    announce("stopped")


def _build_simulated(*, fast: bool, act: bool) -> processes.Site:
    """Put the simulated models on a port of their own."""
    from plano_agents.simulator.app import create_app  # noqa: PLC0415 - slow to import, and rarely needed
    from plano_agents.simulator.settings import SimulatorSettings  # noqa: PLC0415

    first, rate = (0, 0) if fast else (FIRST_TOKEN_MILLISECONDS, TOKENS_PER_SECOND)
    app = create_app(SimulatorSettings(act=act, time_to_first_token_ms=first, tokens_per_second=rate))
    return processes.Site(app, processes.bind("127.0.0.1", 0))


def _check_workers(config: Config, count: int) -> None:
    """Refuse several workers that would not share their pins.

    Raises:
        ConfigError: They would not, or processes cannot be forked here.
    """
    if count == 1:
        return
    processes.check_can_fork()
    cache = config.routing.session_cache
    if cache.type != "redis":
        raise ConfigError(
            f"--workers {count}: pins are kept in each worker's own memory (routing.session_cache.type is {cache.type!r}), "
            "so the requests of one session would meet different models. Share pins through Redis: put 'routing: "
            "{session_cache: {type: redis, url: redis://localhost:6379}}' into config.yaml, or leave --workers out."
        )
    if cache.url is None:
        raise ConfigError(
            f"--workers {count}: routing.session_cache.url comes from the environment, which --offline does not read. "
            "Write the address itself, such as redis://localhost:6379, or leave --offline or --workers out."
        )


def _check_can_be_guessed(config: Config, opened: str | None, *, no_auth: bool) -> None:
    """Refuse keys and an admin token that strangers could guess, where they reach the router and that is not meant.

    Raises:
        ConfigError: One is shorter than `MIN_KEY_LENGTH`.
    """
    if opened is None or no_auth:
        return
    short = [key for key in config.client_keys if key.is_short]
    where = f"having fewer than {MIN_KEY_LENGTH} characters, and other machines reach the router {opened}"
    problems = []
    if short:
        whose = ", ".join(repr(key.name) for key in short if key.name)
        found = f"the keys of {whose}" if whose else "a key"
        problems.append(f"client_keys: {found} can be guessed, {where}. Make new ones: plano-agents hash-key --new.")
    if config.admin_token is not None and len(config.admin_token.get_secret_value()) < MIN_KEY_LENGTH:
        problems.append(f"admin_token: the token can be guessed, {where}. Make a new one: openssl rand -hex 24.")
    if problems:
        raise ConfigError(*problems)


def _tell_reloaded(error: ConfigError | None) -> None:
    if error is None:
        announce("configuration reloaded")
    else:
        for problem in error.problems:
            announce(problem, logging.ERROR)
        announce("the old configuration stays", logging.ERROR)


def describe(
    config: Config,
    url: str,
    offline_url: str | None,
    workers: int = 1,
    *,
    act: bool = False,
    opened: str | None = None,
) -> str:
    """Say what the router serves and where, for the terminal.

    Args:
        config: What is configured.
        url: Where the router listens.
        offline_url: Where the simulated models are, or None when the providers are real.
        workers: How many processes serve.
        act: Whether the simulated models call tools that act.
        opened: Where other machines reach it; None where only this one does.
    """
    default = config.default_model
    models = [f"{model.name} (default)" if model == default else model.name for model in config.models]
    rows = [("models", ", ".join(models))]
    rows += [("alias", f"{alias} → {target}") for alias, target in config.aliases.items()]
    rows += [("preference", f"{each.name} → {', '.join(each.models)}") for each in config.preferences]
    rows.append(
        (
            "pins",
            f"{_describe_store(config.routing)}, each for {config.routing.session_ttl_seconds} s after its last use",
        )
    )
    tracing = config.tracing
    if (to := find_destination(tracing.random_sampling, tracing.opentracing_grpc_endpoint, os.environ)) is not None:
        rows.append(("traces", f"{tracing.random_sampling} % of requests, to {to.shown} (OTLP, {to.protocol})"))
    if opened is not None:
        rows.append(("open", f"{opened}; {_describe_keys(config)}"))
    if workers > 1:
        rows.append(("workers", f"{workers} processes on this port"))
    if offline_url is not None:
        acting = "; they call tools that act (--act)" if act else ""
        rows.append(("offline", f"models are simulated (at {offline_url}); routing is real{acting}"))
    rows.append(("inspector", f"{url}/inspector shows every turn as it comes"))
    lines = [f"plano-agents router on {url}/v1", *(f"  {name:<11} {value}" for name, value in rows)]
    return "\n".join([*lines, "Ctrl-C stops it."])


def _describe_keys(config: Config) -> str:
    if not config.client_keys:
        return "clients need no key (--no-auth)"
    names = [key.name for key in config.client_keys if key.name]
    return f"keys: {', '.join(names)}" if names else f"{len(config.client_keys)} client keys"


def _describe_store(routing: Routing) -> str:
    url = routing.session_cache.url
    if url is None or not routing.session_cache.is_shared:
        return f"at most {routing.session_max_entries:,} in memory"
    return f"shared in {name_store(url.get_secret_value())}"
