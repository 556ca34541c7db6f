"""The sections of Plano's schema beside models, routes and listeners; see ``schema``."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from plano_agents.config.sections import Loose, NotActedOn, Section, Text

MAX_LIFETIME_SECONDS = 315_360_000
"""Ten years; a clock cannot be told more than some hundreds."""

Lifetime = Annotated[int, Field(ge=1, le=MAX_LIFETIME_SECONDS)]


class SessionCacheSection(Section):
    """``routing.session_cache``."""

    type: Literal["memory", "redis"] = "memory"
    """Where pins are kept: ``memory`` is this process's own, ``redis`` is shared by replicas."""
    url: SecretStr | None = None
    """Redis' address; needed by ``redis``."""
    tenant_header: Text | None = None
    """The header whose value separates tenants, each with ids of its own."""


class RoutingSection(Section):
    """``routing``."""

    session_ttl_seconds: Lifetime = 600
    """How long a pin lives after its last use, in seconds; ten years at most."""
    session_max_entries: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    """How many pins are held in memory; the least recently used goes first."""
    session_cache: SessionCacheSection = SessionCacheSection()
    """Where pins are kept."""
    route_on_user_only: bool = False
    """Whether only users' messages are read for routing; without an affinity id each user turn is then a session."""
    llm_provider: NotActedOn[str | None] = None
    model: str | None = None
    """The routing model in older files, as ``overrides.llm_routing_model``."""
    routing_budget: Loose = None


class OverridesSection(Section):
    """``overrides``."""

    upstream_connect_timeout: str | None = None
    """How long connecting to a provider may take, a duration such as ``5s``: ``timeouts.connect_seconds``."""
    upstream_tls_ca_path: Text | None = None
    """The certificates that providers are checked against, a PEM file; the system's where absent."""
    llm_routing_model: Text | None = None
    """The declared model that chooses routes; where absent, or not declared, the embedded strategy does."""
    orchestrator_model_context_length: Annotated[int, Field(ge=1)] = 8192
    """How many tokens that model is sent at most."""
    prompt_target_intent_matching_threshold: NotActedOn[float | None] = None
    optimize_context_window: NotActedOn[bool | None] = None
    use_agent_orchestrator: NotActedOn[bool | None] = None
    disable_signals: NotActedOn[bool | None] = None
    agent_orchestration_model: NotActedOn[str | None] = None


class PromptCachingSection(Section):
    """``prompt_caching``."""

    enabled: bool = False
    """Whether conversations without an affinity id may be sessions at all."""
    session_affinity: bool = True
    """With ``enabled``: whether such a conversation is one, known by how it begins."""
    inject_cache_control: NotActedOn[bool] = True
    """Whether cache breakpoints are inserted."""
    min_prefix_tokens: NotActedOn[Annotated[int, Field(ge=1)]] = 1024
    """The shortest prefix that gets one."""
    session_ttl_seconds: Lifetime | None = None
    """How long such a session's pin lives; ``routing.session_ttl_seconds`` where absent."""


class SpanAttributes(Section):
    """``tracing.span_attributes``."""

    header_prefixes: list[str] = Field(default_factory=list)
    """Request headers that become attributes: ``x-acme-tenant-id`` under ``x-acme-`` is ``tenant.id``."""
    static: dict[str, str] = Field(default_factory=dict)
    """Attributes of every span."""


class ExporterEntry(Section):
    """One entry of ``tracing.exporters``."""

    type: Literal["posthog"]
    """The only kind there is."""
    url: str
    """Where events go."""
    api_key: SecretStr
    """The key, or ``$VAR``."""
    distinct_id_header: str | None = None
    """The header that names the user."""
    capture_messages: bool = False
    """Whether prompts go along."""


class TracingSection(Section):
    """``tracing``."""

    random_sampling: Annotated[int, Field(ge=0, le=100)] = 0
    """How many of 100 requests are traced where the client has not decided; 0 makes no span."""
    trace_arch_internal: NotActedOn[bool] = False
    """Whether Plano's own steps get spans."""
    opentracing_grpc_endpoint: str | None = None
    """The collector, OTLP over gRPC; may hold ``$VAR``; the environment's where absent."""
    span_attributes: SpanAttributes = SpanAttributes()
    """Further attributes."""
    exporters: NotActedOn[list[ExporterEntry] | None] = None


class CostEntry(Section):
    """An entry of ``model_metrics_sources`` of type ``cost``."""

    type: Literal["cost"]
    """What it says of models: prices, or response times; one source of each at most."""
    provider: Literal["digitalocean", "models.dev"]
    """Whose catalog's, or API's, shape the answer has."""
    url: str | None = None
    """Its address; the catalog's usual one where absent, needed by ``prometheus``."""
    refresh_interval: Lifetime | None = None
    """How often it is asked, in seconds; once, at start, where absent."""
    model_aliases: dict[str, str] = Field(default_factory=dict)
    """The catalog's name of a model to its name in routes."""


class LatencyEntry(Section):
    """An entry of ``model_metrics_sources`` of type ``latency``."""

    type: Literal["latency"]
    """What it says of models: prices, or response times; one source of each at most."""
    provider: Literal["prometheus"]
    """Whose catalog's, or API's, shape the answer has."""
    url: str
    """Its address; the catalog's usual one where absent, needed by ``prometheus``."""
    query: Text
    """Of ``latency``: an instant query whose series carry the label ``model_name``, the lower the faster."""
    refresh_interval: Lifetime | None = None
    """How often it is asked, in seconds; once, at start, where absent."""


MetricsEntry = Annotated[CostEntry | LatencyEntry, Field(discriminator="type")]
