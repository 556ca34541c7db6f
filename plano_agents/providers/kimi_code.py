"""Kimi Code, a plan of Moonshot's with an address and a client name of its own; Plano sets both the same way."""

from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from plano_agents.config.model import Model

HOST = "api.kimi.com"
MODEL_ID = "kimi-for-coding"
USER_AGENT = "KimiCLI/1.3"
"""The plan answers to known coding clients only."""


def adapt_kimi_code(model: Model) -> Model:
    """Complete a model of Kimi Code's; any other is returned as it is.

    Args:
        model: A configured model.

    Returns:
        The model with ``/v1`` at the end of ``.../coding``, and with the User-Agent unless one is configured.
    """
    base_url = model.base_url
    if base_url is None:
        return model
    at_kimi = urlsplit(base_url).hostname == HOST
    if not at_kimi and model.model_id != MODEL_ID:
        return model
    path = urlsplit(base_url).path.rstrip("/")
    if at_kimi and path.endswith("/coding"):
        base_url = f"{base_url.rstrip('/')}/v1"
    headers = dict(model.headers)
    if "user-agent" not in {name.lower() for name in headers}:
        headers["User-Agent"] = USER_AGENT
    return replace(model, base_url=base_url, headers=MappingProxyType(headers))
