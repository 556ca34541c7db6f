"""Loading a configuration. What its files mean is left to ``plano`` and ``settings``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from plano_agents.config.files import read_text
from plano_agents.config.model import Config
from plano_agents.config.plano import parse_config
from plano_agents.config.secret_files import SecretFiles
from plano_agents.config.settings import SETTINGS_NAME


def load_config(
    path: str | Path,
    *,
    settings_path: str | Path | None = None,
    environ: Mapping[str, str],
    offline: bool = False,
) -> Config:
    """Read ``config.yaml``, and our settings.

    Args:
        path: The file in Plano's schema.
        settings_path: The settings; None for the ``plano-agents.yaml`` beside ``path``, if there is one.
        environ: The variables that ``$VAR`` is looked up in, such as `os.environ`.
        offline: Whether the models are simulated: then no provider's key is needed, and none is kept.

    Returns:
        The configuration.

    Raises:
        ConfigError: A file cannot be read or used; every problem that was found is told.
    """
    path = Path(path)
    beside = path.with_name(SETTINGS_NAME) if path.name else None
    if settings_path is not None:
        settings: Path | None = Path(settings_path)
    else:
        settings = beside if beside is not None and beside.exists() else None
    text = read_text(path, "Give the path of a config.yaml in Plano's schema.")
    return parse_with_settings(text, str(path), settings, environ=environ, offline=offline)


def parse_with_settings(
    text: str, source: str, settings: Path | None, *, environ: Mapping[str, str], offline: bool
) -> Config:
    """Read our settings, and the files of secrets that they name, and put them together with a ``config.yaml``.

    Args:
        text: The content of ``config.yaml``.
        source: Its name, as messages show it.
        settings: The settings, if there are any.
        environ: The variables that ``$VAR`` is looked up in.
        offline: Whether the models are simulated.

    Raises:
        ConfigError: A file cannot be read or used.
    """
    files = SecretFiles(settings.parent if settings is not None else Path())
    config = parse_config(
        text,
        source=source,
        environ=environ,
        offline=offline,
        settings_text=None if settings is None else read_text(settings, "Give the path of the settings."),
        settings_source=None if settings is None else str(settings),
        read_file=files.read,
    )
    return replace(config, secret_files=files.stamps)
