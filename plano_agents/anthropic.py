"""The Anthropic SDK's clients with model affinity: ``from plano_agents.anthropic import Anthropic``.

The SDK comes with the extra ``anthropic``.
"""

from plano_agents.extras import MissingExtraError

try:
    from plano_agents.integrations.anthropic import Anthropic, AsyncAnthropic
except ModuleNotFoundError as error:
    if error.name != "anthropic":
        raise
    raise MissingExtraError(__name__, "anthropic", error.name) from None

__all__ = ["Anthropic", "AsyncAnthropic"]
