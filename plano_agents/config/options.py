"""The keys of both files that are used as they are read, and the values of the other sections beside models.

Each key of a `Section` is declared here alone: its type and bounds, its default, what it is for. Reading,
``config check`` and the tables of ``docs/configuration.md`` follow from that. What the schema cannot say is left to
``option_entries`` and ``settings``; acting on values is the router's business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta

from plano_agents.config.sections import (
    Count,
    Duration,
    Lifetime,
    Listing,
    NotActedOn,
    Secret,
    Section,
    Text,
    Wait,
)
from plano_agents.http_syntax import parse_host_pattern
from plano_agents.secret_str import SecretStr

HostPattern = Annotated[str, parse_host_pattern]
"""The name of a host, or ``*.`` and a name."""

EMPTY: Mapping[str, str] = MappingProxyType({})

UnsupportedParams = Literal["adapt", "refuse", "move"]
"""What becomes of a request with a field or a value that its model does not take."""

Scope = Literal["session", "user_turn"]
"""How long a session's model is kept."""

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How much a model is to reason."""

Api = Literal["chat", "messages", "responses"]
"""An API that models are spoken to in: OpenAI's chat completions, Anthropic's messages, OpenAI's responses."""


def _require_one(apis: tuple[Api, ...]) -> tuple[Api, ...]:
    if not apis:
        raise ValueError("names no API. Write chat, messages or responses, or leave it out.")
    return apis


ResponsesFor = Literal["none", "tools_with_effort", "tools", "all"]
"""The requests that a provider takes on its responses API alone."""

Price = Annotated[float, Meta(ge=0)]
"""US dollars per million tokens."""

MAX_WEIGHT = 1_000_000
"""The most weight of a deployment."""

DEFAULT_THRESHOLD = 0.5
"""The score that a preference must exceed to match, from 0 to 1."""


_RESERVED = frozenset(
    {
        *("accept-encoding", "content-encoding", "content-length", "content-type", "proxy-authorization"),
        *("transfer-encoding", "user-agent", "x-api-key", "api-key"),
        *("authorization", "connection", "cookie", "host", "input", "instructions", "messages", "model", "stream"),
        *("system", "tools"),
    }
)
"""Headers and fields that say something else."""


def check_cache_key_name(name: str) -> str:
    """Check the name of a header or a field that may hold a session's key.

    Raises:
        ValueError: It is none.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or name.lower() in _RESERVED:
        raise ValueError(
            f"{name!r} is not a header or field for a key. Write one such as 'x-session-affinity' or 'prompt_cache_key'"
        )
    return name


@dataclass(frozen=True, slots=True)
class ModelProfile(Section):
    """``models.<name>``: what a model takes and costs; what is not known (None) is assumed to be possible."""

    context_window: Count | None = None
    """Maximum number of input tokens; by default from the table of known models."""
    images: bool | None = None
    """True if the model takes images; by default from the table of known models."""
    tools: bool | None = None
    """True if the model takes tools; by default from the table of known models."""
    apis: Annotated[Listing[Api], _require_one] | None = None
    """The APIs that it is spoken to in, the main one first: `[responses]` for a server at a `base_url` that speaks
    OpenAI's responses. Where absent, the provider's own at its own hosts, and elsewhere the provider's main one."""
    responses_for: ResponsesFor | None = None
    """Which requests go to the responses API of a provider that speaks chat completions too: those with tools and a
    reasoning effort, those with tools unless the effort is `none`, or all."""
    max_output_tokens: Count | None = None
    """Maximum number of output tokens; higher limits are lowered to it, and Anthropic's wire, which needs a limit,
    gets it."""
    token_limit_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The field of the output limit on chat completions."""
    efforts: Listing[Effort] | None = None
    """The reasoning efforts that the model takes; an empty list for none."""
    thinking: Literal["budget", "adaptive", "any", "none"] | None = None
    """The forms of Anthropic's `thinking` that the model takes: a budget, adaptive, both (`any`), or none."""
    thinking_off: Literal["any_effort", "to_high", "between_tools", "never"] | None = None
    """How Anthropic's `thinking` may be turned off: beside any effort, beside efforts up to `high`, beside these but
    for what it says `between_tools`, or never."""
    thinking_updates: bool | None = None
    """True if Anthropic's ``thinking`` may be shown as ``updates``."""
    forced_tools: bool | None = None
    """True if ``tool_choice`` may force a tool call."""
    sampling: Literal["free", "one", "default"] | None = None
    """The sampling settings taken: temperature and top_p freely, one of the two, or their defaults alone."""
    stop_sequences: Annotated[int, Meta(ge=0)] | None = None
    """Maximum number of stop sequences; 0 for none."""
    prefill: bool | None = None
    """True if a conversation may end with the assistant's turn, which it then continues."""
    system_turns: bool | None = None
    """True if, on Anthropic's wire, system messages may stand within the conversation."""
    turn_efforts: bool | None = None
    """True if, on Anthropic's wire, a system message may set the effort from there on."""
    system_first: bool | None = None
    """True if its chat template takes system messages at the beginning alone."""
    reasoning_back: bool | None = None
    """True if its reasoning must come back with the transcript."""
    cache_key: Annotated[str, check_cache_key_name] | None = None
    """The place of the prompt cache's key in requests: a header, such as ``x-session-affinity``, or,
    without a hyphen, a field of the body, such as ``prompt_cache_key``; what we know of its host where absent."""
    input_price: Price | None = None
    """US dollars per million tokens of input."""
    cached_price: Price | None = None
    """US dollars per million tokens of input that are read from its cache."""
    written_price: Price | None = None
    """US dollars per million tokens of input that are written to its cache; the input's where absent."""
    output_price: Price | None = None
    """US dollars per million tokens of output."""


