"""``client_keys``: the keys of the router's clients, as they are remembered: as hashes, by name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plano_agents.config.findings import Findings, KeyPath, format_value
from plano_agents.config.key_hashes import MIN_KEY_LENGTH, PREFIX, find_hash
from plano_agents.config.secrets import SecretReader
from plano_agents.secret_str import SecretStr

Given = Sequence[SecretStr] | Mapping[str, SecretStr]
"""Keys as the file has them: a list, or by the name of whom each was given to."""

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key that clients present."""

    name: str
    """The name of whom it was given to; empty for one of a list."""
    hash: SecretStr
    """Its hash, ``sha256:`` and 64 hexadecimal digits."""
    is_short: bool = False
    """True if it stands in the file itself, and could be guessed."""


def build_client_key(text: str, name: str = "") -> ClientKey:
    """Build a key of its text, or of its hash.

    Raises:
        ValueError: It begins like a hash, and is not one.
    """
    is_short = not text.startswith(PREFIX) and len(text) < MIN_KEY_LENGTH
    return ClientKey(name, SecretStr(find_hash(text)), is_short)


def build_client_keys(given: Given, findings: Findings, secrets: SecretReader) -> tuple[ClientKey, ...]:
    """Read ``client_keys``.

    Args:
        given: The keys as the file has them.
        findings: Where problems are noted.
        secrets: Reads them.

    Returns:
        Those that could be read; meaningful only when no problem was noted.
    """
    found: dict[str, ClientKey] = {}
    for name, path, secret in _list_entries(given):
        if name is not None and _NAME.fullmatch(name) is None:
            findings.add_problem(
                path,
                f"the client's name {format_value(name)} is not one. Write 1 to 64 letters, digits, dots, hyphens, "
                "underscores and @.",
            )
        text = secrets.read(secret, path, "client_keys" if name is None else f"the client {format_value(name)}")
        if text is None:
            continue
        try:
            key = build_client_key(text.get_secret_value(), name or "")
        except ValueError as error:
            findings.add_problem(path, f"{error}.")
            continue
        twin = found.setdefault(key.hash.get_secret_value(), key)
        if twin.name != key.name:
            findings.add_problem(path, f"{twin.name!r} and {key.name!r} have the same key. Give each a key of its own.")
    return tuple(found.values())


def _list_entries(given: Given) -> Iterator[tuple[str | None, KeyPath, SecretStr]]:
    if isinstance(given, Mapping):
        yield from ((name, ("client_keys", name), secret) for name, secret in given.items())
    else:
        yield from ((None, ("client_keys", index), secret) for index, secret in enumerate(given))
