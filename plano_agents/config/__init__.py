"""``config.yaml`` in Plano's schema, and our own settings beside it, as one frozen `Config`.

`load_config` reads files, `parse_config` text; both tell all problems at once, each with its line, as a
`plano_agents.errors.ConfigError`.
"""

from plano_agents.config.load import load_config
from plano_agents.config.model import Config, Limits, Listener, Model, Preference, Routing
from plano_agents.config.plano import parse_config
from plano_agents.config.schema import KNOWN_PROVIDERS, NEED_BASE_URL

__all__ = [
    "KNOWN_PROVIDERS",
    "NEED_BASE_URL",
    "Config",
    "Limits",
    "Listener",
    "Model",
    "Preference",
    "Routing",
    "load_config",
    "parse_config",
]
