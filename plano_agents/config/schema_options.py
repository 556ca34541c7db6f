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
    """Where pins are kept."""
    url: SecretStr | None = None
    """Redis' address, or ``$VAR``."""
    tenant_header: Text | None = None
    """The header whose value separates tenants."""


class RoutingSection(Section):
    """``routing``."""

    session_ttl_seconds: Lifetime = 600
    """How long an unused pin lives."""
    session_max_entries: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    """How many pins are held."""
    session_cache: SessionCacheSection = SessionCacheSection()
    """Where pins are kept."""
    route_on_user_only: bool = False
    """Whether only a user's turn is routed."""
    llm_provider: NotActedOn[str | None] = None
    model: str | None = None
    """The routing model in older files."""
    routing_budget: Loose = None


class OverridesSection(Section):
    """``overrides``."""

    upstream_connect_timeout: str | None = None
    """A duration such as ``5s``."""
    upstream_tls_ca_path: Text | None = None
    """The file of trusted certificates."""
    llm_routing_model: Text | None = None
    """The model that chooses routes."""
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
    """Whether any of it applies."""
    session_affinity: bool = True
    """Whether requests without an affinity id get one."""
    inject_cache_control: NotActedOn[bool] = True
    """Whether cache breakpoints are inserted."""
    min_prefix_tokens: NotActedOn[Annotated[int, Field(ge=1)]] = 1024
    """The shortest prefix that gets one."""
    session_ttl_seconds: Lifetime | None = None
    """How long such a session's pin lives."""


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
    """Prices."""
    provider: Literal["digitalocean", "models.dev"]
    """Whose catalog's shape."""
    url: str | None = None
    """The catalog's address, where it is not the usual one."""
    refresh_interval: Lifetime | None = None
    """Seconds."""
    model_aliases: dict[str, str] = Field(default_factory=dict)
    """The catalog's name of a model to its name in routes."""


class LatencyEntry(Section):
    """An entry of ``model_metrics_sources`` of type ``latency``."""

    type: Literal["latency"]
    """Response times."""
    provider: Literal["prometheus"]
    """Whose API."""
    url: str
    """Prometheus' address."""
    query: Text
    """An instant query."""
    refresh_interval: Lifetime | None = None
    """Seconds."""


MetricsEntry = Annotated[CostEntry | LatencyEntry, Field(discriminator="type")]
