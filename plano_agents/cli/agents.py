"""The coding agents that ``plano-agents launch`` starts: how each is pointed at a router, for this run alone.

An agent takes the router's address from its environment, from options of its command line, or from a file of ours
that ends with the run. Nothing of the user's is written. What each agent reads is in its own documentation:

==========  ==================================================================================================
agent       source
==========  ==================================================================================================
claude      code.claude.com/docs/en/llm-gateway
codex       openai/codex, ``docs/config.md``: ``-c`` and ``model_providers``
opencode    opencode.ai/docs/config: ``OPENCODE_CONFIG_CONTENT``
pi          earendil-works/pi, ``packages/coding-agent/docs/custom-provider.md``
qwen        QwenLM/qwen-code, ``docs/users/configuration/auth.md``
vibe        docs.mistral.ai/vibe/code/cli/configuration: variables that begin with ``VIBE_``
aider       aider.chat/docs/llms/openai-compat.html
==========  ==================================================================================================
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Access:
    """A router, as an agent reaches it."""

    url: str
    """Its address, without ``/v1``."""
    key: str
    """A client key; any word where the router asks for none."""
    model: str
    """The model that the agent asks for."""
    small_model: str | None
    """The configured model that small tasks, such as a session's title, ask for; None for the session's."""

    @property
    def v1(self) -> str:
        """The base URL of OpenAI's SDKs."""
        return f"{self.url}/v1"


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that point one run of an agent at a router."""

    environ: Mapping[str, str]
    """Environment variables to set."""
    unset: tuple[str, ...] = ()
    """Environment variables to leave out: other keys, which the agent would use instead."""
    options: tuple[str, ...] = ()
    """Options of its command line, before the user's."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of ours by name; ``{files}`` in an option is the folder that holds them during the run."""

    def apply(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Build the agent's environment from the user's."""
        return {name: value for name, value in environ.items() if name not in self.unset} | dict(self.environ)


@dataclass(frozen=True, slots=True)
class Agent:
    """A coding agent."""

    title: str
    """Its name, as people say it."""
    program: str
    """The program."""
    install: str
    """The command that installs it."""
    model: str | None
    """The model that it asks for where the user names none: one that it knows, empty for its own choice; None for the
    router's first."""
    build: Callable[[Access], Setup]
    """Says how it is pointed at a router."""
    sends_session: bool = True
    """True if it sends a session id that the router recognises."""


def _point_claude(access: Access) -> Setup:
    environ = {"ANTHROPIC_BASE_URL": access.url, "ANTHROPIC_AUTH_TOKEN": access.key}
    if access.model:
        environ["ANTHROPIC_MODEL"] = access.model
    if access.small_model is not None:
        environ["ANTHROPIC_DEFAULT_HAIKU_MODEL"] = access.small_model
    return Setup(environ, unset=("ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"))


def _point_codex(access: Access) -> Setup:
    settings = {
        "model": access.model,
        "model_provider": "plano",
        "model_providers.plano.name": "Plano",
        "model_providers.plano.base_url": access.v1,
        "model_providers.plano.wire_api": "responses",
        "model_providers.plano.env_key": "PLANO_KEY",
        "model_providers.plano.supports_websockets": False,
    }
    options = (f"{name}={json.dumps(value)}" for name, value in settings.items())
    return Setup({"PLANO_KEY": access.key}, options=tuple(part for option in options for part in ("-c", option)))


def _point_opencode(access: Access) -> Setup:
    names = dict.fromkeys([access.model, *([access.small_model] if access.small_model else [])])
    config = {
        "model": f"plano/{access.model}",
        "small_model": f"plano/{access.small_model or access.model}",
        "provider": {
            "plano": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Plano",
                "options": {"baseURL": access.v1, "apiKey": access.key},
                "models": {name: {} for name in names},
            }
        },
    }
    return Setup({"OPENCODE_CONFIG_CONTENT": json.dumps(config)})


def _point_pi(access: Access) -> Setup:
    model = {
        "id": access.model,
        "name": access.model,
        "reasoning": False,
        "input": ["text", "image"],
        "cost": dict.fromkeys(("input", "output", "cacheRead", "cacheWrite"), 0),
        "contextWindow": 128_000,
        "maxTokens": 16_384,
    }
    provider = {
        "name": "Plano",
        "baseUrl": access.v1,
        "apiKey": "$PLANO_KEY",
        "api": "openai-responses",
        "models": [model],
    }
    extension = f"export default function (pi) {{ pi.registerProvider('plano', {json.dumps(provider)}); }}\n"
    return Setup(
        {"PLANO_KEY": access.key},
        options=("--extension", "{files}/plano.ts", "--provider", "plano", "--model", access.model),
        files={"plano.ts": extension},
    )


def _point_qwen(access: Access) -> Setup:
    return Setup(
        {"OPENAI_BASE_URL": access.v1, "OPENAI_API_KEY": access.key, "OPENAI_MODEL": access.model},
        options=("--auth-type", "openai-responses"),
    )


def _point_vibe(access: Access) -> Setup:
    provider = {
        "name": "plano",
        "api_base": access.v1,
        "api_key_env_var": "PLANO_KEY",
        # On an API of others it names the HTTP library instead, and its session id is taken for nobody's.
        "extra_headers": {"User-Agent": "mistral-vibe"},
    }
    model = {"name": access.model, "provider": "plano", "alias": access.model}
    return Setup(
        {
            "PLANO_KEY": access.key,
            "VIBE_PROVIDERS": json.dumps([provider]),
            "VIBE_MODELS": json.dumps([model]),
            "VIBE_ACTIVE_MODEL": access.model,
        }
    )


def _point_aider(access: Access) -> Setup:
    small = {"AIDER_WEAK_MODEL": f"openai/{access.small_model}"} if access.small_model is not None else {}
    return Setup(
        {
            "OPENAI_API_BASE": access.v1,
            "OPENAI_API_KEY": access.key,
            "AIDER_MODEL": f"openai/{access.model}",
            "AIDER_SHOW_MODEL_WARNINGS": "false",
            **small,
        }
    )


AGENTS: Mapping[str, Agent] = MappingProxyType(
    {
        "claude": Agent("Claude Code", "claude", "npm install -g @anthropic-ai/claude-code", "", _point_claude),
        "codex": Agent("Codex", "codex", "npm install -g @openai/codex", "gpt-5.5", _point_codex),
        "opencode": Agent("opencode", "opencode", "npm install -g opencode-ai", None, _point_opencode),
        "pi": Agent("pi", "pi", "npm install -g @earendil-works/pi-coding-agent", None, _point_pi),
        "qwen": Agent("Qwen Code", "qwen", "npm install -g @qwen-code/qwen-code", None, _point_qwen),
        "vibe": Agent("Mistral Vibe", "vibe", "uv tool install mistral-vibe", None, _point_vibe),
        "aider": Agent("Aider", "aider", "uv tool install aider-chat", None, _point_aider, sends_session=False),
    }
)
"""The agents by what they are called on the command line."""
