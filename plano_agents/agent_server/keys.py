"""API keys of the agent server: whose key a request brings."""

import hmac
from collections.abc import Mapping

from plano_agents.config.key_hashes import PREFIX, digest
from plano_agents.errors import AuthenticationError


def find_owner(hashes: Mapping[str, str], authorization: str | None, api_key: str | None) -> str:
    """Find whose key a request brings.

    Args:
        hashes: The keys' hashes, by the name of their owner; without any, everybody is the same, and nameless.
        authorization: The header ``Authorization``.
        api_key: The header ``X-Api-Key``, for clients that cannot set the other.

    Returns:
        The owner's name; empty where no keys are configured.

    Raises:
        AuthenticationError: The request brings no key, or one that nobody has.
    """
    if not hashes:
        return ""
    scheme, _, token = (authorization or "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else (api_key or "").strip()
    if given:
        found = PREFIX + digest(given)
        owners = [owner for owner, known in hashes.items() if hmac.compare_digest(found, known)]
        if owners:
            return owners[0]
    what = "is not one of this server's" if given else "was not given"
    raise AuthenticationError(f"An API key is required, and {what}. Send 'Authorization: Bearer <key>'.")
