"""``plano-agents init``: a first ``config.yaml``, or another gateway's carried over."""

import os
from pathlib import Path

import click

from plano_agents.cli.first_config import DEFAULT_PATH, find_ollama, find_ollama_url
from plano_agents.config.files import read_text
from plano_agents.config.litellm import convert_litellm
from plano_agents.config.plano import parse_config
from plano_agents.config.settings import SETTINGS_NAME
from plano_agents.config.starter import find_starters, write_starter
from plano_agents.errors import ConfigError

TITLES = {"litellm": "LiteLLM's", "plano": "Plano's"}
"""The gateways whose files are carried over."""


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=str(DEFAULT_PATH))
@click.option(
    "--from",
    "origin",
    nargs=2,
    type=(click.Choice(list(TITLES)), click.Path(path_type=Path)),
    metavar="GATEWAY FILE",
    help="Convert another gateway's file; GATEWAY is litellm or plano.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init_command(path: Path, origin: tuple[str, Path] | None, *, force: bool) -> None:
    """Write a first configuration to PATH.

    It serves models of the providers whose keys are in the environment, and a local Ollama's. Keys stay there: the file
    names their variables.
    """
    settings_path = path.with_name(SETTINGS_NAME)
    settings: str | None = None
    if origin is None:
        ollama = find_ollama(os.environ)
        text = write_starter(os.environ, ollama_url=find_ollama_url(os.environ), ollama_models=ollama)
        notes = _tell_keys()
    else:
        kind, source = origin
        found = read_text(source, f"Give the path of {TITLES[kind]} configuration.")
        if kind == "litellm":
            text, settings, notes = convert_litellm(found, source=str(source), environ=os.environ)
        else:
            checked = parse_config(found, source=str(source), environ=os.environ, offline=True)
            text, notes = found, list(checked.warnings)
    try:
        parse_config(
            text,
            source=str(path),
            environ=os.environ,
            offline=True,
            settings_text=settings,
            settings_source=SETTINGS_NAME,
        )
    except ConfigError as error:
        if origin is None or origin[0] == "plano":
            raise
        raise ConfigError(
            f"{origin[1]}: nothing was written, for the converted file is not valid. Correct the source, and convert again.",
            *error.problems,
        ) from None
    written = {path: text, **({settings_path: settings} if settings is not None else {})}
    for each in written:
        if each.exists() and not force:
            raise click.ClickException(f"{each} is there already. Name another path, or add --force to write over it.")
    for each, content in written.items():
        _write(each, content)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"wrote {' and '.join(map(str, written))}. Start it with 'plano-agents up {path}'.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written ({error.strerror}).") from None


def _tell_keys() -> list[str]:
    if find_starters(os.environ):
        return []
    return ["no provider's key is in the environment; export those that the file names, or start it with --offline"]
