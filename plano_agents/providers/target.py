"""A model's target: the URL and headers of its requests, a pure function of its row and its configuration.

The client's own credentials are never among the headers, unless the model is configured with
``passthrough_auth``. Sending is the router's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit

from plano_agents.config.model import DOTS, Model
from plano_agents.config.options import Api
from plano_agents.errors import ConfigError
from plano_agents.protocol import anthropic_messages
from plano_agents.protocol.form import Form
from plano_agents.providers.apis import WIRES
from plano_agents.providers.betas import BETA_HEADER, split_betas
from plano_agents.providers.cache_keys import CacheKeyPlace, Caching, build_cache_key_place, find_cache_key_place
from plano_agents.providers.kimi_code import adapt_kimi_code
from plano_agents.providers.registry import NOT_SERVED, PROVIDERS, Provider

FORWARDED = frozenset({"idempotency-key", "traceparent", "tracestate", "x-request-id"})
"""The client's headers that go to every provider."""

ANTHROPIC_HEADERS = frozenset({BETA_HEADER, "anthropic-version"})
"""Those that go where Anthropic's wire is spoken; the client's version stands above ours."""

OPENAI_HEADERS = frozenset({"openai-beta"})
"""Those that go to OpenAI alone."""

ACCOUNT_HEADERS = frozenset({"openai-organization", "openai-project"})
"""Those that name an account of OpenAI's: they go to OpenAI with the client's own key."""

CODEX_HEADERS = frozenset(
    {
        "conversation_id",
        "session-id",
        "session_id",
        "thread-id",
        "x-client-request-id",
        "x-codex-beta-features",
        "x-codex-installation-id",
        "x-codex-parent-thread-id",
        "x-codex-turn-metadata",
        "x-codex-turn-state",
        "x-codex-window-id",
        "x-openai-subagent",
    }
)
"""Those that Codex names its session and its turn by; they go to its own backend alone, which keeps a turn on the
machine that its state names (openai/codex, ``core/src/client.rs``)."""

CHATGPT_ACCOUNT_HEADERS = frozenset({"chatgpt-account-id"})
"""Those that name an account of ChatGPT's: they go there with the client's own key."""

SESSION_HEADERS = frozenset({"x-session-affinity", "x-session-id"})
"""Those that name a session: gateways and servers of one's own route by them (Fireworks, OpenRouter, vLLM's router)."""

CLAUDE_KEY = "sk-ant-"
"""How Anthropic's keys, and a Claude subscription's tokens, begin."""

VERSION_HEADER = "anthropic-version"

ENDPOINTS: Mapping[Form, str] = MappingProxyType(
    {
        Form.OPENAI_CHAT: "chat/completions",
        Form.ANTHROPIC_MESSAGES: "messages",
        Form.OPENAI_RESPONSES: "responses",
    }
)
"""The end of the path that each wire is spoken at."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target of one model's requests."""

    urls: Mapping[Form, str]
    """Where requests are posted to, by the wire formats that are spoken natively there."""
    wire: Form
    """The main one of them: what a request is translated to where its own is not among them."""
    headers: Mapping[str, str] = field(repr=False)
    """What every request carries, names in lower case; holds the provider's key."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How the limit of tokens is spelt there on chat completions."""
    is_own_host: bool = True
    """True if the address is the provider's own."""
    forwarded: frozenset[str] = FORWARDED
    """The client's headers that go along."""
    overridable: frozenset[str] = frozenset()
    """Those of them that stand above the target's own."""
    cache_key: CacheKeyPlace | None = None
    """Where requests hold the key by which the provider finds what it has cached; None where it has none."""
    compacts: bool = False
    """True if requests for a compaction of responses go there as they are: to OpenAI, and where nothing else
    is spoken."""
    lacking_betas: tuple[str, ...] = ()
    """The features of ``anthropic-beta`` that do not go along: the model lacks them."""
    withheld: frozenset[str] = frozenset()
    """Those that hold the client's key, where Anthropic's are nobody's business."""

    @property
    def url(self) -> str:
        """The URL of requests in the main wire format."""
        return self.urls[self.wire]

    def choose_wire(self, preferred: Form) -> Form:
        """Choose what to speak to the provider.

        Args:
            preferred: What the client speaks.

        Returns:
            The same where the provider speaks it natively, else its main wire.
        """
        return preferred if preferred in self.urls else self.wire

    def plan_caching(self, wire: Form, key: str | None, *, sets_marks: bool) -> Caching:
        """Put together the help for a request's cache at the provider.

        Args:
            wire: What is spoken to the provider.
            key: The session's key; None without a session.
            sets_marks: Whether marks are to be set for Anthropic's cache.
        """
        if self.cache_key is None or key is None:
            return Caching(sets_marks=sets_marks)
        field, header = self.cache_key.fields.get(wire), self.cache_key.headers.get(wire)
        return Caching(
            (field, key) if field is not None else None,
            {header: key} if header is not None else {},
            sets_marks,
        )


