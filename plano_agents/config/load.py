"""Reading the configuration's files. What they mean is left to ``plano`` and ``settings``."""

from collections.abc import Mapping
from pathlib import Path

from plano_agents.config.model import Config
from plano_agents.config.plano import parse_config
from plano_agents.config.settings import SETTINGS_NAME
from plano_agents.errors import ConfigError


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
    settings_text = None if settings is None else read_text(settings, "Give the path of the settings.")
    return parse_config(
        text,
        source=str(path),
        environ=environ,
        offline=offline,
        settings_text=settings_text,
        settings_source=None if settings is None else str(settings),
    )


def read_text(path: Path, way_out: str) -> str:
    """Read a file as UTF-8, with or without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file. {way_out}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: this is a directory, not a file. {way_out}") from None
    except PermissionError:
        raise ConfigError(f"{path}: this user may not read the file. Run 'chmod u+r' on it.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: the file is not UTF-8. Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: the file cannot be read ({reason}). {way_out}") from None
