"""``config.yaml`` in Plano's schema, and our own settings beside it, as one frozen `Config`.

`load_config` reads files, `parse_config` text; both tell all problems at once, each with its line, as a
`plano_agents.errors.ConfigError`. `render_config` shows what came of them.

The modules, along a file's way:

- text to data that knows its lines: ``document``; how what is found is told: ``findings``;
- which keys and types there are: ``schema``, ``settings`` and, where they are used as they are read, ``options``, in
  the terms of ``sections``; checked by ``reading``;
- what keys mean to each other: ``plano`` and its parts ``model_entries``, ``preferences``, ``option_entries``, and
  ``settings`` and its part ``deployment_entries``; with ``secrets``;
- the frozen values: ``options``, ``model``;
- in and out: ``load``, ``render``.
"""

from plano_agents.config.load import load_config
from plano_agents.config.model import Config, Listener, Model, Preference, Routing
from plano_agents.config.options import (
    Breaker,
    CostSource,
    Deployment,
    LatencySource,
    Limits,
    MetricsSource,
    ModelProfile,
    Overrides,
    PromptCaching,
    Retries,
    SessionCache,
    Timeouts,
    Tracing,
)
from plano_agents.config.plano import parse_config
from plano_agents.config.render import render_config
from plano_agents.config.schema import KNOWN_PROVIDERS, NEED_BASE_URL

__all__ = [
    "KNOWN_PROVIDERS",
    "NEED_BASE_URL",
    "Breaker",
    "Config",
    "CostSource",
    "Deployment",
    "LatencySource",
    "Limits",
    "Listener",
    "MetricsSource",
    "Model",
    "ModelProfile",
    "Overrides",
    "Preference",
    "PromptCaching",
    "Retries",
    "Routing",
    "SessionCache",
    "Timeouts",
    "Tracing",
    "load_config",
    "parse_config",
    "render_config",
]
