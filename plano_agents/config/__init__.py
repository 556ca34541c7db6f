"""``config.yaml`` in Plano's schema, and our own settings beside it, as one frozen `Config`.

`load_config` reads files, `parse_config` text; both tell all problems at once, each with its line, as a
`plano_agents.errors.ConfigError`. `render_config` shows what came of them.
"""

from plano_agents.config.load import load_config
from plano_agents.config.model import Config, Listener, Model, Preference, Routing
from plano_agents.config.options import (
    CostSource,
    LatencySource,
    MetricsSource,
    Overrides,
    PromptCaching,
    SessionCache,
    Tracing,
)
from plano_agents.config.plano import parse_config
from plano_agents.config.render import render_config
from plano_agents.config.rules import Breaker, Limits, Retries, Timeouts
from plano_agents.config.schema import KNOWN_PROVIDERS, NEED_BASE_URL

__all__ = [
    "KNOWN_PROVIDERS",
    "NEED_BASE_URL",
    "Breaker",
    "Config",
    "CostSource",
    "LatencySource",
    "Limits",
    "Listener",
    "MetricsSource",
    "Model",
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
