"""The OpenAI SDK's clients with model affinity: ``from plano_agents.openai import OpenAI``."""

from plano_agents.integrations.openai import AsyncOpenAI, OpenAI

__all__ = ["AsyncOpenAI", "OpenAI"]
