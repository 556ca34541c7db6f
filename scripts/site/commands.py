"""The command line for its page: ``mkdocs-click`` sees the commands that a group holds, and ours loads its late."""

import click

from plano_agents.cli.main import cli as loads_late


def _load_all() -> dict[str, click.Command]:
    context = click.Context(loads_late)
    commands = {name: loads_late.get_command(context, name) for name in loads_late.list_commands(context)}
    return {name: command for name, command in commands.items() if command is not None}


cli = click.Group(
    loads_late.name,
    _load_all(),
    help=loads_late.help,
    params=loads_late.params,
    context_settings=loads_late.context_settings,
)
"""The same, with every command in it."""
