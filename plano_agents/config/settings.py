"""``plano-agents.yaml``: what we can be told beyond Plano's schema, which refuses keys of ours.

Decides the valid keys and values. Where the file lies is left to ``load``.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, TypeVar

from msgspec import Meta

from plano_agents.config.client_keys import ClientKey, build_client_keys
from plano_agents.config.deployment_entries import build_deployments
from plano_agents.config.document import parse_document
from plano_agents.config.findings import Findings, KeyPath, format_value, propose_nearest
from plano_agents.config.model import NAME, WILDCARD, Config, Model
from plano_agents.config.options import (
    Breaker,
    Limits,
    ModelSettings,
    PromptCachingSettings,
    Retries,
    RoutingSettings,
    Timeouts,
    TracingSettings,
    UnsupportedParams,
)
from plano_agents.config.reading import Sibling, check_document
from plano_agents.config.schema import PlanoFile
from plano_agents.config.secrets import SecretReader, refuse_file
from plano_agents.config.sections import Listing, Secret, Section, Text
from plano_agents.errors import ConfigError
from plano_agents.http_syntax import is_token

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
        "x-model-affinity-scope",
        "x-plano-label",
    }
)
"""Headers that every request of a client may share, or that hold its key: no id of a run."""

UNFIT_FIELDS = frozenset(
    {"input", "instructions", "messages", "model", "routing_preferences", "stream", "system", "tools"}
)
"""Fields of a body that hold the conversation, or that every request of a client may share."""

_FIELD = re.compile(r"\w+(\.\w+)*", re.ASCII)
"""A field's path within a body."""

DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = Retries()

R = TypeVar("R", Timeouts, Retries)
MAX_EXAMPLES = 64
MAX_EXAMPLE_CHARACTERS = 4_000
Example = Annotated[str, Meta(min_length=1, max_length=MAX_EXAMPLE_CHARACTERS)]


@dataclass(frozen=True, slots=True)
class PreferenceSettings(Section):
    """``preferences.<name>``."""

    examples: Annotated[Listing[Example], Meta(max_length=MAX_EXAMPLES)] = ()
    """Example prompts of the preference, for the embedded strategy; at most 64."""


@dataclass(frozen=True)
class Settings(Section):
    """The whole file; ``docs/configuration.md`` is written from the text under each key."""

    routing: RoutingSettings = field(default_factory=RoutingSettings)
    """Extends Plano's ``routing``."""
    models: dict[str, ModelSettings] = field(default_factory=dict)
    """What models can take, and where they are served, by the name that ``model_providers[].model`` declares."""
    model_aliases: dict[str, Text] = field(default_factory=dict)
    """Models that serve names which nothing declares: a name, or a pattern with `*`, to a declared model; the first
    that matches counts."""
    preferences: dict[str, PreferenceSettings] = field(default_factory=dict)
    """Extends Plano's ``routing_preferences``, by name."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    """How long a provider may take."""
    retries: Retries = field(default_factory=Retries)
    """How often a failed request is sent again."""
    breaker: Breaker = field(default_factory=Breaker)
    """When a model's circuit breaker opens, and for how long."""
    limits: Limits = field(default_factory=Limits)
    """What is refused for its size, its slowness or its number."""
    tracing: TracingSettings = field(default_factory=TracingSettings)
    """Extends Plano's ``tracing``."""
    prompt_caching: PromptCachingSettings = field(default_factory=PromptCachingSettings)
    """Extends Plano's ``prompt_caching``."""
    unsupported_params: UnsupportedParams = "adapt"
    """What to do with a field or value that the model does not take: ``adapt`` it (leave it out or bring it into range,
    and say so in the answer), ``refuse`` the request, or ``move`` the request to another model of the route."""
    proxy_from_environment: bool = False
    """Use ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` for requests to providers."""
    client_keys: Annotated[Listing[Secret] | dict[str, Secret], Meta(min_length=1)] = ()
    """The clients' keys by name, each as the hash that `plano-agents hash-key` prints, or as a secret; by default no
    key is required. A list has keys without names."""
    admin_token: Annotated[Secret, Meta(min_length=1)] | None = None
    """The token for operators' endpoints; without one they answer on this machine only."""


@dataclass(frozen=True)
class KeyedSettings(Settings):
    """The whole file, with its secrets read."""

    known_clients: tuple[ClientKey, ...] = ()
    """The clients' keys, as they are remembered."""


