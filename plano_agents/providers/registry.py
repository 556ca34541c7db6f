"""The providers, one row each: address, wire formats, authentication.

An OpenAI-compatible provider is a row and nothing else. The names are the prefixes of Plano's model names; addresses
and paths are those that Plano asks (its ``hermesllm`` crate, ``clients/endpoints.rs``, and its ``defaults.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from plano_agents.protocol.form import Form

CHAT, MESSAGES, RESPONSES = Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's row: its address, authentication and wire."""

    name: str
    """The prefix of its models' names."""
    origin: str | None
    """Scheme and host; None where every user has their own, given as ``base_url``."""
    prefix: str = "/v1"
    """What the path starts with, unless ``base_url`` brings its own."""
    wires: tuple[Form, ...] = (CHAT,)
    """What it speaks natively. The first is its main one, spoken at every ``base_url`` too; the others only at
    the provider's own hosts, for a server that is compatible with its main one may know no other."""
    key_header: str = "authorization"
    """The header that carries the key; ``authorization`` carries it as a bearer token."""
    query: str = ""
    """What follows the path, ``?`` included."""
    deployment_path: bool = False
    """True if the path names the model, as Azure's deployments do."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How it spells the limit of tokens on chat completions; elsewhere than at its own hosts, ``max_tokens``."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What every request carries unless the configuration says otherwise, names in lower case."""
    client_signs_in: bool = False
    """True if, without a key, the client's own Authorization is sent, as with ``passthrough_auth``."""

    @property
    def wire(self) -> Form:
        """The main wire format."""
        return self.wires[0]


PROVIDERS: dict[str, Provider] = {
    row.name: row
    for row in (
        # OpenAI's reasoning models refuse max_tokens.
        Provider(
            "openai",
            "https://api.openai.com",
            wires=(CHAT, RESPONSES),
            limit_field="max_completion_tokens",
        ),
        Provider("anthropic", "https://api.anthropic.com", wires=(MESSAGES,), key_header="x-api-key"),
        Provider("gemini", "https://generativelanguage.googleapis.com", prefix="/v1beta/openai"),
        Provider("mistral", "https://api.mistral.ai"),
        Provider("groq", "https://api.groq.com", prefix="/openai/v1"),
        Provider("deepseek", "https://api.deepseek.com"),
        Provider("xai", "https://api.x.ai", wires=(CHAT, RESPONSES)),
        Provider("together_ai", "https://api.together.xyz"),
        Provider("openrouter", "https://openrouter.ai", prefix="/api/v1"),
        Provider("moonshotai", "https://api.moonshot.ai"),
        Provider("zhipu", "https://open.bigmodel.cn", prefix="/api/paas/v4"),
        Provider("xiaomi", "https://api.xiaomimimo.com"),
        Provider("digitalocean", "https://inference.do-ai.run"),
        Provider("vercel", "https://ai-gateway.vercel.sh", wires=(CHAT, MESSAGES, RESPONSES)),
        Provider("edenai", "https://api.edenai.run", prefix="/v3"),
        Provider("qwen", None, prefix="/compatible-mode/v1"),
        Provider("ollama", None),
        Provider("plano", None),
        Provider(
            "azure_openai",
            None,
            prefix="/openai/deployments",
            key_header="api-key",
            query="?api-version=2025-01-01-preview",
            deployment_path=True,
            limit_field="max_completion_tokens",
        ),
        # A ChatGPT subscription through Codex' backend; planoai names the same headers.
        Provider(
            "chatgpt",
            "https://chatgpt.com",
            prefix="/backend-api/codex",
            wires=(RESPONSES,),
            headers=MappingProxyType(
                {
                    "originator": "codex_cli_rs",
                    "user-agent": "codex_cli_rs/0.0.0 (Unknown 0; unknown) unknown",
                }
            ),
            client_signs_in=True,
        ),
    )
}
"""Every provider with a row, by name."""

NOT_SERVED: Mapping[str, str] = MappingProxyType(
    {
        "amazon_bedrock": "plano-agents does not speak Bedrock's Converse format. Bedrock answers in OpenAI's too: write "
        "the model as bedrock/<model id>, with base_url: https://bedrock-runtime.<region>.amazonaws.com/openai/v1, "
        "provider_interface: openai and a Bedrock API key as access_key."
    }
)
"""Plano's providers without a row: why, and the way out."""
