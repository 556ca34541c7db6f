"""The configuration's values, once read: frozen, with no trace of the file they came from.

Lookups that the request path needs live here; reading and checking files is left to the modules beside this one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from plano_agents.config.client_keys import ClientKey
from plano_agents.config.options import (
    DEFAULT_THRESHOLD,
    EMPTY,
    Breaker,
    Deployment,
    Limits,
    MetricsSource,
    ModelProfile,
    Overrides,
    PromptCaching,
    Retries,
    Routing,
    Timeouts,
    Tracing,
    UnsupportedParams,
)
from plano_agents.config.secret_files import Stamps
from plano_agents.secret_str import SecretStr

__all__ = [
    "DEFAULT_THRESHOLD",
    "EMPTY",
    "WILDCARD",
    "Breaker",
    "Config",
    "Deployment",
    "Limits",
    "Listener",
    "Model",
    "ModelProfile",
    "Preference",
    "Retries",
    "Routing",
    "Timeouts",
    "UnsupportedParams",
]

WILDCARD = "*"
"""The model id that declares all of a provider's models."""

MAX_NAME_CHARACTERS = 256
"""The longest name of a model, an alias or a preference: names stand in headers, pins and logs."""

NAME = re.compile(rf"[!-~]{{1,{MAX_NAME_CHARACTERS}}}")
"""How a model or an alias is named, in files and requests alike: in visible ASCII."""

