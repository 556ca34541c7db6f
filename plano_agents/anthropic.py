"""The Anthropic SDK's clients with model affinity: ``from plano_agents.anthropic import Anthropic``.

The SDK comes with ``pip install 'plano-agents[anthropic]'``.
"""

from plano_agents.integrations.anthropic import Anthropic, AsyncAnthropic

__all__ = ["Anthropic", "AsyncAnthropic"]
