"""Options that several commands share: the configuration's files, and how a server logs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("text", "json")
ACT_HELP = "the simulated models also call tools that run, write, edit, delete, send, spawn or schedule."
"""The purpose of ``--act``, in the words of ``--help``."""


def settings_option(beside: str) -> Callable[[Command], Command]:
    """Build ``--settings``, whose help names what the file lies beside."""
    return click.option(
        "--settings",
        type=click.Path(path_type=Path),
        help=f"More settings, beyond Plano's schema  [default: plano-agents.yaml beside {beside}]",
    )


def config_argument(default: str | None) -> Callable[[Command], Command]:
    """Build the argument ``CONFIG`` and ``--settings``; without a default the command gets None."""

    def add(command: Command) -> Command:
        argument = click.argument("config", type=click.Path(path_type=Path), default=default, required=False)
        return argument(settings_option("CONFIG")(command))

    return add


def log_options(command: Command) -> Command:
    """Add ``--log-format``, ``--log-level`` and ``--quiet``; the command gets ``log_format`` and ``log_level``."""
    for option in (
        click.option(
            "--quiet",
            "log_level",
            flag_value="warning",
            help="After the start, log warnings and errors only; the same as --log-level warning.",
        ),
        click.option(
            "--log-level",
            type=click.Choice(LEVELS),
            default="info",
            show_default=True,
            help="Lowest level to log. Warnings and errors go to standard error.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(FORMS),
            default="text",
            show_default=True,
            help="text for people, json for machines: one object per line.",
        ),
    ):
        command = option(command)
    return command