DOTS = frozenset({".", ".."})
"""No model ids: in the path of a deployment, such as Azure's, they would address something else."""


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of ``model_providers``."""

    name: str
    """Provider-qualified, as declared: ``openai/gpt-4o``, or ``openai/*`` for all of a provider's models."""
    provider: str
    """What stands before the first slash: ``openai``."""
    model_id: str
    """What the provider calls it, all that follows the first slash: ``gpt-4o``."""
    interface: str
    """The provider row that says how to talk to it; ``provider``, unless ``provider_interface`` names another."""
    access_key: SecretStr | None = None
    """The provider's key, expanded; None where the provider needs none or ``passthrough_auth`` is set."""
    base_url: str | None = None
    """Scheme, host and optional path prefix that replace the row's own address."""
    http_host: str | None = None
    """The Host header to send instead of the address's own."""
    headers: Mapping[str, str] = field(default_factory=lambda: EMPTY, repr=False)
    """Further headers on every request to the provider; not in the repr, for values may be secrets."""
    passthrough_auth: bool = False
    """True if the client's own Authorization header is sent upstream instead of ``access_key``."""
    stands_in_for: str | None = None
    """The provider's own address where a simulator at ``base_url`` takes its place; empty for the row's. None where
    ``base_url`` is the provider's."""
    default: bool = False
    """True if this model serves requests that name no model and match no route."""
    deployments: tuple[Deployment, ...] = ()
    """Where it is served instead of at ``base_url`` with ``access_key``; empty for a model that is served there."""
    deployed_as: str | None = None
    """What its provider calls it there, where that is not the id."""

    @property
    def is_wildcard(self) -> bool:
        """True if this entry declares all of its provider's models."""
        return self.model_id == WILDCARD

    @property
    def sent_id(self) -> str:
        """Its id in requests to its provider."""
        return self.deployed_as or self.model_id

    def list_upstreams(self) -> list[str]:
        """List the names of the places that serve it; see `name_upstream`."""
        return [name_upstream(self.name, each.name) for each in self.deployments] or [self.name]

    def deploy(self, deployment: Deployment) -> "Model":
        """The model as one of its deployments serves it; its own key and headers go to no other address."""
        elsewhere = deployment.base_url is not None
        headers = {name: value.get_secret_value() for name, value in (deployment.headers or {}).items()}
        kept = replace(self, access_key=None, http_host=None, headers=EMPTY, passthrough_auth=False)
        model = kept if elsewhere else self
        return replace(
            model,
            base_url=deployment.base_url or self.base_url,
            access_key=deployment.access_key or model.access_key,
            headers=MappingProxyType({**model.headers, **headers}),
            passthrough_auth=model.passthrough_auth and deployment.access_key is None,
            deployments=(),
            deployed_as=deployment.model_id,
        )


def name_upstream(model: str, deployment: str | None) -> str:
    """Name the place that serves a model: by the model, and by the deployment where there is one.

    Args:
        model: Provider-qualified; it holds no space, so that two places never share a name.
        deployment: The deployment's name.
    """
    return model if deployment is None else f"{model} ({deployment})"


def split_upstream(name: str) -> tuple[str, str | None]:
    """Split what `name_upstream` gives into the model and the deployment."""
    model, _, rest = name.partition(" (")
    return model, rest[:-1] or None


@dataclass(frozen=True, slots=True)
class Preference:
    """A route: what kind of request it is for, in the user's words, and which models serve it."""

    name: str
    """Short and unique, e.g. ``code_generation``."""
    description: str
    """One line of natural language that says which requests belong here."""
    models: tuple[str, ...]
    """Provider-qualified candidates, best first."""
    prefer: Literal["cheapest", "fastest", "none"] = "none"
    """How candidates are ordered; ``none`` keeps the order given."""
    examples: tuple[str, ...] = ()
    """Prompts that belong here, from the settings file; the embedded strategy compares with them too."""


@dataclass(frozen=True, slots=True)
class Listener:
    """The router's listening address."""

    host: str = "127.0.0.1"
    """The address to bind."""
    port: int = 12_000
    """The TCP port; 0 lets the system choose."""


@dataclass(frozen=True)
class Config:
    """All that the router is told."""

    models: tuple[Model, ...]
    """The declared models, in the file's order."""
    preferences: tuple[Preference, ...] = ()
    """The routes, in the file's order."""
    aliases: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Alias to provider-qualified model name."""
    alias_patterns: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Pattern of undeclared names that clients may ask for, to provider-qualified model name; see `asked_models`."""
    profiles: Mapping[str, ModelProfile] = field(default_factory=lambda: MappingProxyType({}))
    """What models can take, as far as the settings say so, by provider-qualified name; a wildcard's holds for all
    of its models."""
    routing: Routing = field(default_factory=Routing)
    """How sessions are kept."""
    listener: Listener = field(default_factory=Listener)
    """Where the router listens."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    """How long a provider may take."""
    retries: Retries = field(default_factory=Retries)
    """How often a failed request is sent again."""
    breaker: Breaker = field(default_factory=Breaker)
    """When a model's circuit breaker opens, and for how long."""
    limits: Limits = field(default_factory=Limits)
    """What is refused for its size, its slowness or its number."""
    unsupported_params: UnsupportedParams = "adapt"
    """What becomes of a field or value that the model does not take: adapted, refused, or served by another model."""
    proxy_from_environment: bool = False
    """Use ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` for requests to providers."""
    metrics_sources: tuple[MetricsSource, ...] = ()
    """What models cost and how fast they are; one of each kind at most."""
    overrides: Overrides = field(default_factory=Overrides)
    """Certificates, and the routing model."""
    prompt_caching: PromptCaching = field(default_factory=PromptCaching)
    """Providers' prompt caches, and sessions of requests without an affinity id."""
    tracing: Tracing = field(default_factory=Tracing)
    """Spans: how many, where to, and what stands in them."""
    client_keys: tuple[ClientKey, ...] = ()
    """Keys that clients must present; none means that no key is asked for."""
    admin_token: SecretStr | None = None
    """The token that operators' endpoints ask for; without one they answer on loopback only."""
    secret_files: Stamps = field(default_factory=dict)
    """The files that secrets were read from, as they were then."""
    warnings: tuple[str, ...] = ()
    """What was read and is not acted on, one line each, for the operator."""

    @cached_property
    def _by_name(self) -> Mapping[str, Model]:
        """Each declared model, and each wildcard, under its qualified name."""
        return {model.name: model for model in self.models}

    @cached_property
    def _by_id(self) -> Mapping[str, Model]:
        """Each declared model under its bare id."""
        return {model.model_id: model for model in self.models if not model.is_wildcard}

    @cached_property
    def default_model(self) -> Model | None:
        """The entry marked ``default: true``; else the first that is not a wildcard; else None."""
        named = [model for model in self.models if not model.is_wildcard]
        return next((model for model in named if model.default), named[0] if named else None)

    @property
    def has_tenants(self) -> bool:
        """True if sessions belong to tenants: a header's, or clients by the names of their keys."""
        return self.routing.session_cache.tenant_header is not None or any(key.name for key in self.client_keys)

    @property
    def routing_model(self) -> Model | None:
        """The entry of the model that chooses routes; None where there is none, and the embedded strategy does."""
        name = self.overrides.llm_routing_model or self.routing.model
        return self.find_model(name) if name is not None else None

    def find_model(self, name: str) -> Model | None:
        """Look a model up as a client may spell it.

        Args:
            name: A qualified name (``openai/gpt-4o``), any model of a provider declared with a wildcard
                (``openai/gpt-5`` under ``openai/*``), or a bare id (``gpt-4o``), tried in this order; or an alias,
                which is never any of them.

        Returns:
            The model, never a wildcard entry itself; None when nothing declares the name.
        """
        name = self.aliases.get(name, name)
        found = self._by_name.get(name)
        if found is not None:
            return None if found.is_wildcard else found
        provider, slash, model_id = name.partition("/")
        entry = self._by_name.get(f"{provider}/{WILDCARD}") if slash else None
        if entry is not None and model_id and model_id not in DOTS and NAME.fullmatch(name):
            return replace(entry, name=name, model_id=model_id)
        return self._by_id.get(name)

    def offline(self, base_url: str) -> "Config":
        """Put simulated models behind every provider.

        Args:
            base_url: Where the simulator listens, scheme and host.

        Returns:
            The same configuration, each model served there, no key left in it, and nothing fetched from anywhere; no
            simulated model chooses routes, so the embedded strategy does.
        """
        models = (
            replace(
                model,
                base_url=base_url,
                stands_in_for=model.base_url or "",
                access_key=None,
                http_host=None,
                headers=EMPTY,
                passthrough_auth=False,
                deployments=tuple(
                    replace(each, base_url=base_url, access_key=None, model_id=None, headers=None)
                    for each in model.deployments
                ),
            )
            for model in self.models
        )
        return replace(
            self,
            models=tuple(models),
            metrics_sources=(),
            proxy_from_environment=False,
            overrides=replace(self.overrides, upstream_tls_ca_path=None, llm_routing_model=None),
            routing=replace(self.routing, model=None),
        )
