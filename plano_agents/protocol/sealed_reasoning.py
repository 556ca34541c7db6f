"""Reasoning that a provider encrypts on OpenAI's responses wire, on wires that have no place for it: a thinking block.

OpenAI wants a turn's reasoning back, above all within a loop of tools. Clients of messages and chat send thinking
blocks back as they came, so there a reasoning item is one: its summary is what was thought, and its signature `SEAL`
and the encrypted content. No Anthropic-compatible endpoint gets it: what it did not sign itself is left out
(`signature_mark`, whose prefix the seal shares).
"""

import msgspec
from msgspec import Struct

from plano_agents.protocol.anthropic_request import ThinkingBlock
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.signature_mark import PREFIX

SEAL = f"{PREFIX}responses."
"""What such a signature begins with."""


class SealedReasoning(Struct, frozen=True):
    """A reasoning item, as far as it is sent back."""

    summary: str
    """What is reported of it."""
    encrypted_content: str
    """As its provider gave it, marked where it is not OpenAI's."""


class _Block(Struct, frozen=True):
    thinking: str = ""
    signature: str = ""


_BLOCK = msgspec.json.Decoder(_Block)


def seal_reasoning(summary: str, encrypted_content: str) -> msgspec.Raw:
    """Write a reasoning item as a thinking block.

    Args:
        summary: What is reported of the reasoning.
        encrypted_content: The reasoning.
    """
    return msgspec.Raw(msgspec.json.encode(ThinkingBlock(summary, SEAL + encrypted_content)))


def unseal_reasoning(block: msgspec.Raw) -> SealedReasoning | None:
    """Read a thinking block as a reasoning item; None where it is none."""
    try:
        read = _BLOCK.decode(block)
    except BAD_JSON:
        return None
    if not read.signature.startswith(SEAL):
        return None
    return SealedReasoning(read.thinking, read.signature.removeprefix(SEAL))