@dataclass(frozen=True, slots=True)
class Deployment(Section):
    """An entry of ``models.<name>.deployments``: one place that serves the model."""

    name: Text
    """The deployment's name, shown in headers, logs and metrics: letters, digits, hyphens, dots and underscores."""
    base_url: str | None = None
    """Its address; the model's of `config.yaml` where absent. With an address of its own it brings its own key too: the
    model's key and headers go to no other address."""
    access_key: Secret | None = None
    """Its key; where absent, and `base_url` too, the model's."""
    weight: Annotated[int, Meta(ge=0, le=MAX_WEIGHT)] = 1
    """Its share of new sessions, relative to the other weights; 0 for a deployment that only stands in for others."""
    model_id: Text | None = None
    """The model's id there; by default its id in `config.yaml`."""
    headers: dict[str, SecretStr] | None = None
    """Additional headers by name; values may hold ``$VAR``."""


@dataclass(frozen=True, slots=True)
class ModelSettings(ModelProfile):
    """``models.<name>``."""

    access_key: Secret | None = None
    """The provider's key, in place of that of `config.yaml`, which may then be left out."""
    deployments: Listing[Deployment] | None = None
    """Where it is served, where that is at several places: keys, regions, hosts."""


def read_profile(settings: ModelSettings) -> ModelProfile:
    """Take what a model takes and costs from its settings."""
    return ModelProfile(**{each.name: getattr(settings, each.name) for each in fields(ModelProfile)})


@dataclass(frozen=True, slots=True)
class SessionCache(Section):
    """``routing.session_cache``."""

    type: Literal["memory", "redis"] = "memory"
    """The store of pins: ``memory`` in this process, or ``redis``, shared by replicas."""
    url: SecretStr | None = None
    """The address of Redis; required by ``redis``."""
    tenant_header: Text | None = None
    """The header whose value names the tenant; each tenant has its own ids."""

    @property
    def is_shared(self) -> bool:
        """True if replicas share their pins."""
        return self.type == "redis" and self.url is not None


DEFAULT_CACHE_READ_DISCOUNT = 0.1
"""The share of a prompt token's price that one read from the cache is taken to cost where no price is known."""


@dataclass(frozen=True, slots=True)
class RoutingBudget(Section):
    """Plano's ``routing.routing_budget``."""

    max_switch_spend_pct: Annotated[float, Meta(ge=0, le=100)]
    """With the scope ``user_turn``: how much a session's switches may cost, in percent of what its prompts would have
    cost without any; 0 allows those that cost nothing. ``X-Routing-Max-Switch-Spend-Pct`` says so of one request."""
    cache_read_discount: Annotated[float, Meta(ge=0, le=1)] = DEFAULT_CACHE_READ_DISCOUNT
    """The share of its price that a cached prompt token is taken to cost where that is not known."""
    replenish_on_rebind: NotActedOn[bool] = True
    record_counterfactual: NotActedOn[bool] = False


@dataclass(frozen=True)
class PlanoRouting(Section):
    """Plano's ``routing``."""

    session_ttl_seconds: Lifetime = 600
    """Seconds that a pin lives after its last use; ten years at most."""
    session_max_entries: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    """Maximum number of pins held in memory, and of those not yet served; the least recently used is dropped first."""
    session_cache: SessionCache = field(default_factory=SessionCache)
    """Where pins are kept."""
    route_on_user_only: bool = False
    """Route by users' messages only; without an affinity id, each user turn is then a session."""
    llm_provider: NotActedOn[str | None] = None
    model: str | None = None
    """The routing model, in older files; now ``overrides.llm_routing_model``."""
    routing_budget: RoutingBudget | None = None
    """Which switches to another model a new user message may make, by their cost; any where absent."""


