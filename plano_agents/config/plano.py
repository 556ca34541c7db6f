"""``config.yaml`` in Plano's schema, with our settings, to one `Config`. Pure: text and environment in, values out.

The rules are those of planoai's ``config_generator``; a file that Plano refuses is refused here. Files are left to
``load``, single entries to ``model_entries``, ``preferences`` and ``option_entries``.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from types import MappingProxyType

from plano_agents.config.deployment_entries import find_keyed
from plano_agents.config.document import parse_document
from plano_agents.config.durations import read_seconds
from plano_agents.config.findings import Findings, KeyPath, format_path, format_value
from plano_agents.config.litellm import is_litellm
from plano_agents.config.model import Config, Listener, Model, Retries, Routing, Timeouts
from plano_agents.config.model_entries import build_models
from plano_agents.config.option_entries import (
    build_metrics_sources,
    build_session_cache,
    build_tracing,
)
from plano_agents.config.options import ModelSettings, PromptCaching, Tracing, read_profile
from plano_agents.config.preferences import build_aliases, build_preferences
from plano_agents.config.reading import Sibling, check_document
from plano_agents.config.schema import LegacyListener, LegacyListeners, ListenerEntry, PlanoFile
from plano_agents.config.secrets import SecretReader, refuse_file
from plano_agents.config.settings import SETTINGS_NAME, KeyedSettings, Settings, parse_settings
from plano_agents.errors import ConfigError
from plano_agents.http_syntax import is_host

NO_TURNS = (
    "'routing.routing_budget' has no effect on ids that keep their model for a session. Set 'routing.scope: user_turn' in "
    f"{SETTINGS_NAME}, or send X-Model-Affinity-Scope: user_turn"
)
"""The warning of a budget that weighs nothing by itself."""


def parse_config(
    text: str,
    *,
    source: str,
    environ: Mapping[str, str],
    offline: bool = False,
    settings_text: str | None = None,
    settings_source: str | None = None,
    read_file: Callable[[str], str] = refuse_file,
) -> Config:
    """Read a configuration.

    Args:
        text: ``config.yaml``'s content.
        source: Its name, as messages show it.
        environ: The variables that ``$VAR`` is looked up in.
        offline: Whether the models are simulated: then no provider's key is needed, and none is kept.
        settings_text: ``plano-agents.yaml``'s content, if there is one.
        settings_source: Its name, as messages show it.
        read_file: Reads a file that holds a secret, by its path as the settings have it; raises `ConfigError`.

    Returns:
        The configuration, with every model of a route or alias provider-qualified.

    Raises:
        ConfigError: A file cannot be used; the problems of both are told.
    """
    problems: list[str] = []
    config = Config(models=())
    try:
        config = _parse_plano(text, source, environ, find_keyed(settings_text or ""), offline=offline)
    except ConfigError as error:
        problems += error.problems
    settings = KeyedSettings(timeouts=config.timeouts, retries=config.retries)
    try:
        if settings_text is not None:
            settings = parse_settings(
                settings_text,
                source=settings_source or SETTINGS_NAME,
                environ=environ,
                timeouts=config.timeouts,
                retries=config.retries,
                models=None if problems else config.models,
                preference_names=None if problems else [each.name for each in config.preferences],
                offline=offline,
                read_file=read_file,
            )
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)
    warnings = config.warnings
    if config.routing.routing_budget is not None and settings.routing.scope == "session":
        warnings += (f"{source}: {NO_TURNS}",)
    return replace(
        config,
        warnings=warnings,
        models=tuple(
            _add_settings(model, settings.models[model.name]) if model.name in settings.models else model
            for model in config.models
        ),
        profiles=MappingProxyType({name: read_profile(each) for name, each in settings.models.items()}),
        alias_patterns=MappingProxyType(settings.model_aliases),
        preferences=tuple(
            replace(preference, examples=settings.preferences[preference.name].examples)
            if preference.name in settings.preferences
            else preference
            for preference in config.preferences
        ),
        routing=replace(config.routing, **vars(settings.routing)),
        timeouts=settings.timeouts,
        retries=settings.retries,
        breaker=settings.breaker,
        limits=settings.limits,
        tracing=replace(config.tracing, **vars(settings.tracing)),
        prompt_caching=replace(config.prompt_caching, **vars(settings.prompt_caching)),
        unsupported_params=settings.unsupported_params,
        proxy_from_environment=settings.proxy_from_environment,
        client_keys=settings.known_clients,
        admin_token=settings.admin_token,
    )


def _add_settings(model: Model, settings: ModelSettings) -> Model:
    """Add a model's key and deployments of our settings; a client's own key comes before any."""
    key = None if model.passthrough_auth else settings.access_key
    return replace(model, access_key=key or model.access_key, deployments=settings.deployments or ())


def _parse_plano(text: str, source: str, environ: Mapping[str, str], keyed: Container[str], *, offline: bool) -> Config:
    document = parse_document(text, source)
    if is_litellm(document.data):
        raise ConfigError(
            f"{source}: this is a configuration of LiteLLM's proxy. Carry it over: 'plano-agents init config.yaml --from "
            f"litellm {source}' (docs/configuration.md)."
        )
    findings = document.findings
    config = Config(models=())
    file = check_document(document, PlanoFile, Sibling(SETTINGS_NAME, Settings))
    if file is not None:
        secrets = SecretReader(environ, findings, way_out="Export it, or run with --offline to use simulated models.")
        config = _build_config(file, keyed, findings, None if offline else secrets)
        secrets.report_missing()
    if findings.problems:
        raise ConfigError(*findings.problems)
    return replace(config, warnings=findings.warnings)


def _build_config(file: PlanoFile, keyed: Container[str], findings: Findings, secrets: SecretReader | None) -> Config:
    """Check what the schema cannot say; the value is meaningful only when no problem was noted."""
    path, given = _find_listener(file, findings)
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
    models = build_models(entries, root, keyed, findings, secrets)
    most = given.max_retries if isinstance(given, ListenerEntry) else None
    cache = build_session_cache(file.routing.session_cache, findings, secrets)
    _warn_of_routing_model(file, Config(models=models), findings)
    return Config(
        models=models,
        preferences=build_preferences(file, entries, root, models, findings),
        aliases=build_aliases(file, models, findings),
        routing=Routing(**vars(file.routing) | {"session_cache": cache}),
        listener=_build_listener(path, given, findings),
        timeouts=_build_timeouts(file, path, given, findings),
        retries=Retries() if most is None else Retries(max_per_candidate=most),
        metrics_sources=build_metrics_sources(file.model_metrics_sources or (), findings),
        overrides=replace(file.overrides, upstream_connect_timeout=None),
        prompt_caching=PromptCaching(**vars(file.prompt_caching)),
        tracing=Tracing(**vars(build_tracing(file.tracing, findings, secrets))),
    )


def _warn_of_routing_model(file: PlanoFile, declared: Config, findings: Findings) -> None:
    """Name a routing model that no entry serves; Plano would ask its own hosted one."""
    for path, name in (
        (("overrides", "llm_routing_model"), file.overrides.llm_routing_model),
        (("routing", "model"), file.routing.model),
    ):
        if name is not None and declared.find_model(name) is None:
            findings.add_warning(
                path,
                f"{format_path(path)!r} names {format_value(name)}, which is not declared, so the embedded strategy routes. Add "
                "its entry to model_providers, with its base_url",
            )


def _find_listener(file: PlanoFile, findings: Findings) -> tuple[KeyPath, ListenerEntry | LegacyListener]:
    """Take the listener that serves models, and its place; there is one at most, and an empty one for none."""
    if isinstance(file.listeners, LegacyListeners):
        return ("listeners", "egress_traffic"), file.listeners.egress_traffic or LegacyListener()
    found: tuple[KeyPath, ListenerEntry | LegacyListener] | None = None
    for index, entry in enumerate(file.listeners):
        path: KeyPath = ("listeners", index)
        if entry.type != "model":
            findings.add_warning(
                path, f"a listener of type {entry.type!r} is Plano's; plano-agents does not act on it yet"
            )
        elif found is not None:
            findings.add_warning(
                path,
                f"{format_value(entry.name)} is a second listener of type 'model'; plano-agents serves the first alone. Start a "
                "second router for it, with --port",
            )
        else:
            found = path, entry
    return found or (("listeners",), LegacyListener())


def _build_listener(path: KeyPath, given: ListenerEntry | LegacyListener, findings: Findings) -> Listener:
    """Bind where the file says; Plano's default port, and loopback, where it says nothing."""
    if given.address is not None and not is_host(given.address):
        findings.add_problem(
            (*path, "address"),
            f"the address {format_value(given.address)} is not a host's name. Write an IP address, such as '127.0.0.1'.",
        )
    default = Listener()
    return Listener(
        host=default.host if given.address is None else given.address,
        port=default.port if given.port is None else given.port,
    )


def _build_timeouts(
    file: PlanoFile, path: KeyPath, given: ListenerEntry | LegacyListener, findings: Findings
) -> Timeouts:
    """Take Plano's two timeouts; the settings file, read next, wins over them."""
    timeouts = Timeouts()
    connect = file.overrides.upstream_connect_timeout
    if connect is not None:
        seconds = read_seconds(connect, ("overrides", "upstream_connect_timeout"), findings)
        timeouts = replace(timeouts, connect_seconds=seconds or timeouts.connect_seconds)
    if given.timeout is not None:
        seconds = read_seconds(given.timeout, (*path, "timeout"), findings)
        timeouts = replace(timeouts, total_seconds=seconds or timeouts.total_seconds)
    return timeouts
