"""The values of all sections beside models and routes: Plano's own, then those of our settings, with their defaults.

Values only. What they are read from is left to ``option_entries`` and ``settings``; acting on them is the router's
business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pydantic import SecretStr

EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a model can take; what is not known (None) is assumed to be possible."""

    context_window: int | None = None
    """How many tokens of input it takes at most; what we know of it where absent."""
    images: bool | None = None
    """Whether it takes images; what we know of it where absent."""
    tools: bool | None = None
    """Whether it takes tools that it may call; what we know of it where absent."""


@dataclass(frozen=True, slots=True)
class SessionCache:
    """``routing.session_cache``: where pins are kept."""

    type: Literal["memory", "redis"] = "memory"
    """``memory`` is this process's own; ``redis`` is shared by replicas."""
    url: SecretStr | None = None
    """Redis' address, expanded; a secret, for it may hold a password."""
    tenant_header: str | None = None
    """The header whose value separates tenants, lower case; None where there is one tenant."""

    @property
    def is_shared(self) -> bool:
        """Whether replicas share their pins."""
        return self.type == "redis" and self.url is not None


@dataclass(frozen=True, slots=True)
class Overrides:
    """Plano's ``overrides``, as far as they concern models."""

    llm_routing_model: str | None = None
    """The model that chooses routes, spelt like a model; None for the embedded strategy."""
    orchestrator_model_context_length: int = 8192
    """How many tokens that model is sent at most."""
    upstream_tls_ca_path: str | None = None
    """The certificates that providers' addresses are checked against, a PEM file; None for the system's."""


@dataclass(frozen=True, slots=True)
class PromptCaching:
    """Plano's ``prompt_caching``."""

    enabled: bool = False
    """Whether any of it applies."""
    session_affinity: bool = True
    """Whether requests without an affinity id get one, made from the prompt's beginning."""
    inject_cache_control: bool = True
    """Whether cache breakpoints are inserted for providers that need them."""
    min_prefix_tokens: int = 1024
    """The shortest stable prefix, in tokens, that gets a breakpoint."""
    session_ttl_seconds: int | None = None
    """How long such a session's pin lives; None for ``routing.session_ttl_seconds``."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """``tracing``: Plano's, and whether prompts go along, which is ours."""

    random_sampling: int = 0
    """How many of 100 requests are traced, where the client has not decided that; 0 makes no span at all."""
    trace_arch_internal: bool = False
    """Whether Plano's own steps get spans; has no meaning here."""
    opentracing_grpc_endpoint: str | None = None
    """The OpenTelemetry collector, ``http://host:port``; None for what the environment says."""
    header_prefixes: tuple[str, ...] = ()
    """Request headers that start so become span attributes."""
    static_attributes: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Attributes that every span gets."""
    content: bool = False
    """Whether prompts and answers are written into spans."""


@dataclass(frozen=True, slots=True)
class CostSource:
    """An entry of ``model_metrics_sources`` that says what models cost."""

    provider: Literal["digitalocean", "models.dev"]
    """Whose catalog's shape the answer has."""
    url: str
    """What is asked, with GET."""
    refresh_seconds: int | None = None
    """How often it is asked again; None for once, at start."""
    model_aliases: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """The catalog's name of a model to its name in routes."""


@dataclass(frozen=True, slots=True)
class LatencySource:
    """An entry of ``model_metrics_sources`` that says how fast models are."""

    provider: Literal["prometheus"]
    """Whose API is asked."""
    url: str
    """Prometheus' address, without ``/api/v1/query``."""
    query: str
    """An instant query whose series carry the label ``model_name``; the lower value is the faster model."""
    refresh_seconds: int | None = None
    """How often it is asked again; None for once, at start."""


MetricsSource = CostSource | LatencySource


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``timeouts``: how long a provider may take."""

    connect_seconds: float = 5.0
    """Until the connection stands, TLS included; Plano's ``overrides.upstream_connect_timeout``."""
    first_byte_seconds: float = 120.0
    """From the request's last byte to the answer's first."""
    between_bytes_seconds: float = 60.0
    """Of silence within an answer."""
    total_seconds: float = 900.0
    """From sending a request to its answer's end; Plano's ``timeout`` of the listener."""


@dataclass(frozen=True, slots=True)
class Retries:
    """``retries``: how often a failed request is sent again, before its first byte went out."""

    max_per_candidate: int = 2
    """Retries of one model, the first attempt not counted; Plano's ``max_retries`` of the listener."""
    base_seconds: float = 0.5
    """The first backoff's upper bound; it doubles, and each wait is a random part of it."""
    max_delay_seconds: float = 60.0
    """The longest ``Retry-After`` that is waited for; the next candidate is taken instead of waiting longer."""
    budget_ratio: float = 0.2
    """Retries allowed per request, over all requests of late."""
    budget_min: int = 3
    """Retries allowed however few requests there were."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """``breaker``: when an upstream is left alone."""

    failures: int = 5
    """Failures in a row that open it."""
    open_seconds: float = 30.0
    """How long it stays open, before one request may probe."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``limits``: what is refused for its size, its slowness or its number."""

    max_body_bytes: int = 32 * 1024 * 1024
    """The largest request body accepted, in bytes."""
    max_concurrent_requests: int = 1_000
    """Requests in flight, from their body's end until their client has taken the answer; one more is answered 503."""
    max_buffered_bytes: int = 1024 * 1024 * 1024
    """Bytes of bodies, and of answers that clients do not take, held by a process; what is more is answered 503."""
    header_seconds: float = 15.0
    """How long a client may take over a request's headers."""
    body_seconds: float = 15.0
    """Over how long `min_bytes_per_second` is averaged while a client sends a body; a shorter rest has as long."""
    min_bytes_per_second: int = 1024
    """The least rate at which a client sends a body, and takes an answer (averaged over a minute); it is cut off below."""
    keepalive_comment_seconds: float = 15.0
    """How long a stream may be silent before a comment line keeps intermediaries awake."""
    shutdown_grace_seconds: float = 10.0
    """How long running requests may go on once the router was told to stop."""
    max_header_bytes: int = 64 * 1024
    """The largest request head accepted, in bytes."""
