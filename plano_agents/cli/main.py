"""The program: its commands, each loaded from its module when it is asked for, and every failure turned into a line."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

from plano_agents import __version__
from plano_agents.errors import ConfigError, WorkerFailedError
from plano_agents.extras import describe_missing, is_of_part
from plano_agents.observe.log import announce, configure_log

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "affinity": "affinity:affinity_group",
        "config": "config:config_group",
        "demo": "demo:demo_command",
        "hash-key": "hash_key:hash_key_command",
        "init": "init:init_command",
        "launch": "launch:launch_command",
        "report": "report:report_command",
        "route": "route:route_command",
        "serve": "serve:serve_command",
        "simulate": "simulate:simulate_command",
        "status": "status:status_command",
        "up": "up:up_command",
    }
)
"""Where commands stand: the module in this folder, and the command's name there."""


INTERRUPTED = 128 + signal.SIGINT
"""The exit status after Ctrl-C, as a shell gives it."""


class Commands(click.Group):
    """The group of `COMMANDS`, which loads the one that is asked for: what starts often starts soon."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Find a command, and load it."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        try:
            command: click.Command = getattr(import_module(f"plano_agents.cli.{module}"), name)
        except ModuleNotFoundError as error:
            if not is_of_part(error):
                raise
            return _stand_in(cmd_name, error)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line; for a misspelt one, name the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from plano_agents.config.findings import propose_nearest  # noqa: PLC0415 - slow to import

            ctx.fail(f"There is no command {args[0]!r}{propose_nearest(args[0], COMMANDS) or '.'}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; Ctrl-C ends it as shells expect."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(INTERRUPTED)
        except ModuleNotFoundError as error:
            if not is_of_part(error):
                raise
            raise ConfigError(_describe_missing(ctx.invoked_subcommand or "", error)) from error


def _stand_in(name: str, error: ModuleNotFoundError) -> click.Command:
    """Build the command in place of one whose packages are not installed."""
    missing = _describe_missing(name, error)

    def explain() -> None:
        raise ConfigError(missing)

    return click.Command(
        name,
        callback=explain,
        short_help=f"(needs the extra {_find_extra(name)!r})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    )


def _describe_missing(command: str, error: ModuleNotFoundError) -> str:
    return describe_missing(f"'plano-agents {command}'", _find_extra(command), error.name)


def _find_extra(command: str) -> str:
    return "server" if command == "serve" else "router"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="plano-agents")
def cli() -> None:
    """Route an agent's requests, and keep each of its runs on one model.

    Try 'plano-agents demo', then 'plano-agents up --offline': neither needs an API key.
    """


def main() -> None:
    """Run the command line; what goes wrong is told without a traceback."""
    configure_log(environ=os.environ)
    try:
        cli(prog_name="plano-agents")
    except (ConfigError, WorkerFailedError) as error:
        for problem in error.message.splitlines():
            announce(problem, logging.ERROR)
        sys.exit(1)
