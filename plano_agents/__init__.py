"""plano-agents keeps an agent loop on one model.

The public names load on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plano_agents.affinity import bind_context, current_affinity_id, model_affinity
    from plano_agents.errors import PlanoError
    from plano_agents.integrations.httpx import instrument, uninstrument
    from plano_agents.integrations.langchain import ChatPlano
    from plano_agents.integrations.langchain_affinity import ModelAffinityMixin
    from plano_agents.integrations.langchain_middleware import ModelAffinityMiddleware
    from plano_agents.integrations.logging import AffinityLogFilter

__all__ = [
    "AffinityLogFilter",
    "ChatPlano",
    "ModelAffinityMiddleware",
    "ModelAffinityMixin",
    "PlanoError",
    "bind_context",
    "current_affinity_id",
    "instrument",
    "model_affinity",
    "uninstrument",
]
__version__ = "0.1.0"

_HOMES = {
    "AffinityLogFilter": "plano_agents.integrations.logging",
    "ChatPlano": "plano_agents.integrations.langchain",
    "ModelAffinityMiddleware": "plano_agents.integrations.langchain_middleware",
    "ModelAffinityMixin": "plano_agents.integrations.langchain_affinity",
    "PlanoError": "plano_agents.errors",
    "bind_context": "plano_agents.affinity",
    "current_affinity_id": "plano_agents.affinity",
    "instrument": "plano_agents.integrations.httpx",
    "model_affinity": "plano_agents.affinity",
    "uninstrument": "plano_agents.integrations.httpx",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        from plano_agents.extras import MissingExtraError, is_of_part  # noqa: PLC0415 - seldom needed

        if not is_of_part(error):
            raise
        raise MissingExtraError(name, "langchain", error.name) from None
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
