"""plano-agents keeps an agent loop on one model.

The public names load on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plano_agents.affinity import bind_context, current_affinity_id, model_affinity
    from plano_agents.errors import PlanoError
    from plano_agents.integrations.langchain import ChatPlano

__all__ = ["ChatPlano", "PlanoError", "bind_context", "current_affinity_id", "model_affinity"]
__version__ = "0.1.0"

_HOMES = {
    "ChatPlano": "plano_agents.integrations.langchain",
    "PlanoError": "plano_agents.errors",
    "bind_context": "plano_agents.affinity",
    "current_affinity_id": "plano_agents.affinity",
    "model_affinity": "plano_agents.affinity",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