def build_target(model: Model, apis: Sequence[Api] | None = None, cache_key: str | None = None) -> Target:
    """Work out where a model's requests go.

    Args:
        model: A configured model; a wildcard's entry stands for each of its models.
        apis: The APIs that are spoken there, the main one first; None for what is known of the provider.
        cache_key: The header or field that holds a session's key there; None for what is known of the host.

    Returns:
        Its target.

    Raises:
        ConfigError: No row serves its provider, the row needs a ``base_url`` and none is configured, or the model's id
            would be a step in the path.
    """
    if model.interface in NOT_SERVED:
        raise ConfigError(f"{model.name!r}: {NOT_SERVED[model.interface]}")
    row = PROVIDERS.get(model.interface)
    if row is None:
        raise ConfigError(
            f"{model.name!r}: provider {model.interface!r} is not served by plano-agents yet; it serves "
            f"{', '.join(PROVIDERS)}, and any OpenAI-compatible one by base_url with provider_interface: openai."
        )
    model = adapt_kimi_code(model)
    base = model.base_url or row.origin
    if base is None:
        raise ConfigError(f"{model.name!r}: provider {row.name!r} needs a base_url.")
    if row.deployment_path and model.sent_id in DOTS:
        raise ConfigError(f"{model.name!r}: {model.sent_id!r} is not a deployment's name. Write the deployment's.")
    own = _is_own(base, row)
    asked = base if model.stands_in_for is None else model.stands_in_for or row.origin or ""
    place = build_cache_key_place(cache_key) if cache_key is not None else find_cache_key_place(asked)
    known = row.wires if own or model.stands_in_for == "" else row.wires[:1]  # the simulator speaks all
    wires = tuple(WIRES[api] for api in apis) if apis else known
    signs_in = row.client_signs_in and model.access_key is None and model.base_url is None
    return Target(
        urls=_build_urls(base, wires, model, row),
        wire=wires[0],
        headers=_build_headers(model, row, wires),
        limit_field=row.limit_field if own else "max_tokens",
        is_own_host=own,
        forwarded=_choose_forwarded(row, wires, place, passes_auth=model.passthrough_auth or signs_in, is_own_host=own),
        overridable=frozenset({VERSION_HEADER} - {name.lower() for name in model.headers}),
        cache_key=place,
        compacts=Form.OPENAI_RESPONSES in wires
        and ((own and row.name == "openai") or row.wire is Form.OPENAI_RESPONSES),
        withheld=frozenset() if _serves_claude(model, row, own) else frozenset({"authorization", row.key_header}),
    )


def _serves_claude(model: Model, row: Provider, is_own_host: bool) -> bool:  # noqa: FBT001 - read by its place alone
    return (row.name == "anthropic" and is_own_host) or "claude" in model.model_id


def _choose_forwarded(
    row: Provider, wires: Sequence[Form], place: CacheKeyPlace | None, *, passes_auth: bool, is_own_host: bool
) -> frozenset[str]:
    """Choose the client's headers that the provider reads, or may read."""
    names = FORWARDED if is_own_host else FORWARDED | SESSION_HEADERS
    if place is not None:
        names |= frozenset(place.headers.values())
    if Form.ANTHROPIC_MESSAGES in wires:
        names |= ANTHROPIC_HEADERS
    if row.name in {"openai", "chatgpt"}:
        names |= OPENAI_HEADERS | (ACCOUNT_HEADERS if passes_auth else frozenset())
    if row.name == "chatgpt":
        names |= CODEX_HEADERS | (CHATGPT_ACCOUNT_HEADERS if passes_auth else frozenset())
    if passes_auth:
        names |= {"authorization", row.key_header}
    return names


def _build_urls(base: str, wires: Sequence[Form], model: Model, row: Provider) -> Mapping[Form, str]:
    parts = urlsplit(base)
    prefix = parts.path.strip("/") or row.prefix.strip("/")
    if row.deployment_path:
        prefix += "/" + quote(model.sent_id, safe="")
    root = f"{parts.scheme}://{parts.netloc}/{prefix}"
    return MappingProxyType({wire: f"{root}/{ENDPOINTS[wire]}{row.query}" for wire in wires})


def _is_own(base: str, row: Provider) -> bool:
    """Check whether an address is the provider's: its row's host, or another of that domain, such as a region's."""
    if row.origin is None:
        return True
    host, own = urlsplit(base).hostname or "", urlsplit(row.origin).hostname or ""
    domain = ".".join(own.split(".")[-2:])
    return host == domain or host.endswith("." + domain)


def _build_headers(model: Model, row: Provider, wires: Sequence[Form]) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept-encoding": "identity", **row.headers}
    if Form.ANTHROPIC_MESSAGES in wires:
        headers["anthropic-version"] = anthropic_messages.VERSION
    if model.access_key is not None and not model.passthrough_auth:
        key = model.access_key.get_secret_value()
        headers[row.key_header] = f"Bearer {key}" if row.key_header == "authorization" else key
    if model.http_host is not None:
        headers["host"] = model.http_host
    headers.update({name.lower(): value for name, value in model.headers.items()})
    return headers


def build_request_headers(target: Target, client_headers: Mapping[str, str]) -> Mapping[str, str]:
    """Put together the headers of one request.

    Args:
        target: Where it goes.
        client_headers: The client's headers, names in lower case.

    Returns:
        The target's own, with the client's forwardable ones below them.
    """
    names = target.forwarded
    if names.isdisjoint(client_headers):
        return target.headers
    given = {name: client_headers[name] for name in names & client_headers.keys()}
    for name in target.withheld & given.keys():
        if CLAUDE_KEY in given[name]:
            del given[name]
    if target.lacking_betas and BETA_HEADER in given:
        kept, _ = split_betas(given.pop(BETA_HEADER), target.lacking_betas)
        given |= {BETA_HEADER: kept} if kept else {}
    above = {name: given[name] for name in target.overridable & given.keys()}
    return {**given, **target.headers, **above}
