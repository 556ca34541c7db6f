"""plano-agents' router, from the tree that this file is in."""

import sys
from pathlib import Path

import plano_agents
from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, NotInstalledError
from benchmarks.gateway.peers.peer import KEY, Command, Peer, Site

NAME = "plano-agents"

CONFIG = """
version: v0.4.0
listeners:
  - type: model
    name: benchmark
    port: {port}
model_providers:
  - model: openai/gpt-4o-mini
    base_url: {upstream}/v1
    access_key: $BENCHMARK_KEY
    default: true
  - model: openai/gpt-4o
    base_url: {upstream}/v1
    access_key: $BENCHMARK_KEY
  - model: anthropic/claude-sonnet-4-6
    base_url: {upstream}/v1
    access_key: $BENCHMARK_KEY
routing:
  session_ttl_seconds: 3600
"""
PREFERENCES = """
routing_preferences:
  - name: code_generation
    description: generating new code snippets, functions, schemas or boilerplate based on user prompts or requirements
    models: [openai/gpt-4o-mini, openai/gpt-4o]
  - name: complex_reasoning
    description: deep analysis, weighing trade-offs, mathematical problem solving and logical reasoning
    models: [openai/gpt-4o, openai/gpt-4o-mini]
"""
REDIS = "  session_cache: {{type: redis, url: '{url}'}}\n"
# 1,000 is the default; measuring at 1,000 open streams needs room for the requests beside them.
SETTINGS = "limits: {max_concurrent_requests: 8192}\n"


def _install(_: Path) -> Installation:
    program = Path(sys.executable).parent / "plano-agents"
    if not program.exists():
        raise NotInstalledError(f"{program} is missing. Set the tree up: scripts/uv sync --inexact --group bench")
    return Installation(str(program), plano_agents.__version__)


TLS = "overrides: {{upstream_tls_ca_path: '{certificate}'}}\n"


def command(
    installation: Installation,
    site: Site,
    *,
    preferences: bool = True,
    redis: str | None = None,
    certificate: Path | None = None,
) -> Command:
    """Configure the router: with routes or none, sessions in memory or in Redis, an upstream over TLS or not."""
    upstream = site.upstream if certificate is None else site.upstream.replace("http:", "https:")
    text = CONFIG.format(port=site.port, upstream=upstream)
    text += TLS.format(certificate=certificate) if certificate is not None else ""
    text += REDIS.format(url=redis) if redis else ""
    text += PREFERENCES if preferences else ""
    path = site.write("config.yaml", text)
    site.write("plano-agents.yaml", SETTINGS)
    arguments = (
        installation.program,
        "up",
        path,
        "--port",
        str(site.port),
        "--workers",
        str(site.workers),
        "--quiet",
    )
    return Command(arguments, {"BENCHMARK_KEY": KEY})


PLANO_AGENTS = Peer(
    NAME,
    "Python, keeps sessions, translates",
    _install,
    command,
    chat=Target("openai/gpt-4o", {}),
    # The hint pins the model without asking the router, as a client sends it when a loop is resumed.
    claude=Target("anthropic/claude-sonnet-4-6", {"X-Model-Affinity-Hint": "anthropic/claude-sonnet-4-6"}),
)
