"""Signatures of thinking blocks, marked with the endpoint that gave them, unless they are Anthropic's own.

Anthropic checks the signatures of thinking, and refuses those that a compatible endpoint gave; that one cannot read
Anthropic's. So what such an endpoint signs goes to the client as `PREFIX`, a fingerprint of the endpoint, and the
signature: the server of the next turn can be told from it, and nothing has to be remembered. What other providers than
OpenAI encrypt of their reasoning on its responses wire is marked alike.
"""

import hashlib
import re

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import BAD_JSON

PREFIX = "plano-"
"""What a mark begins with."""

_FINGERPRINT_DIGITS = 12
_SIGNATURE = re.compile(rb'("signature"\s*:\s*")(?=[^"])')
_ENCRYPTED = re.compile(rb'("encrypted_content"\s*:\s*")(?=[^"])')
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BLOCKS = msgspec.json.Decoder(list[msgspec.Raw])


class _Block(Struct, frozen=True):
    type: str | None = None


_BLOCK = msgspec.json.Decoder(_Block)


def build_mark(endpoint: str) -> str:
    """Build the mark of an endpoint, from its address."""
    return f"{PREFIX}{hashlib.sha256(endpoint.encode()).hexdigest()[:_FINGERPRINT_DIGITS]}."


def mark_events(events: bytes, mark: str) -> bytes:
    """Mark the signatures in a stream's events, or in a thinking block; what tools are called with is text there."""
    return _SIGNATURE.sub(rb"\g<1>" + mark.encode(), events) if b'"signature"' in events else events


def mark_encrypted(body: bytes, mark: str) -> bytes:
    """Mark what is encrypted in a response, or in events of one; what tools are called with is text there."""
    return _ENCRYPTED.sub(rb"\g<1>" + mark.encode(), body) if b'"encrypted_content"' in body else body


def mark_message(body: bytes, mark: str) -> bytes:
    """Mark the signatures in a whole message's thinking, and nothing that a tool is called with."""
    if not mark or b'"signature"' not in body:
        return body
    try:
        fields = _FIELDS.decode(body)
        blocks = _BLOCKS.decode(fields.get("content", msgspec.Raw(b"[]")))
        marked = [_mark_block(block, mark) for block in blocks]
    except BAD_JSON:
        return body
    return msgspec.json.encode({**fields, "content": marked})


def read_signature(signature: str, mark: str) -> str | None:
    """Give a signature as an endpoint gave it.

    Args:
        signature: As the client sends it.
        mark: The endpoint's own mark; empty for Anthropic's.

    Returns:
        The signature; None where another endpoint gave it.
    """
    if mark:
        return signature.replace(mark, "") if signature.startswith(mark) else None
    return None if signature.startswith(PREFIX) else signature


def _mark_block(block: msgspec.Raw, mark: str) -> msgspec.Raw:
    is_thinking = _BLOCK.decode(block).type == "thinking"
    return msgspec.Raw(mark_events(bytes(block), mark)) if is_thinking else block
