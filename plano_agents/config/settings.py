"""``plano-agents.yaml``: what we can be told beyond Plano's schema, which refuses keys of ours.

Decides the valid keys and values. Where the file lies is left to ``load``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, SecretStr

from plano_agents.config.document import parse_document
from plano_agents.config.findings import Findings, KeyPath, format_value
from plano_agents.config.model import Limits
from plano_agents.config.model_entries import is_token
from plano_agents.config.schema import Section
from plano_agents.config.secrets import SecretReader
from plano_agents.config.validation import check_document
from plano_agents.errors import ConfigError

SETTINGS_NAME = "plano-agents.yaml"
"""The file that is read when it lies beside ``config.yaml``."""

AFFINITY_HEADER = "x-model-affinity"

UNFIT_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-api-key",
        "x-model-affinity-hint",
    }
)
"""Headers that every request of a client may share, or that hold its key: no id of a run."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``plano-agents.yaml``, checked."""

    affinity_headers: tuple[str, ...] = ()
    """Header names taken as the affinity id where ``X-Model-Affinity`` is absent, in order, lower case."""
    limits: Limits = field(default_factory=Limits)
    """What is refused for its size."""
    client_keys: tuple[SecretStr, ...] = ()
    """Keys that clients must present."""
    admin_token: SecretStr | None = None
    """The token that operators' endpoints ask for."""
    warnings: tuple[str, ...] = ()
    """What the operator should know, one line each."""


class _RoutingSettings(Section):
    """``routing``."""

    affinity_headers: list[str] = Field(default_factory=list)
    """Header names."""


class _LimitsSettings(Section):
    """``limits``."""

    max_body_bytes: Annotated[int, Field(ge=1)] = Limits().max_body_bytes
    """The largest request body accepted, in bytes."""


class _SettingsFile(Section):
    """The whole file."""

    routing: _RoutingSettings = _RoutingSettings()
    """Extends Plano's ``routing``."""
    limits: _LimitsSettings = _LimitsSettings()
    """What is refused for its size."""
    client_keys: Annotated[list[SecretStr], Field(min_length=1)] | None = None
    """Keys, or ``$VAR``s."""
    admin_token: SecretStr | None = None
    """A token, or ``$VAR``."""


def parse_settings(text: str, *, source: str, environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        text: The file's content.
        source: The file's name, as messages show it.
        environ: The variables that ``$VAR`` is looked up in. Offline runs need them too: a router that forgot its
            client keys would be open.

    Returns:
        The settings.

    Raises:
        ConfigError: The file cannot be used; all problems are told.
    """
    document = parse_document(text, source)
    findings = document.findings
    settings = Settings()
    file = check_document(document, _SettingsFile)
    if file is not None:
        secrets = SecretReader(environ, findings, way_out="Export it, or remove the line that names it.")
        keys = [
            secrets.read(key.get_secret_value(), ("client_keys", index), "client_keys")
            for index, key in enumerate(file.client_keys or ())
        ]
        token = file.admin_token
        settings = Settings(
            affinity_headers=_read_affinity_headers(file.routing.affinity_headers, findings),
            limits=Limits(max_body_bytes=file.limits.max_body_bytes),
            client_keys=tuple(key for key in keys if key is not None),
            admin_token=token and secrets.read(token.get_secret_value(), ("admin_token",), "admin_token"),
            warnings=findings.warnings,
        )
        secrets.report_missing()
    if findings.problems:
        raise ConfigError(*findings.problems)
    return settings


def _read_affinity_headers(names: list[str], findings: Findings) -> tuple[str, ...]:
    headers: list[str] = []
    for index, name in enumerate(names):
        path: KeyPath = ("routing", "affinity_headers", index)
        lowered = name.lower()
        if not is_token(name):
            message = "is not a header name. Write letters, digits and hyphens, such as 'x-session-id'."
        elif lowered in UNFIT_HEADERS:
            message = "does not tell one run from another. Name a header such as 'x-session-id'."
        elif lowered == AFFINITY_HEADER:
            message = "is always read, and first. Remove it."
        elif lowered in headers:
            message = "stands twice. Keep one."
        else:
            headers.append(lowered)
            continue
        findings.add_problem(path, f"the affinity header {format_value(name)} {message}")
    return tuple(headers)
