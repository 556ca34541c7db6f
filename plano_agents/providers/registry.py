"""The providers, one row each: address, wire format, authentication.

An OpenAI-compatible provider is a row and nothing else. The names are the prefixes of Plano's model names, and the
paths are those that Plano asks (its ``hermesllm`` crate, ``clients/endpoints.rs``).
"""

from dataclasses import dataclass
from enum import Enum


class Wire(Enum):
    """The wire format that a provider speaks."""

    OPENAI_CHAT = "openai_chat"
    ANTHROPIC_MESSAGES = "anthropic_messages"


@dataclass(frozen=True, slots=True)
class Provider:
    """How to talk to one provider."""

    name: str
    """The prefix of its models' names."""
    origin: str | None
    """Scheme and host; None where every user has their own, given as ``base_url``."""
    prefix: str = "/v1"
    """What the path starts with, unless ``base_url`` brings its own."""
    wire: Wire = Wire.OPENAI_CHAT
    """What it speaks."""
    key_header: str = "authorization"
    """The header that carries the key; ``authorization`` carries it as a bearer token."""
    query: str = ""
    """What follows the path, ``?`` included."""
    deployment_path: bool = False
    """Whether the path names the model, as Azure's deployments do."""


PROVIDERS: dict[str, Provider] = {
    row.name: row
    for row in (
        Provider("openai", "https://api.openai.com"),
        Provider(
            "anthropic", "https://api.anthropic.com", wire=Wire.ANTHROPIC_MESSAGES, key_header="x-api-key"
        ),
        Provider("gemini", "https://generativelanguage.googleapis.com", prefix="/v1beta/openai"),
        Provider("mistral", "https://api.mistral.ai"),
        Provider("groq", "https://api.groq.com", prefix="/openai/v1"),
        Provider("deepseek", "https://api.deepseek.com"),
        Provider("xai", "https://api.x.ai"),
        Provider("together_ai", "https://api.together.xyz"),
        Provider("openrouter", "https://openrouter.ai", prefix="/api/v1"),
        Provider("moonshotai", "https://api.moonshot.ai"),
        Provider("zhipu", "https://open.bigmodel.cn", prefix="/api/paas/v4"),
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
        ),
    )
}
"""Every provider with a row, by name."""