def parse_settings(
    text: str,
    *,
    source: str,
    environ: Mapping[str, str],
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    retries: Retries = DEFAULT_RETRIES,
    models: Sequence[Model] | None = None,
    preference_names: Collection[str] | None = None,
    offline: bool = False,
    read_file: Callable[[str], str] = refuse_file,
) -> KeyedSettings:
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
        offline: Whether the models are simulated: then no deployment's key is needed, and none is kept.
        read_file: Reads a file that holds a secret.

    Returns:
        The settings.

    Raises:
        ConfigError: The file cannot be used; all problems are reported.
    """
    document = parse_document(text, source)
    findings = document.findings
    settings = check_document(document, Settings, Sibling("config.yaml", PlanoFile))
    if settings is not None:
        secrets = SecretReader(
            environ, findings, way_out="Export it, or remove the line that names it.", read_file=read_file
        )
        keys = build_client_keys(settings.client_keys, findings, secrets)
        token, caching = settings.admin_token, settings.prompt_caching
        salt = caching.key_salt
        path: KeyPath = ("prompt_caching", "key_salt")
        headers = _read_affinity_headers(settings.routing.affinity_headers, findings)
        _check_affinity_fields(settings.routing.affinity_fields, findings)
        _check_models(settings.models, models, findings)
        _check_aliases(settings.model_aliases, models, findings)
        _check_preferences(settings.preferences, preference_names, findings)
        read = {
            "routing": replace(settings.routing, affinity_headers=headers),
            "models": build_deployments(settings.models, models, findings, None if offline else secrets),
            "timeouts": _override(timeouts, settings.timeouts, document.data.get("timeouts")),
            "retries": _override(retries, settings.retries, document.data.get("retries")),
            "prompt_caching": replace(caching, key_salt=salt and secrets.read(salt, path, "prompt_caching.key_salt")),
            "admin_token": token and secrets.read(token, ("admin_token",), "admin_token"),
            "known_clients": keys,
        }
        settings = KeyedSettings(**vars(settings) | read)
        secrets.report_missing()
    if settings is None or findings.problems:
        raise ConfigError(*findings.problems)
    return settings


def _override(base: R, read: R, given: object) -> R:
    """Replace the rules that the file names."""
    named = [each.name for each in fields(read) if isinstance(given, dict) and each.name in given]
    return replace(base, **{name: getattr(read, name) for name in named})


def _check_models(given: Mapping[str, ModelSettings], models: Sequence[Model] | None, findings: Findings) -> None:
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


def _check_aliases(given: Mapping[str, str], models: Sequence[Model] | None, findings: Findings) -> None:
    if models is None:
        return
    declared = Config(models=tuple(models))
    for alias, target in given.items():
        path = ("model_aliases", alias)
        if NAME.fullmatch(alias) is None:
            findings.add_problem(
                path, f"the alias {format_value(alias)} is not a valid name or pattern. Write it in visible ASCII."
            )
        elif declared.find_model(alias) is not None or alias in (model.name for model in models):
            findings.add_problem(
                path,
                f"the alias {format_value(alias)} is a name of a declared model, which serves it. Remove the alias.",
            )
        if declared.find_model(target) is None:
            names = [model.name for model in models]
            proposal = propose_nearest(target, names) or f". Declared are: {', '.join(names)}"
            findings.add_problem(
                path,
                f"the alias {format_value(alias)} targets {format_value(target)}, which is not declared in "
                f"model_providers{proposal}",
            )


def _read_affinity_headers(names: Sequence[str], findings: Findings) -> tuple[str, ...]:
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


def _check_affinity_fields(names: Sequence[str], findings: Findings) -> None:
    for index, name in enumerate(names):
        if not _FIELD.fullmatch(name):
            message = "is not a field's path. Write names with dots between them, such as 'metadata.user_id'."
        elif name.partition(".")[0] in UNFIT_FIELDS:
            message = "does not tell one run from another. Name a field such as 'prompt_cache_key'."
        elif name in names[:index]:
            message = "stands twice. Keep one."
        else:
            continue
        findings.add_problem(
            ("routing", "affinity_fields", index), f"the affinity field {format_value(name)} {message}"
        )


def _check_preferences(
    given: Mapping[str, PreferenceSettings], known: Collection[str] | None, findings: Findings
) -> None:
    for name in given:
        if known is not None and name not in known:
            findings.add_problem(
                ("preferences", name),
                f"the preference {format_value(name)} is not configured"
                f"{propose_nearest(name, known) or '.'} Name one of routing_preferences.",
            )
