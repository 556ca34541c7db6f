"""Server-sent events as the answer's encoders make them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plano_agents.simulator.tokens import split_tokens

FRAGMENT_TOKENS = 4
"""How many tokens one event of a stream carries at most."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    data: bytes
    """The whole event, with its final blank line."""
    tokens: int = 0
    """How many of the answer's tokens it carries: pacing goes by them."""


def encode_json(value: Mapping[str, object]) -> bytes:
    """Write JSON as the providers do: compact, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def split_fragments(text: str) -> Iterator[tuple[str, int]]:
    """Cut a text into what single events carry, with the tokens of each."""
    pieces = split_tokens(text)
    for at in range(0, len(pieces), FRAGMENT_TOKENS):
        fragment = pieces[at : at + FRAGMENT_TOKENS]
        yield "".join(fragment), len(fragment)
