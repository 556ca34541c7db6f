"""``plano-agents.yaml``: what we can be told beyond Plano's schema, which refuses keys of ours.

Decides the valid keys and values. Where the file lies is left to ``load``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr

from plano_agents.config.document import parse_document
from plano_agents.config.findings import Findings, KeyPath, format_value, propose_nearest
from plano_agents.config.http_syntax import is_token
from plano_agents.config.model import (
    DEFAULT_THRESHOLD,
    WILDCARD,
    Breaker,
    Limits,
    Model,
    ModelProfile,
    Retries,
    Timeouts,
)
from plano_agents.config.secrets import SecretReader
from plano_agents.config.sections import Section, check_document
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

DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = Retries()

R = TypeVar("R", Timeouts, Retries, Breaker, Limits)
Count = Annotated[int, Field(ge=1)]
DAY_SECONDS = 86_400
Duration = Annotated[float, Field(gt=0, le=DAY_SECONDS, allow_inf_nan=False)]
MAX_EXAMPLES = 64
MAX_EXAMPLE_CHARACTERS = 4_000
Example = Annotated[str, Field(min_length=1, max_length=MAX_EXAMPLE_CHARACTERS)]
Wait = Annotated[float, Field(ge=0, le=DAY_SECONDS, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Settings:
    """``plano-agents.yaml``, checked."""

    affinity_headers: tuple[str, ...] = ()
    """Header names taken as the affinity id where ``X-Model-Affinity`` is absent, in order, lower case."""
    profiles: Mapping[str, ModelProfile] = field(default_factory=lambda: MappingProxyType({}))
    """What models can take, by provider-qualified name or wildcard."""
    threshold: float = DEFAULT_THRESHOLD
    """The score that a preference must exceed to match."""
    model_timeout_seconds: float = 2.0
    """How long the routing model may take."""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Prompts that belong to a preference, by its name."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    """How long a provider may take."""
    retries: Retries = field(default_factory=Retries)
    """How often a failed request is sent again."""
    breaker: Breaker = field(default_factory=Breaker)
    """When an upstream is left alone."""
    limits: Limits = field(default_factory=Limits)
    """What is refused for its size, its slowness or its number."""
    proxy_from_environment: bool = False
    """Whether proxy variables count on the way to providers."""
    trace_content: bool = False
    """Whether prompts and answers are written into spans."""
    client_keys: tuple[SecretStr, ...] = ()
    """Keys that clients must present."""
    admin_token: SecretStr | None = None
    """The token that operators' endpoints ask for."""
    warnings: tuple[str, ...] = ()
    """What the operator should know, one line each."""


class RoutingSettings(Section):
    """``routing``; ``docs/configuration.md`` is written from the text under each key, here and below."""

    affinity_headers: list[str] = Field(default_factory=list)
    """Further headers taken as the affinity id, in order, after ``X-Model-Affinity``."""
    threshold: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = DEFAULT_THRESHOLD
    """The score that a preference must exceed to match, by the embedded strategy."""
    model_timeout_seconds: Duration = 2.0
    """How long the routing model may take, before the embedded strategy decides."""


class PreferenceSettings(Section):
    """``preferences.<name>``."""

    examples: Annotated[list[Example], Field(max_length=MAX_EXAMPLES)] = Field(default_factory=list)
    """Prompts that belong to the preference, for the embedded strategy; 64 at most."""


class ModelSettings(Section):
    """``models.<name>``; its keys are documented as `ModelProfile`'s fields, and override what we know of the model."""

    context_window: Count | None = None
    images: bool | None = None
    tools: bool | None = None


class TimeoutsSettings(Section):
    """``timeouts``; its keys are documented as `Timeouts`' fields, and override Plano's or the defaults."""

    connect_seconds: Duration | None = None
    first_byte_seconds: Duration | None = None
    between_bytes_seconds: Duration | None = None
    total_seconds: Duration | None = None


class RetriesSettings(Section):
    """``retries``; its keys are documented as `Retries`' fields."""

    max_per_candidate: Annotated[int, Field(ge=0, le=100)] | None = None
    base_seconds: Wait | None = None
    max_delay_seconds: Wait | None = None
    budget_ratio: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    budget_min: Annotated[int, Field(ge=0)] | None = None


class BreakerSettings(Section):
    """``breaker``; its keys are documented as `Breaker`'s fields."""

    failures: Count | None = None
    open_seconds: Duration | None = None


class LimitsSettings(Section):
    """``limits``; its keys are documented as `Limits`' fields."""

    max_body_bytes: Count | None = None
    max_concurrent_requests: Count | None = None
    max_buffered_bytes: Count | None = None
    header_seconds: Duration | None = None
    body_seconds: Duration | None = None
    min_bytes_per_second: Count | None = None
    keepalive_comment_seconds: Duration | None = None
    shutdown_grace_seconds: Wait | None = None
    max_header_bytes: Count | None = None