@dataclass(frozen=True)
class RoutingSettings(Section):
    """``routing`` of our settings."""

    affinity_headers: Listing[str] = ()
    """More headers to read the affinity id from, in order, after ``X-Model-Affinity``."""
    affinity_fields: Listing[str] = ()
    """Body fields to read the affinity id from if no header has one, in order, such as ``metadata.user_id``."""
    scope: Scope = "session"
    """How long an id keeps its model: for the whole ``session``, or for a ``user_turn``, so that a tool loop keeps it
    and a new user message may be routed again. ``X-Model-Affinity-Scope`` says so of one request; the sessions of
    recognised harnesses keep theirs."""
    harness_sessions: bool = True
    """Keep the models of sessions of recognised agent harnesses, such as Claude Code and Codex,
    without an affinity id."""
    threshold: Annotated[float, Meta(ge=0, lt=1)] = DEFAULT_THRESHOLD
    """The probability that a match must exceed, against the likeliest other answer (embedded strategy)."""
    model_timeout_seconds: Duration = 2.0
    """The longest time for the routing model; after it the embedded strategy decides."""
    observe: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """The share of pinned turns, from 0 to 1, that is routed beside the request too, to say what affinity saved."""


@dataclass(frozen=True)
class Routing(RoutingSettings, PlanoRouting):
    """``routing`` of both files."""


@dataclass(frozen=True, slots=True)
class Overrides(Section):
    """Plano's ``overrides``."""

    llm_routing_model: Text | None = None
    """The declared model that chooses routes; by default the embedded strategy chooses."""
    orchestrator_model_context_length: Count = 8192
    """Maximum number of tokens sent to the routing model."""
    upstream_tls_ca_path: Text | None = None
    """A PEM file with the certificates to verify providers with; by default the system's."""
    upstream_connect_timeout: str | None = None
    """The longest time to connect to a provider, a duration such as ``5s``: ``timeouts.connect_seconds``."""
    prompt_target_intent_matching_threshold: NotActedOn[float | None] = None
    optimize_context_window: NotActedOn[bool | None] = None
    use_agent_orchestrator: NotActedOn[bool | None] = None
    disable_signals: NotActedOn[bool | None] = None
    agent_orchestration_model: NotActedOn[str | None] = None


@dataclass(frozen=True)
class PlanoPromptCaching(Section):
    """Plano's ``prompt_caching``."""

    enabled: bool = False
    """Let conversations without an affinity id be sessions."""
    session_affinity: bool = True
    """With ``enabled``: recognise such a conversation by its beginning."""
    inject_cache_control: bool = True
    """With ``enabled``: add cache marks to requests to Claude that have none."""
    min_prefix_tokens: Count = 1024
    """The estimated tokens that a prefix needs to get a mark."""
    session_ttl_seconds: Lifetime | None = None
    """Seconds that the pin of such a session lives; by default ``routing.session_ttl_seconds``."""


@dataclass(frozen=True)
class PromptCachingSettings(Section):
    """``prompt_caching`` of our settings."""

    session_keys: bool = True
    """Send a key, a hash of the session, to providers that find cached prompts by one."""
    key_salt: SecretStr | None = None
    """The secret key of that hash, the same on all replicas; by default derived from `admin_token`,
    else from the shared session store's address, else from the providers' keys."""


@dataclass(frozen=True)
class PromptCaching(PromptCachingSettings, PlanoPromptCaching):
    """``prompt_caching`` of both files."""


@dataclass(frozen=True, slots=True)
class SpanAttributes(Section):
    """``tracing.span_attributes``."""

    header_prefixes: Listing[str] = ()
    """Request headers that become attributes: ``x-acme-tenant-id`` under ``x-acme-`` is ``tenant.id``."""
    static: dict[str, str] = field(default_factory=dict)
    """Attributes of every span."""


@dataclass(frozen=True, slots=True)
class Exporter(Section):
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
    """True if prompts go along."""


@dataclass(frozen=True)
class PlanoTracing(Section):
    """Plano's ``tracing``."""

    random_sampling: Annotated[int, Meta(ge=0, le=100)] = 0
    """Percent of requests to trace where the client has not decided; 0 traces none."""
    trace_arch_internal: NotActedOn[bool] = False
    """True if Plano's own steps get spans."""
    opentracing_grpc_endpoint: str | None = None
    """The collector's address, OTLP over gRPC; may hold ``$VAR``; by default the environment's."""
    span_attributes: SpanAttributes = field(default_factory=SpanAttributes)
    """Further attributes."""
    exporters: NotActedOn[list[Exporter] | None] = None


@dataclass(frozen=True)
class TracingSettings(Section):
    """``tracing`` of our settings."""

    content: bool = False
    """Write prompts and answers into spans."""


@dataclass(frozen=True)
class Tracing(TracingSettings, PlanoTracing):
    """``tracing`` of both files."""


