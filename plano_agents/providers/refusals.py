"""Refusals that are about who was asked, not about what was asked: another model of the route may serve the request.

A key that is not taken, no money, a model that is not there: so says the status. A 400 says so by its code, or in words
that its provider is known for. Any other 400 is about the request, and would be one elsewhere too.
"""

import re

from plano_agents.protocol.provider_error import read_provider_error

ACCOUNT = frozenset({401, 402, 403, 404})
"""Statuses about the account, its rights, or the model's name."""
KEY = frozenset({401, 403})
"""Those about the key."""
_BAD_REQUEST = 400

CODES = frozenset(
    {
        "model_not_found",  # OpenAI
        "invalid_model",  # Mistral
        "1500",  # Mistral: invalid model
        "DeploymentNotFound",  # Azure
        "OperationNotSupported",  # Azure: the deployment's model does not take this API
        "model_not_supported",  # GitHub Models, Copilot
        "model_decommissioned",  # Groq
        "unsupported_country_region_territory",  # OpenAI
        "billing_not_active",  # OpenAI
        "insufficient_quota",  # OpenAI
        "FAILED_PRECONDITION",  # Gemini: the free tier is not available in this country
    }
)
"""Codes and types that say so."""

WORDS = (
    r"api[ _]key not valid",  # Gemini, which answers 400
    r"api key expired",  # Gemini
    r"credit balance is too low",  # Anthropic
    r"you have reached your specified api usage limits",  # Anthropic
    r"organization has been disabled",  # Anthropic
    r"invalid model",  # Mistral, vLLM
    r"is not a valid model",  # OpenRouter
    r"model .{0,200}(?:does not exist|not exist|not found|has been deprecated|decommissioned|is not supported)",  # DeepSeek, xAI, Groq
    r"user location is not supported",  # Gemini
)
"""What their messages hold."""

_SAYS_SO = re.compile("|".join(WORDS), re.IGNORECASE)


def is_about_target(status: int, body: bytes, *, by_client_key: bool) -> bool:
    """Check whether a refusal is about who was asked.

    Args:
        status: The HTTP status.
        body: What the provider said.
        by_client_key: Whether the client's own key went along: then it is told what becomes of it.
    """
    if status in ACCOUNT:
        return not (by_client_key and status in KEY)
    if status != _BAD_REQUEST:
        return False
    error = read_provider_error(body)
    if error is None:
        return False
    return error.code in CODES or error.type in CODES or _SAYS_SO.search(error.message) is not None
