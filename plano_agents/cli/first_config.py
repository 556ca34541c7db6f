"""The configuration where there is no file yet: what the environment has keys for, and a local Ollama's models."""

import json
from collections.abc import Mapping
from pathlib import Path

from plano_agents.config.load import load_config, parse_with_settings
from plano_agents.config.model import Config
from plano_agents.config.settings import SETTINGS_NAME
from plano_agents.config.starter import STARTERS, find_starters, write_starter
from plano_agents.errors import ConfigError

DEFAULT_PATH = Path("config.yaml")
OLLAMA_URL = "http://127.0.0.1:11434"
OLLAMA_SECONDS = 0.5
"""How long a local Ollama may take to list its models."""


def load_or_start(
    path: Path | None, *, settings_path: Path | None, environ: Mapping[str, str], offline: bool
) -> tuple[Config, str | None]:
    """Load a configuration; without a file, make one from the environment.

    Args:
        path: The file; None for `DEFAULT_PATH`, which may be absent.
        settings_path: Our settings; None for those beside the file.
        environ: The environment.
        offline: Whether the models are simulated.

    Returns:
        The configuration, and where there was no file, what it was made from.

    Raises:
        ConfigError: It cannot be used, or there is neither a file nor anything to make one from.
    """
    if path is not None or DEFAULT_PATH.exists():
        return load_config(path or DEFAULT_PATH, settings_path=settings_path, environ=environ, offline=offline), None
    text, basis = start_config(environ, offline=offline)
    settings = settings_path or DEFAULT_PATH.with_name(SETTINGS_NAME)
    is_there = settings_path is not None or settings.exists()
    config = parse_with_settings(
        text, "the first configuration", settings if is_there else None, environ=environ, offline=offline
    )
    return config, basis


def start_config(environ: Mapping[str, str], *, offline: bool) -> tuple[str, str]:
    """Write a first ``config.yaml``, and say what it rests on.

    Raises:
        ConfigError: There is no key, no Ollama answers, and models are not simulated.
    """
    ollama = [] if offline else find_ollama(environ)
    starters = find_starters(environ)
    if not (starters or ollama or offline):
        names = ", ".join(starter.variables[0] for starter in STARTERS)
        raise ConfigError(
            f"There is no {DEFAULT_PATH} here, no provider's key in the environment ({names}), and no Ollama at "
            f"{find_ollama_url(environ)}. Export a key, add --offline for simulated models, or write a file with "
            "'plano-agents init'."
        )
    text = write_starter(environ, ollama_url=find_ollama_url(environ), ollama_models=ollama)
    keys = [variable for starter in starters if (variable := starter.find_variable(environ)) is not None]
    return text, ", ".join([*keys, *(["Ollama"] if ollama else [])]) or "no provider's key is set"


def find_ollama_url(environ: Mapping[str, str]) -> str:
    """Give a local Ollama's address: ``OLLAMA_HOST``, as Ollama reads it, else its default."""
    host = environ.get("OLLAMA_HOST", "").strip().rstrip("/")
    if not host:
        return OLLAMA_URL
    host = host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - what a server is told to listen on
    return host if "://" in host else f"http://{host}" + ("" if ":" in host else ":11434")


def find_ollama(environ: Mapping[str, str]) -> list[str]:
    """Ask a local Ollama for its models; none where none answers."""
    import http.client  # noqa: PLC0415 - slow to import, and needed only where there is no file
    import urllib.request  # noqa: PLC0415

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{find_ollama_url(environ)}/api/tags", timeout=OLLAMA_SECONDS) as answer:
            return [str(model["name"]) for model in json.loads(answer.read())["models"]]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return []
