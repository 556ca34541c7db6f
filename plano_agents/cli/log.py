"""Logging options shared by the command line's servers."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("text", "json")


def log_options(command: Command) -> Command:
    """Add ``--log-format``, ``--log-level`` and ``--quiet``; the command gets ``log_format`` and ``log_level``."""
    for option in (
        click.option(
            "--quiet",
            "log_level",
            flag_value="warning",
            help="Once it serves, tell of nothing that goes as it should; the same as --log-level warning.",
        ),
        click.option(
            "--log-level",
            type=click.Choice(LEVELS),
            default="info",
            show_default=True,
            help="The least that is told. Warnings and errors go to standard error.",
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
