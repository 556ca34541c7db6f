"""LiteLLM's proxy, with the settings that it recommends for production."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import KEY, Command, Peer, Site

# docs.litellm.ai/docs/proxy/prod: a master key, request_timeout, set_verbose off, JSON logs, errors only
# (LITELLM_LOG=ERROR), LITELLM_MODE=PRODUCTION, one worker per core. There is no database, so what that page says about
# one does not apply.
CONFIG = """
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_key: {key}, api_base: "{upstream}/v1"}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-sonnet-4-6, api_key: {key}, api_base: "{upstream}"}}
general_settings:
  master_key: {key}
litellm_settings:
  request_timeout: 600
  set_verbose: false
  json_logs: true
"""


def _install(cache: Path) -> Installation:
    # Exactly this one: releases with malicious code were published in 2026 (1.82.7, 1.82.8) and withdrawn.
    return install_python(cache, "litellm", "litellm[proxy]==1.108.7", "litellm", "bin/litellm")


def _command(installation: Installation, site: Site) -> Command:
    path = site.write("config.yaml", CONFIG.format(upstream=site.upstream, key=KEY))
    place = ("--host", "127.0.0.1", "--port", str(site.port), "--num_workers", str(site.workers))
    # The table of prices is in the package; without this it is fetched at the start.
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    return Command(
        (installation.program, "--config", path, *place),
        {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", **offline},
    )


LITELLM = Peer(
    "litellm",
    "Python, translates",
    _install,
    _command,
    chat=Target("gpt-4o", {}),
    claude=Target("claude", {}),
)