class TracingSettings(Section):
    """``tracing``."""

    content: bool = False
    """Whether prompts and answers are written into spans."""


class SettingsFile(Section):
    """The whole file."""

    routing: RoutingSettings = RoutingSettings()
    """Extends Plano's ``routing``."""
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    """What models can take, by the name that ``model_providers[].model`` declares."""
    preferences: dict[str, PreferenceSettings] = Field(default_factory=dict)
    """Extends Plano's ``routing_preferences``, by name."""
    timeouts: TimeoutsSettings = TimeoutsSettings()
    """How long a provider may take."""
    retries: RetriesSettings = RetriesSettings()
    """How often a failed request is sent again."""
    breaker: BreakerSettings = BreakerSettings()
    """When an upstream is left alone."""
    limits: LimitsSettings = LimitsSettings()
    """What is refused for its size, its slowness or its number."""
    tracing: TracingSettings = TracingSettings()
    """Extends Plano's ``tracing``."""
    proxy_from_environment: bool = False
    """Whether ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` count on the way to providers."""
    client_keys: Annotated[list[SecretStr], Field(min_length=1)] | None = None
    """Keys of which clients must present one; where absent, none is asked for."""
    admin_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    """The token that operators' endpoints ask for; where absent, they answer on this machine only."""


def parse_settings(
    text: str,
    *,
    source: str,
    environ: Mapping[str, str],
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    retries: Retries = DEFAULT_RETRIES,
    models: Sequence[Model] | None = None,
    preference_names: Collection[str] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        text: The file's content.
        source: The file's name, as messages show it.
        environ: The variables that ``$VAR`` is looked up in. Offline runs need them too: a router that forgot its
            client keys would be open.
        timeouts: What holds where the file is silent: Plano's own, or the defaults.
        retries: The same of retries.
        models: What ``config.yaml`` declares; None where that is not known, and names are not checked.
        preference_names: The configured preferences; None where they are not known, and any name passes.

    Returns:
        The settings.

    Raises:
        ConfigError: The file cannot be used; all problems are told.
    """
    document = parse_document(text, source)
    findings = document.findings
    settings = Settings(timeouts=timeouts, retries=retries)
    file = check_document(document, SettingsFile)
    if file is not None:
        secrets = SecretReader(environ, findings, way_out="Export it, or remove the line that names it.")
        keys = [
            secrets.read(key.get_secret_value(), ("client_keys", index), "client_keys")
            for index, key in enumerate(file.client_keys or ())
        ]
        token = file.admin_token
        settings = Settings(
            affinity_headers=_read_affinity_headers(file.routing.affinity_headers, findings),
            profiles=_read_profiles(file.models, models, findings),
            threshold=file.routing.threshold,
            model_timeout_seconds=file.routing.model_timeout_seconds,
            examples=_read_examples(file.preferences, preference_names, findings),
            timeouts=_override(timeouts, file.timeouts),
            retries=_override(retries, file.retries),
            breaker=_override(Breaker(), file.breaker),
            limits=_override(Limits(), file.limits),
            trace_content=file.tracing.content,
            proxy_from_environment=file.proxy_from_environment,
            client_keys=tuple(key for key in keys if key is not None),
            admin_token=token and secrets.read(token.get_secret_value(), ("admin_token",), "admin_token"),
            warnings=findings.warnings,
        )
        secrets.report_missing()
    if findings.problems:
        raise ConfigError(*findings.problems)
    return settings


def _override(base: R, section: Section) -> R:
    """Replace the rules that a section names; its keys are the rules' own field names."""
    return replace(base, **section.model_dump(exclude_unset=True))


def _read_profiles(
    given: Mapping[str, ModelSettings], models: Sequence[Model] | None, findings: Findings
) -> Mapping[str, ModelProfile]:
    declared = [model.name for model in models or ()]
    for name in given:
        provider, slash, model_id = name.partition("/")
        wildcard = f"{provider}/{WILDCARD}" if slash and model_id else name
        if models is not None and name not in declared and wildcard not in declared:
            proposal = propose_nearest(name, declared) or f". Declared are: {', '.join(declared)}"
            findings.add_problem(
                ("models", name),
                f"the model {format_value(name)} is not declared in model_providers{proposal}",
            )
    return MappingProxyType({name: ModelProfile(**section.model_dump()) for name, section in given.items()})


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


def _read_examples(
    sections: Mapping[str, PreferenceSettings], known: Collection[str] | None, findings: Findings
) -> dict[str, tuple[str, ...]]:
    for name in sections:
        if known is not None and name not in known:
            findings.add_problem(
                ("preferences", name),
                f"the preference {format_value(name)} is not configured"
                f"{propose_nearest(name, known) or '.'} Name one of routing_preferences.",
            )
    return {name: tuple(section.examples) for name, section in sections.items()}
