"""A session's key at providers, by which they find what they have cached of its prompts.

It is a keyed hash (BLAKE2b) of the tenant and the session's id, its lane included, for each lane has a prompt of its
own. Replicas and restarts make the same one, for the hash is keyed with what their configuration has in common: the
first of ``prompt_caching.key_salt``, the admin token, the shared store's address and the providers' keys. Without that
secret no id can be told from a key, nor guessed and compared.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache, partial

from plano_agents.config.model import Config
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.pin import SessionKey

KEY_CHARACTERS = 32
"""How long a key is: OpenAI takes 64 characters, OpenRouter 128."""

MAX_KEPT = 10_000
"""Of how many sessions the key is remembered, as many as there are pins in memory."""

FindCacheKey = Callable[[SessionKey], str]
"""Finds a session's key."""


def build_cache_key(salt: bytes, key: SessionKey) -> str:
    """Build a session's key at providers.

    Args:
        salt: What the hash is keyed with; 64 bytes at most.
        key: The session: its tenant and its id, of a harness' session with the lane.

    Returns:
        `KEY_CHARACTERS` hexadecimal digits.
    """
    digest = hashlib.blake2b(key=salt, digest_size=KEY_CHARACTERS // 2, person=b"plano cache key")
    for part in key:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def derive_salt(config: Config) -> bytes:
    """Derive what keys are hashed with from what replicas have in common.

    Args:
        config: What is configured.

    Returns:
        32 bytes; the same for every configuration without a secret.
    """
    digest = hashlib.blake2b(digest_size=32, person=b"plano salt")
    for secret in _list_secrets(config):
        data = secret.get_secret_value().encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def remember_cache_keys(config: Config) -> FindCacheKey | None:
    """Make what finds sessions' keys, each hashed once as long as it is used; None where none are to be sent."""
    if not config.prompt_caching.session_keys:
        return None
    return lru_cache(maxsize=MAX_KEPT)(partial(build_cache_key, derive_salt(config)))


def _list_secrets(config: Config) -> Iterator[SecretStr]:
    """List the secrets that the salt is derived from: one that stands for all, else the providers' keys."""
    cache = config.routing.session_cache
    for secret in (config.prompt_caching.key_salt, config.admin_token, cache.url if cache.is_shared else None):
        if secret is not None:
            yield secret
            return
    for model in config.models:
        keys = (model.access_key, *(each.access_key for each in model.deployments))
        yield from (key for key in keys if key is not None)
