"""Clients' keys of both servers: kept as hashes, each under the name of whom it was given to.

A key is random, so one round of SHA-256 keeps it: what cannot be guessed cannot be found by trying. A password is not,
and a slow hash on every request would be a way to occupy the server; so keys that may be guessed are not hashed.
"""

import hashlib
import re
import secrets

MIN_KEY_LENGTH = 24
"""How short a key may be: shorter ones could be guessed from their hashes."""

PREFIX = "sha256:"

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def new_key() -> str:
    """Make a key: ``pa-`` and 32 random bytes in URL-safe base64."""
    return f"pa-{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    """Hash a key, as the configuration has it.

    Args:
        key: Visible ASCII characters, at least `MIN_KEY_LENGTH` of them, at random.

    Returns:
        ``sha256:`` and 64 hexadecimal digits.

    Raises:
        ValueError: It is too short, or could not be sent in a header.

    Example:
        >>> hash_key("pa-a-key-that-is-long-enough")[:15]
        'sha256:a379ad4b'
    """
    if len(key) < MIN_KEY_LENGTH:
        raise ValueError(
            f"a key has at least {MIN_KEY_LENGTH} characters, at random; got {len(key)}. Have one made instead"
        )
    if not all("!" <= char <= "~" for char in key):
        raise ValueError("a key has visible ASCII characters only, and no spaces")
    return PREFIX + hashlib.sha256(key.encode()).hexdigest()


def check_hash(text: str) -> str:
    """See that a text is a key's hash.

    Raises:
        ValueError: It is none; it is not repeated, for it may be the key itself.
    """
    if not _HASH.fullmatch(text):
        raise ValueError("this is not a hash of a key; make one with 'plano-agents hash-key'")
    return text


def find_hash(text: str) -> str:
    """Find the hash of a key that a file has: its own, where the hash stands in its place.

    Raises:
        ValueError: It begins like a hash, and is none.
    """
    return check_hash(text) if text.startswith(PREFIX) else PREFIX + digest(text)


def digest(given: str) -> str:
    """Hash what a client sends as its key: 64 hexadecimal digits."""
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
