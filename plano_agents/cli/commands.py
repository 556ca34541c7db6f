"""The commands that stand in modules of their own, loaded when they are asked for: what starts often starts soon."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "affinity": "affinity:affinity_group",
        "hash-key": "serve:hash_key_command",
        "route": "route:route_command",
        "serve": "serve:serve_command",
    }
)
"""Where commands stand: the module in this folder, and the command's name there."""


class Commands(click.Group):
    """A group that also has the commands of `ELSEWHERE`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command, and load it."""
        place = ELSEWHERE.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(f"plano_agents.cli.{module}"), name)
        return command