CATALOGS: Mapping[str, str] = MappingProxyType(
    {
        "digitalocean": "https://api.digitalocean.com/v2/gen-ai/models/catalog",
        "models.dev": "https://models.dev/api.json",
    }
)
"""Where prices are, unless ``url`` says otherwise; as in Plano."""


@dataclass(frozen=True, slots=True)
class CostSource(Section):
    """An entry of ``model_metrics_sources`` of type ``cost``."""

    type: Literal["cost"]
    """The metric: prices (``cost``) or response times (``latency``); at most one source of each."""
    provider: Literal["digitalocean", "models.dev"]
    """The catalog or API whose format the answer has."""
    url: str | None = None
    """Its address; by default the catalog's usual one; required by ``prometheus``."""
    refresh_interval: Lifetime | None = None
    """Seconds between requests to it; by default one request, at start."""
    model_aliases: dict[str, str] = field(default_factory=dict)
    """Names in the catalog, mapped to names in routes."""

    @property
    def address(self) -> str:
        """The URL that is asked, with GET."""
        return self.url if self.url is not None else CATALOGS[self.provider]


@dataclass(frozen=True, slots=True)
class LatencySource(Section):
    """An entry of ``model_metrics_sources`` of type ``latency``."""

    type: Literal["latency"]
    """The metric: prices (``cost``) or response times (``latency``); at most one source of each."""
    provider: Literal["prometheus"]
    """The catalog or API whose format the answer has."""
    url: str
    """Its address; by default the catalog's usual one; required by ``prometheus``."""
    query: Text
    """For ``latency``: an instant query whose series have the label ``model_name``; lower is faster."""
    refresh_interval: Lifetime | None = None
    """Seconds between requests to it; by default one request, at start."""


MetricsSource = CostSource | LatencySource


@dataclass(frozen=True, slots=True)
class Timeouts(Section):
    """``timeouts``: how long a provider may take."""

    connect_seconds: Duration = 5.0
    """To connect, TLS included; Plano's ``overrides.upstream_connect_timeout``."""
    first_byte_seconds: Duration = 600.0
    """From the request's last byte to the answer's first."""
    between_bytes_seconds: Duration = 300.0
    """Between two pieces of an answer."""
    total_seconds: Duration = 900.0
    """From sending a request to its answer's end; Plano's ``timeout`` of the listener."""


@dataclass(frozen=True, slots=True)
class Retries(Section):
    """``retries``: how often a failed request is sent again, before its first byte went out."""

    max_per_candidate: Annotated[int, Meta(ge=0, le=100)] = 2
    """Retries of one model, the first attempt not counted; Plano's ``max_retries`` of the listener."""
    base_seconds: Wait = 0.5
    """The upper bound of the first backoff; it doubles, and each wait is a random part of it."""
    max_delay_seconds: Wait = 60.0
    """The longest ``Retry-After`` to wait for; if longer, the next candidate is tried."""
    budget_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Maximum retries per request, averaged over recent requests."""
    budget_min: Annotated[int, Meta(ge=0)] = 3
    """Retries always allowed, however few the requests."""


@dataclass(frozen=True, slots=True)
class Breaker(Section):
    """``breaker``: when a model's circuit breaker opens, and for how long."""

    failures: Count = 5
    """Consecutive failures that open the circuit breaker."""
    open_seconds: Duration = 30.0
    """Seconds that it stays open before one request may probe."""


@dataclass(frozen=True, slots=True)
class Limits(Section):
    """``limits``: what is refused for its size, its slowness or its number."""

    max_body_bytes: Count = 32 * 1024 * 1024
    """The largest request body accepted, in bytes."""
    max_concurrent_requests: Count = 1_000
    """Maximum requests in flight, from the end of the body until the client has the answer; more get a 503."""
    max_buffered_bytes: Count = 1024 * 1024 * 1024
    """Maximum bytes of bodies and unread answers that a process holds; requests beyond it get a 503."""
    header_seconds: Duration = 15.0
    """The longest time for a request's headers to arrive."""
    body_seconds: Duration = 15.0
    """Seconds over which `min_bytes_per_second` is averaged while a client sends a body; a short rest has as long."""
    min_bytes_per_second: Count = 1024
    """The lowest rate at which a client sends a body or reads an answer (averaged over a minute)."""
    keepalive_comment_seconds: Duration = 15.0
    """Seconds of silence in a stream before a comment line keeps intermediaries awake."""
    shutdown_grace_seconds: Wait = 10.0
    """Seconds that running requests may continue after a stop."""
    worker_hang_seconds: Duration = 30.0
    """Seconds that a worker's event loop may block before the worker is replaced."""
    max_header_bytes: Count = 64 * 1024
    """The largest request head accepted, in bytes."""
    allowed_hosts: Listing[HostPattern] = ()
    """Without client keys: host names accepted beside loopback's; ``*.example.com`` accepts every name below it."""
