"""A configuration as YAML for people: everything that holds, defaults included, and no secret.

Masked are keys and tokens, the values of configured headers (any may be one) and the query of a URL. The headings
are those of the files; two files make one page, so it is not a file to be read again.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from urllib.parse import urlsplit

import yaml

from plano_agents.config.client_keys import ClientKey
from plano_agents.config.model import Config
from plano_agents.secret_str import SecretStr

MASK = "***"

_HEADINGS: Mapping[str, str] = {
    "models": "model_providers",
    "preferences": "routing_preferences",
    "aliases": "model_aliases",
    "metrics_sources": "model_metrics_sources",
    "profiles": "models",
}
"""Fields of `Config` whose heading in the file is another."""


def render_config(config: Config) -> str:
    """Render a configuration.

    Args:
        config: What was read.

    Returns:
        YAML, defaults included; what is not set and has no default is left out.
    """
    page = {
        _HEADINGS.get(field.name, field.name): _render(getattr(config, field.name), field.name)
        for field in fields(config)
        if field.name not in {"secret_files", "warnings"} and getattr(config, field.name) is not None
    }
    return yaml.safe_dump(page, sort_keys=False, allow_unicode=True, width=110)


def _render(value: object, name: str) -> object:
    """Turn a value into what YAML knows; ``name`` is the field that it stands in."""
    if isinstance(value, SecretStr | ClientKey):
        return {value.name: MASK} if isinstance(value, ClientKey) and value.name else MASK
    if is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return {key: _render(part, key) for key, part in parts.items() if part is not None}
    if isinstance(value, Mapping):
        return {key: MASK if name == "headers" else _render(part, key) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_render(part, name) for part in value]
    if name == "url" and isinstance(value, str):
        return _hide_query(value)
    return value


def _hide_query(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(query=MASK, fragment="").geturl() if parts.query else url
