"""Where a model's requests go, and what goes with them: a pure function of its row and its configuration.

The client's own credentials are never among the headers, unless the model is configured with
``passthrough_auth``. Sending is the router's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from plano_agents.config.model import Model
from plano_agents.errors import ConfigError
from plano_agents.protocol import anthropic_messages
from plano_agents.providers.registry import PROVIDERS, Provider, Wire

FORWARDED = frozenset(
    {
        "anthropic-beta",
        "anthropic-version",
        "idempotency-key",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "traceparent",
        "x-request-id",
    }
)
"""The client's headers that go upstream; nothing else of them does."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one model is served."""

    url: str
    """Where requests are posted to."""
    wire: Wire
    """The wire format spoken there."""
    headers: Mapping[str, str] = field(repr=False)
    """What every request carries, names in lower case; holds the provider's key."""
    passthrough_auth: bool = False
    """Whether the client's own Authorization goes along."""


def build_target(model: Model) -> Target:
    """Work out where a model's requests go.

    Args:
        model: A configured model, no wildcard.

    Returns:
        Its target.

    Raises:
        ConfigError: No row serves its provider, or the row needs a ``base_url`` and none is configured.
    """
    row = PROVIDERS.get(model.interface)
    if row is None:
        raise ConfigError(
            f"{model.name!r}: provider {model.interface!r} is not served by plano-agents yet; it serves "
            f"{', '.join(PROVIDERS)}, and any OpenAI-compatible one by base_url with provider_interface: openai."
        )
    return Target(_build_url(model, row), row.wire, _build_headers(model, row), model.passthrough_auth)


def _build_url(model: Model, row: Provider) -> str:
    base = model.base_url or row.origin
    if base is None:
        raise ConfigError(f"{model.name!r}: provider {row.name!r} needs a base_url.")
    parts = urlsplit(base)
    prefix = parts.path.strip("/") or row.prefix.strip("/")
    if row.deployment_path:
        prefix += "/" + quote(model.model_id, safe="")
    endpoint = "messages" if row.wire is Wire.ANTHROPIC_MESSAGES else "chat/completions"
    return f"{parts.scheme}://{parts.netloc}/{prefix}/{endpoint}{row.query}"


def _build_headers(model: Model, row: Provider) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    if row.wire is Wire.ANTHROPIC_MESSAGES:
        headers["anthropic-version"] = anthropic_messages.VERSION
    if model.access_key is not None and not model.passthrough_auth:
        key = model.access_key.get_secret_value()
        headers[row.key_header] = f"Bearer {key}" if row.key_header == "authorization" else key
    if model.http_host is not None:
        headers["host"] = model.http_host
    headers.update({name.lower(): value for name, value in model.headers.items()})
    return headers


def build_request_headers(target: Target, client_headers: Mapping[str, str]) -> dict[str, str]:
    """Put together the headers of one request.

    Args:
        target: Where it goes.
        client_headers: The client's headers, names in lower case.

    Returns:
        The target's own, with the client's forwardable ones below them.
    """
    forwarded = {name: client_headers[name] for name in FORWARDED & client_headers.keys()}
    if target.passthrough_auth and "authorization" in client_headers:
        forwarded["authorization"] = client_headers["authorization"]
    return {**forwarded, **target.headers}
