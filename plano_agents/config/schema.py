"""Plano's configuration schema, as far as keys and types go.

Follows ``planoai/data/plano_config_schema.yaml`` of planoai 0.4.39: every key it knows is known here, any other is
refused. What the router acts on is typed in full; the rest is typed loosely and marked `NotActedOn`, so that the
operator is told; such keys mean what Plano says they mean. What keys mean to each other is left to ``plano``.
``docs/configuration.md`` is written from the text under each key.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from plano_agents.config.options import MetricsSource, Overrides, PlanoPromptCaching, PlanoRouting, PlanoTracing
from plano_agents.config.sections import Loose, LooseList, NotActedOn, Port, Section, Text
from plano_agents.secret_str import SecretStr

Version = Literal["v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.3.0", "v0.4.0"]
"""The schema versions Plano reads; inline preferences are lifted below v0.4.0."""

ProviderInterface = Literal[
    "plano",
    "deepseek",
    "groq",
    "mistral",
    "openai",
    "xiaomi",
    "gemini",
    "chatgpt",
    "digitalocean",
    "vercel",
    "openrouter",
    "edenai",
    "moonshotai",
]
"""What a provider that Plano does not know may say it speaks."""

NEED_BASE_URL = frozenset({"azure_openai", "ollama", "qwen", "amazon_bedrock", "plano"})
"""Known providers without an address of their own."""

KNOWN_PROVIDERS = NEED_BASE_URL | {
    "deepseek",
    "groq",
    "mistral",
    "openai",
    "xiaomi",
    "gemini",
    "anthropic",
    "together_ai",
    "xai",
    "moonshotai",
    "zhipu",
    "chatgpt",
    "digitalocean",
    "vercel",
    "openrouter",
    "edenai",
}
"""The provider prefixes that need no ``provider_interface``."""


@dataclass(frozen=True, slots=True)
class ListenerEntry(Section):
    """One entry of ``listeners``."""

    type: Literal["model", "prompt", "agent"]
    """The kind of listener. The router serves the first of type ``model``; other types are Plano's."""
    name: str
    """Any text."""
    port: Port | None = None
    """The TCP port; 12000 where absent."""
    address: Text | None = None
    """The address to bind; ``127.0.0.1`` where absent."""
    timeout: str | None = None
    """The longest time for an answer, a duration such as ``300s``: ``timeouts.total_seconds``."""
    max_retries: Annotated[int, Meta(ge=0)] | None = None
    """Retries of a failed request on the same model: ``retries.max_per_candidate``."""
    router: NotActedOn[Literal["plano_orchestrator_v1"] | None] = None
    agents: LooseList = None
    input_filters: LooseList = None
    output_filters: LooseList = None


@dataclass(frozen=True, slots=True)
class LegacyListener(Section):
    """``egress_traffic`` or ``ingress_traffic`` of the deprecated form of ``listeners``."""

    address: Text | None = None
    """The address to bind, in the old form of ``listeners``."""
    port: Port | None = None
    """The TCP port, in the old form."""
    timeout: str | None = None
    """The longest time for an answer, in the old form."""
    message_format: NotActedOn[Literal["openai"] | None] = None


@dataclass(frozen=True, slots=True)
class LegacyListeners(Section):
    """The deprecated form of ``listeners``, a mapping."""

    egress_traffic: LegacyListener | None = None
    """Where models are served: ours."""
    ingress_traffic: NotActedOn[LegacyListener | None] = None


@dataclass(frozen=True, slots=True)
class InlinePreference(Section):
    """A preference under its model, as up to v0.3.0."""

    name: Text
    """A preference's name, below ``v0.4.0``; the same name under several models is one preference."""
    description: str = ""
    """The requests that belong here; the first description given for a name counts."""


@dataclass(frozen=True, slots=True)
class ProviderEntry(Section):
    """One entry of ``model_providers``."""

    model: str
    """``<provider>/<model id>``, or ``<provider>/*`` for all of a provider's models."""
    name: str | None = None
    """The entry's own name, unique; the model's where absent."""
    access_key: SecretStr | None = None
    """The key, or ``$VAR``."""
    default: bool = False
    """Serve requests that match no preference and name no model with this model; else the first model serves them."""
    base_url: str | None = None
    """The provider's address; required for a provider without a usual one."""
    passthrough_auth: bool = False
    """Send the client's own Authorization header upstream instead of ``access_key``."""
    http_host: str | None = None
    """The Host header to send."""
    provider_interface: ProviderInterface | None = None
    """The API of a provider whose prefix is unknown; ``openai`` for any compatible server."""
    headers: dict[str, SecretStr] | None = None
    """Additional headers by name; values may hold ``$VAR``."""
    routing_preferences: list[InlinePreference] | None = None
    """Routes of this model, up to v0.3.0."""


@dataclass(frozen=True, slots=True)
class SelectionPolicy(Section):
    """``selection_policy`` of a preference."""

    prefer: Literal["cheapest", "fastest", "none"]
    """The order of candidates: ``cheapest`` and ``fastest`` need a metrics source, ``none`` keeps the listed order."""


@dataclass(frozen=True, slots=True)
class PreferenceEntry(Section):
    """One entry of the top-level ``routing_preferences``."""

    name: Text
    """The preference's name, unique; answers name it as their route."""
    description: str
    """The requests that belong here, in one line: phrases separated by commas."""
    models: Annotated[list[str], Meta(min_length=1)]
    """Declared models, best first; the next takes over when one fails."""
    selection_policy: SelectionPolicy | None = None
    """How candidates are ordered; the order given where absent."""


@dataclass(frozen=True, slots=True)
class Alias(Section):
    """One entry of ``model_aliases``."""

    target: str
    """The declared model that the alias stands for; an alias that is itself a declared model's name is an error."""


@dataclass(frozen=True, slots=True)
class PlanoFile(Section):
    """A whole ``config.yaml``."""

    version: Version
    """The version of Plano's schema that the file uses; below ``v0.4.0``, preferences inside providers are read too."""
    listeners: list[ListenerEntry] | LegacyListeners
    """Where requests come in."""
    model_providers: list[ProviderEntry] | None = None
    """The models."""
    llm_providers: list[ProviderEntry] | None = None
    """The old name of ``model_providers``."""
    routing_preferences: list[PreferenceEntry] | None = None
    """The routes."""
    model_aliases: dict[str, Alias] | None = None
    """Further names of models."""
    routing: PlanoRouting = field(default_factory=PlanoRouting)
    """How sessions are kept."""
    model_metrics_sources: list[MetricsSource] | None = None
    """What models cost, and how fast they are."""
    overrides: Overrides = field(default_factory=Overrides)
    """Timeouts, certificates and the routing model."""
    prompt_caching: PlanoPromptCaching = field(default_factory=PlanoPromptCaching)
    """Providers' caches, and sessions of requests without an affinity id."""
    tracing: PlanoTracing = field(default_factory=PlanoTracing)
    """Spans."""
    agents: LooseList = None
    filters: LooseList = None
    endpoints: Loose = None
    system_prompt: NotActedOn[str | None] = None
    prompt_targets: LooseList = None
    ratelimits: LooseList = None
    mode: NotActedOn[Literal["llm", "prompt"] | None] = None
    state_storage: Loose = None
    prompt_guards: Loose = None
