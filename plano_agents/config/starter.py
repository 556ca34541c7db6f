"""A first ``config.yaml``: models of the providers whose keys are at hand, and two preferences among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OLLAMA = "ollama"
"""The provider of models on this machine; it needs no key."""


@dataclass(frozen=True, slots=True)
class Starter:
    """The models of a provider that a first configuration serves."""

    provider: str
    """The prefix of their names."""
    variables: tuple[str, ...]
    """The environment variables that may hold its key; the first that is set does."""
    small: str
    """Serves what matches no preference."""
    coder: str
    """Writes code."""
    thinker: str
    """Reasons."""

    def find_variable(self, environ: Mapping[str, str]) -> str | None:
        """Name the variable that holds its key; None where none does."""
        return next((name for name in self.variables if environ.get(name)), None)


STARTERS = (
    Starter("openai", ("OPENAI_API_KEY",), "gpt-5.4-mini", "gpt-6", "gpt-6"),
    Starter("anthropic", ("ANTHROPIC_API_KEY",), "claude-haiku-4-5", "claude-sonnet-5", "claude-opus-5"),
    Starter(
        "gemini",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "gemini-flash-latest",
        "gemini-pro-latest",
        "gemini-pro-latest",
    ),
    Starter("mistral", ("MISTRAL_API_KEY",), "mistral-small-latest", "mistral-medium-latest", "mistral-medium-latest"),
    Starter("groq", ("GROQ_API_KEY",), "openai/gpt-oss-20b", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
    Starter("deepseek", ("DEEPSEEK_API_KEY",), "deepseek-v4-flash", "deepseek-v4-pro", "deepseek-v4-pro"),
    Starter("xai", ("XAI_API_KEY",), "grok-4.3", "grok-4.6", "grok-4.6"),
    Starter(
        "openrouter",
        ("OPENROUTER_API_KEY",),
        "openai/gpt-5.4-mini",
        "anthropic/claude-sonnet-5",
        "openai/gpt-6",
    ),
)
"""The providers, in the order in which the first gives the default model; read with `plano_agents.providers` on
2026-11-29."""

KEYLESS = ("openai", "anthropic")
"""Providers of a first configuration where no key is at hand."""

CODE = "generating new code snippets, functions, schemas or boilerplate based on user prompts or requirements"
REASONING = "deep analysis, weighing trade-offs, mathematical problem solving and logical reasoning"


def name_variables() -> list[str]:
    """Name the environment variables that are looked at, the first of each provider."""
    return [starter.variables[0] for starter in STARTERS]


def find_starters(environ: Mapping[str, str]) -> list[Starter]:
    """Find the providers whose keys the environment holds."""
    return [starter for starter in STARTERS if starter.find_variable(environ) is not None]


def write_starter(
    environ: Mapping[str, str], *, ollama_url: str | None = None, ollama_models: Sequence[str] = ()
) -> str:
    """Write a first ``config.yaml``, with comments.

    Args:
        environ: The variables that hold keys; the file names the variables alone.
        ollama_url: The address of an Ollama that answers.
        ollama_models: The models that it has.

    Returns:
        The file's text. Without a key and an Ollama it names OpenAI's and Anthropic's models.
    """
    starters = find_starters(environ)
    if not starters and not ollama_models:
        starters = [starter for starter in STARTERS if starter.provider in KEYLESS]
    lines = [
        "# Models, preferences and the listener, in Plano's schema. 'plano-agents config check' checks it.",
        "version: v0.4.0",
        "",
        "listeners:",
        "  - type: model",
        "    name: model_listener",
        "    port: 12000",
        "",
        "# $NAME is read from the environment.",
        "model_providers:",
    ]
    default = True
    for starter in starters:
        variable = starter.find_variable(environ) or starter.variables[0]
        for name in dict.fromkeys((starter.small, starter.coder, starter.thinker)):
            lines += [f"  - model: {starter.provider}/{name}", f"    access_key: ${variable}"]
            if default:
                lines.append("    default: true # serves what matches no preference")
                default = False
    for name in ollama_models:
        lines += [f"  - model: {OLLAMA}/{name}", f"    base_url: {ollama_url}"]
        if default:
            lines.append("    default: true # serves what matches no preference")
            default = False
    coders = [f"{starter.provider}/{starter.coder}" for starter in _order(starters, "anthropic")]
    thinkers = [f"{starter.provider}/{starter.thinker}" for starter in _order(starters, "openai")]
    if coders:
        lines += [
            "",
            "# What kind of request goes to which models: the first that can answer does.",
            "routing_preferences:",
            *_write_preference("code_generation", CODE, coders),
            *_write_preference("complex_reasoning", REASONING, thinkers),
        ]
    lines += [
        "",
        "# A session keeps its model until it has been idle for this long.",
        "routing:",
        "  session_ttl_seconds: 600",
    ]
    return "\n".join(lines) + "\n"


def _order(starters: Sequence[Starter], first: str) -> list[Starter]:
    return sorted(starters, key=lambda starter: starter.provider != first)


def _write_preference(name: str, description: str, models: Sequence[str]) -> list[str]:
    return [
        f"  - name: {name}",
        f"    description: {description}",
        "    models:",
        *(f"      - {model}" for model in models),
    ]
