"""``config.yaml`` in Plano's schema, with our settings, to one `Config`. Pure: text and environment in, values out.

The rules are those of planoai's ``config_generator``; a file that Plano refuses is refused here. Files are left to
``load``, single entries to ``model_entries`` and ``preferences``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from plano_agents.config.document import parse_document
from plano_agents.config.findings import Findings, format_value
from plano_agents.config.model import Config, Listener, Model, Routing
from plano_agents.config.model_entries import build_models
from plano_agents.config.preferences import build_preferences, word_declared
from plano_agents.config.schema import LegacyListeners, PlanoFile
from plano_agents.config.secrets import SecretReader
from plano_agents.config.settings import SETTINGS_NAME, Settings, parse_settings
from plano_agents.config.validation import check_document
from plano_agents.errors import ConfigError


def parse_config(
    text: str,
    *,
    source: str,
    environ: Mapping[str, str],
    offline: bool = False,
    settings_text: str | None = None,
    settings_source: str | None = None,
) -> Config:
    """Read a configuration.

    Args:
        text: ``config.yaml``'s content.
        source: Its name, as messages show it.
        environ: The variables that ``$VAR`` is looked up in.
        offline: Whether the models are simulated: then no provider's key is needed, and none is kept.
        settings_text: ``plano-agents.yaml``'s content, if there is one.
        settings_source: Its name, as messages show it.

    Returns:
        The configuration, with every model of a route or alias provider-qualified.

    Raises:
        ConfigError: A file cannot be used; the problems of both are told.
    """
    problems: list[str] = []
    config, settings = Config(models=()), Settings()
    try:
        config = _parse_plano(text, source, environ, offline=offline)
    except ConfigError as error:
        problems += error.problems
    try:
        if settings_text is not None:
            settings = parse_settings(settings_text, source=settings_source or SETTINGS_NAME, environ=environ)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return replace(
        config,
        routing=replace(config.routing, affinity_headers=settings.affinity_headers),
        limits=settings.limits,
        client_keys=settings.client_keys,
        admin_token=settings.admin_token,
        warnings=config.warnings + settings.warnings,
    )


def _parse_plano(text: str, source: str, environ: Mapping[str, str], *, offline: bool) -> Config:
    document = parse_document(text, source)
    findings = document.findings
    config = Config(models=())
    file = check_document(document, PlanoFile)
    if file is not None:
        secrets = SecretReader(
            environ, findings, way_out="Export it, or run with --offline to use simulated models."
        )
        config = _build_config(file, findings, None if offline else secrets)
        secrets.report_missing()
    if findings.problems:
        raise ConfigError(*findings.problems)
    return replace(config, warnings=findings.warnings)


def _build_config(file: PlanoFile, findings: Findings, secrets: SecretReader | None) -> Config:
    """Check what the schema cannot say; the value is meaningful only when no problem was noted."""
    listener = _build_listener(file, findings)
    root = "llm_providers" if file.model_providers is None and file.llm_providers else "model_providers"
    if file.model_providers is not None and file.llm_providers is not None:
        findings.add_problem(
            ("llm_providers",),
            "llm_providers is the old name of model_providers, and both are given. Keep one.",
        )
    entries = file.model_providers or file.llm_providers or []
    if not entries:
        findings.add_problem(
            (root,),
            "no models are declared. Add one under model_providers, such as '- model: openai/gpt-4o'.",
        )
        return Config(models=())
    models = build_models(entries, root, findings, secrets)
    return Config(
        models=models,
        preferences=build_preferences(file, entries, root, models, findings),
        aliases=_build_aliases(file, models, findings),
        routing=Routing(
            session_ttl_seconds=file.routing.session_ttl_seconds,
            session_max_entries=file.routing.session_max_entries,
        ),
        listener=listener,
    )


@dataclass(frozen=True, slots=True)
class _Address:
    """What a listener says of its address."""

    host: str | None = None
    """The address to bind."""
    port: int | None = None
    """The TCP port."""


def _build_listener(file: PlanoFile, findings: Findings) -> Listener:
    """Take the listener that serves models; Plano's default port, and loopback, where it says nothing."""
    given = _Address()
    if isinstance(file.listeners, LegacyListeners):
        if file.listeners.egress_traffic is not None:
            given = _Address(file.listeners.egress_traffic.address, file.listeners.egress_traffic.port)
    else:
        seen = False
        for index, entry in enumerate(file.listeners):
            path = ("listeners", index)
            if entry.type != "model":
                findings.add_warning(
                    path, f"a listener of type {entry.type!r} is Plano's; plano-agents does not act on it yet"
                )
            elif seen:
                findings.add_problem(
                    path, f"{format_value(entry.name)} is a second listener of type 'model'. Keep one."
                )
            else:
                seen = True
                given = _Address(entry.address, entry.port)
    default = Listener()
    return Listener(
        host=default.host if given.host is None else given.host,
        port=default.port if given.port is None else given.port,
    )


def _build_aliases(file: PlanoFile, models: Sequence[Model], findings: Findings) -> Mapping[str, str]:
    """Resolve the aliases; as in Plano, a target is a model declared by its name, not by a wildcard."""
    declared = Config(models=tuple(model for model in models if not model.is_wildcard))
    aliases = {}
    for alias, entry in (file.model_aliases or {}).items():
        model = declared.find_model(entry.target)
        if model is not None:
            aliases[alias] = model.name
        else:
            findings.add_problem(
                ("model_aliases", alias, "target"),
                f"the alias {format_value(alias)} targets {format_value(entry.target)}, "
                f"which is not declared{word_declared(entry.target, declared.models)}",
            )
    return MappingProxyType(aliases)
